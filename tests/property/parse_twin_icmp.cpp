// The twin's ICMP: messages, what errors quote, and neighbour discovery.
#include "tests/property/parse_twin_parts.hpp"

#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace weir::test {
namespace {

bool has_identifier(bool ipv4, unsigned type) {
  static const std::set<unsigned> four{0, 8, 13, 14, 15, 16, 17, 18, 42, 43}, six{128, 129, 160, 161};
  return ipv4 ? four.contains(type) : six.contains(type);
}
// The querier and its identifier are one end of the flow; the other end is the host that is asked, for that.
std::pair<unsigned, unsigned> ends_of(bool ipv4, const Part& message) {
  const unsigned type = message.byte(0);
  if (!has_identifier(ipv4, type)) return {0, 0};
  static const std::map<unsigned, unsigned> four{{0, 8}, {14, 13}, {16, 15}, {18, 17}}, six{{129, 128}};
  const auto& answers = ipv4 ? four : six;
  if (const auto answered = answers.find(type); answered != answers.end()) return {answered->second, message.word(4)};
  return {message.word(4), type};
}
bool is_informational(bool ipv4, unsigned type) {
  static const std::set<unsigned> not_four{3, 4, 5, 11, 12};
  return ipv4 ? !not_four.contains(type) : type >= 128 && (type < 133 || type > 137);
}

void read_quote_rest(Reading& r, const Part& l4, unsigned protocol, const Bytes& source, const Bytes& target) {
  r.quote = l4.start;
  demand(l4.bytes >= 8, Reason::icmp_header_bad);
  if (protocol == 17 && l4.word(2) == 4791) return read_quoted_rdma(r, l4, source, target);
  unsigned from = protocol, to = protocol;
  r.flow_class = FlowClass::ip;
  if (protocol == 6 || protocol == 17 || protocol == 132) {
    r.flow_class = protocol == 6 ? FlowClass::tcp : protocol == 17 ? FlowClass::udp : FlowClass::sctp;
    from = l4.word(0);
    to = l4.word(2);
    demand(from != 0 && to != 0, Reason::icmp_header_bad);
  }
  if (protocol == 1 || protocol == 58) {
    demand(r.ipv4 == (protocol == 1) && is_informational(r.ipv4, l4.byte(0)), Reason::icmp_header_bad);
    r.flow_class = r.ipv4 ? FlowClass::icmp4 : FlowClass::icmp6;
    std::tie(from, to) = ends_of(r.ipv4, l4);
  }
  r.keyed = true;
  r.from = {source, from};
  r.to = {target, to};
}

void read_quote(Reading& r, const Part& quote) {
  const auto good = [](bool holds) { demand(holds, Reason::icmp_header_bad); };
  r.kind = PacketKind::icmp_error;
  if (r.ipv4) {
    good(quote.bytes >= 20 && quote.byte(0) / 16 == 4);
    const std::size_t header = quote.byte(0) % 16 * 4;
    good(header >= 20 && quote.word(2) >= header + 8 && quote.bytes >= header + 8);
    good(quote.word(6) < 0x8000);
    demand(quote.word(6) % 0x2000 == 0, Reason::icmp_unmatched);
    const Bytes source = quote.copy(12, 4), target = quote.copy(16, 4);
    good(!source_martian4(source) && !source_martian4(target) && source != target);
    read_quote_rest(r, quote.first(quote.word(2)).from(header), quote.byte(9), source, target);
    return;
  }
  good(quote.bytes >= 40 && quote.byte(0) / 16 == 6);
  const Part rest = quote.from(40).first(quote.word(4));
  std::size_t offset = 0;
  std::optional<std::size_t> fragment;
  unsigned protocol = 0;
  try {
    protocol = walk_chain(rest, quote.byte(6), offset, fragment);
  } catch (const Drop&) {
    throw Drop{Reason::icmp_header_bad};
  }
  demand(!fragment || rest.word(*fragment + 2) < 8, Reason::icmp_unmatched);
  const Bytes source = quote.copy(8, 16), target = quote.copy(24, 16);
  good(!source_martian6(source) && !target_martian6(target) && source != target);
  read_quote_rest(r, rest.from(offset), protocol, source, target);
}

void read_neighbour(Reading& r, const Part& l4, bool trailing) {
  const auto good = [](bool holds) { demand(holds, Reason::link_nd_bad); };
  const std::size_t least = r.type == 133 ? 8 : r.type == 134 ? 16 : 24;
  good(r.hops == 255 && r.code == 0 && !trailing && r.l4 == r.l3 + 40 && l4.bytes >= least);
  std::multiset<unsigned> options;
  for (std::size_t at = least; at < l4.bytes;) {
    good(at + 8 <= l4.bytes && l4.byte(at + 1) > 0 && at + 8 * l4.byte(at + 1) <= l4.bytes);
    good(r.type == 134 || l4.byte(at + 1) == 1);
    options.insert(l4.byte(at));
    at += 8 * l4.byte(at + 1);
  }
  const bool source_link = options.contains(1);
  const unsigned link_address = r.type == 136 ? 2 : 1;
  good(r.type == 134 || (options.count(link_address) <= 1 && options.count(14) <= 1 &&
                         options.count(link_address) + options.count(14) == options.size()));
  const Bytes solicited_node{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  if (all_zero(r.source)) good(!source_link);
  if (r.type == 134) good(r.source[0] == 0xfe && r.source[1] / 64 == 2);
  if (r.type >= 135) good(l4.byte(8) != 0xff);
  if (r.type == 135 && all_zero(r.source)) good(Bytes(r.target.begin(), r.target.begin() + 13) == solicited_node);
  if (r.type == 136 && r.target[0] == 0xff) good((l4.byte(4) & 0x40) == 0);
  r.kind = r.type < 135 ? PacketKind::ra : PacketKind::nd;
}

}  // namespace

void read_icmp(Reading& r, const Part& l4, bool trailing) {
  demand(r.ipv4 == (r.protocol == 1) && l4.bytes >= 8, Reason::icmp_header_bad);
  r.type = l4.byte(0);
  r.code = l4.byte(1);
  r.payload += 8;
  const bool quotes = r.ipv4 ? r.type == 3 || r.type == 11 || r.type == 12 : r.type >= 1 && r.type <= 4;
  if (quotes) return read_quote(r, l4.from(8));
  demand(r.type != (r.ipv4 ? 5u : 137u), Reason::link_redirect);
  if (!r.ipv4 && r.type >= 133 && r.type <= 136) return read_neighbour(r, l4, trailing);
  demand(is_informational(r.ipv4, r.type), Reason::icmp_header_bad);
  std::size_t least = 8;
  if (r.ipv4 && (r.type == 13 || r.type == 14)) least = 20;
  if (r.ipv4 && (r.type == 17 || r.type == 18)) least = 12;
  if (!r.ipv4 && r.type >= 130 && r.type <= 132) least = 24;
  demand(l4.bytes >= least, Reason::icmp_header_bad);
  const auto [from, to] = ends_of(r.ipv4, l4);
  set_flow(r, r.ipv4 ? FlowClass::icmp4 : FlowClass::icmp6, from, to);
}

}  // namespace weir::test
