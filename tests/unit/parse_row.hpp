// One row a rule of the parser: a frame as text (parse_frame.hpp) and how it must be read. A drop is written as its
// reason; anything else as describe() writes it (parse_test.cpp): kind, protocol, ports, offsets, payload, VLANs.
#pragma once

namespace weir::test {

struct ParseRow {
  const char* frame;
  const char* expected;
};

}  // namespace weir::test
