// Filters for flows and events: the part of pcap's syntax that needs no packet, and `segment`, `rule`, `reason` and
// `event`. What is not understood is an error with its place, never a filter that means something else.
//
//   filter    = term { ("or" | "||") term }
//   term      = factor { ["and" | "&&"] factor }
//   factor    = ("not" | "!") factor | "(" filter ")" | primitive
//   primitive = PROTOCOL | [PROTOCOL] [SIDE] ("host" ADDRESS | "net" PREFIX | "port" PORT | "portrange" PORT-PORT)
//             | [SIDE] ADDRESS | [SIDE] PREFIX | [SIDE] "segment" NAME | "rule" NAME | "reason" NAME | "event" NAME
//   PROTOCOL  = "ip" | "ip6" | "tcp" | "udp" | "sctp" | "icmp" | "icmp6"          SIDE = "src" | "dst"
#pragma once
#include "control/see/names.hpp"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace weir {
struct MirrorWish;
}

namespace weir::see {

// What is asked about: one flow or event. Names are "" where they are not known, and then match no name.
struct Facts {
  Address source, target;
  u16 source_port, target_port;  // host order; 0 where the protocol has none
  u8 protocol;
  std::string_view from, to, rule;
  std::string_view reason, event;  // of a flow: ""
};
Facts facts_of(const Event& event, const EventNames& names);

struct FilterError {
  std::size_t at;  // byte of the text
  std::string sentence;
};

class Filter {
 public:
  static constexpr std::size_t text_most = 4096, depth_most = 64;

  Filter() = default;  // everything
  // Empty text: everything.
  static std::expected<Filter, FilterError> parse(std::string_view text);
  bool matches(const Facts& facts) const { return steps_.empty() || matches(facts, steps_.size() - 1); }
  // Whether it asks for a name, which needs a policy image.
  bool asks_names() const;
  // Puts it into a wish without a filter, for the workers to ask. The error is a sentence: it is too long for that, or
  // asks what a packet is not.
  std::expected<void, std::string> ask_of_packets(MirrorWish& wish) const;

 private:
  friend class FilterParser;
  // In the order of MirrorStep::Kind, as far as that goes; so are the sides.
  enum class Kind : u8 { both, either, negation, protocol, family, address, port, segment, rule, reason, event };
  enum class Side : u8 { any, source, target };
  struct Step {
    Kind kind;
    Side side = Side::any;
    u32 left = 0, right = 0;  // both, either, negation: earlier steps; port: first and last; protocol, family
    u64 first[2] = {}, last[2] = {};  // address: a range, by its words in the machine's order
    bool is_ipv4 = false;
    std::string name = {};
  };
  bool matches(const Facts& facts, std::size_t step) const;
  std::vector<Step> steps_;  // the last is the whole
};

// The error with the text and a mark below its place: two lines.
std::string show(const FilterError& error, std::string_view text);

}  // namespace weir::see
