// The main of every test program, compiled once (tests/meson.build).
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
