// WEIR_CHECK: a programmer's mistake ends the process; the supervisor restarts it on the last good image.
// It stays on in release builds. It is not for bad packets, bad rules or a bad environment.
#pragma once
#include <cstdlib>

#define WEIR_CHECK(condition)                            \
  do {                                                   \
    if (__builtin_expect(!(condition), 0)) std::abort(); \
  } while (false)
