// One DNS message, read to the letter: header, exactly one question, records whose names and lengths hold, and nothing
// behind them. Whatever could be read in two ways is refused. It keeps nothing and follows no name more than once
// round: a compression pointer leads strictly back.
// Sources: RFC 1035 4.1 (format) and 4.1.4 (compression), RFC 6891 6.1 (EDNS), RFC 7830 (padding), RFC 9619 (one
// question).
#pragma once
#include "dataplane/base/bytes.hpp"

#include <span>

namespace weir {

inline constexpr u32 dns_header_bytes = 12;
inline constexpr u32 dns_name_bytes_max = 255;
inline constexpr u16 dns_option_padding = 12;

struct DnsMessage {
  std::span<const u8> name;     // of the question as it stands: lengths and labels, and the root's zero
  std::span<const u8> options;  // a query's EDNS options, one after the other, each whole; empty where there are none
  u16 type = 0;
  bool is_answer = false;
};

// Whether the bytes are one message that may pass: a standard query of class IN, or the answer to one. `message` is
// then written, with views into the bytes.
bool read_dns(std::span<const u8> bytes, DnsMessage& message);

// Where the registered domain begins in a question's name: its last two labels, or three where the last is a country's
// (two letters) and the one before has at most three ("co.uk"). A rule of thumb: there is no list of public suffixes
// here. A shorter name is its own.
u32 registered_at(std::span<const u8> name);

// Calls each(code, data) for every option of a query.
template <class Each>
void each_dns_option(std::span<const u8> options, Each each) {
  while (options.size() >= 4) {
    const u32 bytes = load_be16(options.data() + 2);
    each(load_be16(options.data()), options.subspan(4, bytes));
    options = options.subspan(4 + bytes);
  }
}

}  // namespace weir
