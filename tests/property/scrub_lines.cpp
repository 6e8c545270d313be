// Scrubs frames for an independent builder to compare (scrub_built.py). Standard input: lines "scrub HEX" or
// "normalise HEX"; standard output: the frame afterwards in hexadecimal and whether it says that something has changed,
// or the name of the parser's doubt. An identification that is put in another's place is 0x5a5a. Whatever is written
// must lie inside the frame, which is allocated to the byte.
#include "dataplane/packet/scrub.hpp"

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

using namespace weir;

int main() {
  const HashKey secret{{1, 2, 3, 4}};
  for (std::string what, line; std::cin >> what >> line;) {
    const u32 bytes = static_cast<u32>(line.size() / 2);
    const auto frame = std::make_unique<std::byte[]>(bytes);
    for (u32 i = 0; i < bytes; ++i) frame[i] = static_cast<std::byte>(std::stoul(line.substr(2 * i, 2), nullptr, 16));
    const Headers headers = parse({frame.get(), bytes}, {secret, 0});
    if (!headers.well_formed()) {
      std::printf("%s -\n", row(headers.drop).name.data());
      continue;
    }
    const bool has_changed = what == "normalise" ? is_echo(headers) && normalise_echo(frame.get(), headers)
                                                 : scrub(frame.get(), bytes, headers, 0x5a5a);
    for (u32 i = 0; i < bytes; ++i) std::printf("%02x", static_cast<unsigned>(frame[i]));
    std::puts(has_changed ? " changed" : " same");
  }
}
