// The parser's naive twin: reads frames byte by byte from the RFCs' pictures, slowly, sharing no code with it but the
// names of reasons. Property tests and the fuzzer compare the two on frames nobody thought of.
#pragma once
#include "dataplane/packet/parse.hpp"

#include <string>
#include <vector>

namespace weir::test {

// Parses `frame` both ways, as parse_into() and as parse_general() do; the first difference from the twin in words,
// or empty when all three agree and what was read lies within the frame.
std::string differences(std::span<const u8> frame, const ParseContext& context);

// Makes the header checksums of IPv4 inside tunnels right again, so that a changed frame gets past them.
void mend_inside(std::span<u8> frame, const ParseContext& context);

}  // namespace weir::test
