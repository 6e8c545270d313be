#include "control/see/filter.hpp"

#include "dataplane/packet/numbers.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>

namespace weir::see {
namespace {

constexpr std::pair<std::string_view, u8> protocols[] = {{"tcp", protocol_tcp},
                                                         {"udp", protocol_udp},
                                                         {"sctp", protocol_sctp},
                                                         {"icmp", protocol_icmp},
                                                         {"icmp6", protocol_icmp6}};

struct Range {
  bool is_ipv4;
  u64 first[2], last[2];
};

// Words of an address as numbers: high, low.
void numbers_of(const Address& address, u64 (&numbers)[2]) {
  numbers[0] = address.is_ipv4() ? 0 : std::byteswap(address.high);
  numbers[1] = address.is_ipv4() ? std::byteswap(static_cast<u32>(address.low)) : std::byteswap(address.low);
}

std::optional<Address> read_address(const std::string& text) {
  u8 wire[16];
  if (inet_pton(AF_INET, text.c_str(), wire) == 1) return Address::ipv4(load<u32>(wire));
  if (inet_pton(AF_INET6, text.c_str(), wire) == 1) return Address::ipv6(wire);
  return std::nullopt;
}

std::optional<u32> read_number(std::string_view text, u32 most) {
  u32 number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || fault != std::errc() || end != text.data() + text.size() || number > most) return std::nullopt;
  return number;
}

// An address or prefix, or why it is none.
std::expected<Range, std::string> read_range(std::string_view text, bool wants_prefix) {
  const std::size_t slash = text.find('/');
  const auto address = read_address(std::string(text.substr(0, slash)));
  if (!address) return std::unexpected(fmt::format("`{}` is no address", text.substr(0, slash)));
  const u32 bits = address->is_ipv4() ? 32 : 128;
  const auto length = slash == text.npos ? std::optional(bits) : read_number(text.substr(slash + 1), bits);
  if (!length) return std::unexpected(fmt::format("a prefix of this family has a length from 0 to {}", bits));
  if (slash == text.npos && wants_prefix) return std::unexpected(std::string("a net is ADDRESS/LENGTH"));
  Range range{address->is_ipv4(), {}, {}};
  numbers_of(*address, range.first);
  const u32 free = bits - *length;
  const u64 low = free >= 64 ? ~u64{0} : (u64{1} << free) - 1;
  const u64 high = free <= 64 ? 0 : free == 128 ? ~u64{0} : (u64{1} << (free - 64)) - 1;
  const u64 free_words[] = {range.is_ipv4 ? 0 : high, range.is_ipv4 ? low & 0xffff'ffff : low};
  for (int word = 0; word < 2; ++word) {
    if ((range.first[word] & free_words[word]) != 0)
      return std::unexpected(fmt::format("`{}` has bits behind its length: leave them zero", text));
    range.last[word] = range.first[word] | free_words[word];
  }
  return range;
}

}  // namespace

class FilterParser {
 public:
  explicit FilterParser(std::string_view text) : text_(text) { next(); }

  std::expected<Filter, FilterError> run() {
    if (text_.size() > Filter::text_most)
      return std::unexpected(FilterError{Filter::text_most, "a filter has at most 4096 letters"});
    if (word_.empty()) return Filter();
    any();
    if (!error_ && !word_.empty()) fail(fmt::format("`{}` stands where the filter has ended", word_));
    if (error_) return std::unexpected(*error_);
    return std::move(made_);
  }

 private:
  using Step = Filter::Step;
  using Kind = Filter::Kind;
  using Side = Filter::Side;

  // Words are between blanks; brackets, `!`, `&&` and `||` are words of their own.
  void next() {
    constexpr std::string_view blanks = " \t\r\n", alone = "()!&|";
    at_ = std::min(text_.find_first_not_of(blanks, end_), text_.size());
    end_ = at_;
    if (at_ == text_.size()) return void(word_ = {});
    if (alone.contains(text_[at_])) {
      const bool is_double = (text_[at_] == '&' || text_[at_] == '|') && text_.substr(at_ + 1).starts_with(text_[at_]);
      end_ = at_ + 1 + is_double;
    } else {
      while (end_ < text_.size() && !blanks.contains(text_[end_]) && !alone.contains(text_[end_])) ++end_;
    }
    word_ = text_.substr(at_, end_ - at_);
  }
  bool take(std::string_view word) {
    if (word_ != word) return false;
    next();
    return true;
  }
  std::string_view take_word() {
    const std::string_view word = word_;
    next();
    return word;
  }
  u32 fail(std::string sentence) {
    if (!error_) error_ = FilterError{at_, std::move(sentence)};
    return 0;
  }
  u32 add(Step step) {
    made_.steps_.push_back(std::move(step));
    return static_cast<u32>(made_.steps_.size() - 1);
  }

  u32 any() {
    u32 left = all();
    while (!error_ && (word_ == "or" || word_ == "||")) {
      next();
      const u32 right = all();
      left = add({.kind = Kind::either, .left = left, .right = right});
    }
    return left;
  }
  u32 all() {
    u32 left = one();
    while (!error_ && !word_.empty() && word_ != ")" && word_ != "or" && word_ != "||") {
      if (word_ == "and" || word_ == "&&") next();
      const u32 right = one();
      left = add({.kind = Kind::both, .left = left, .right = right});
    }
    return left;
  }
  u32 one() {
    if (error_) return 0;
    if (++depth_ > Filter::depth_most) return fail("brackets and negations stand too deep in each other");
    u32 step = 0;
    if (take("not") || take("!")) {
      step = one();
      step = add({.kind = Kind::negation, .left = step});
    } else if (take("(")) {
      step = any();
      if (!error_ && !take(")")) step = fail("a bracket is not closed");
    } else {
      step = primitive();
    }
    --depth_;
    return step;
  }

  std::optional<u32> protocol() {
    if (word_ == "ip" || word_ == "ip6") return add({.kind = Kind::family, .left = take_word() == "ip" ? 4u : 6u});
    for (const auto& [name, number] : protocols)
      if (take(name)) return add({.kind = Kind::protocol, .left = number});
    return std::nullopt;
  }
  u32 primitive() {
    const auto first = protocol();
    const bool has_side = word_ == "src" || word_ == "dst";
    const Side side = !has_side ? Side::any : take_word() == "src" ? Side::source : Side::target;
    if (first && !has_side && word_ != "host" && word_ != "net" && word_ != "port" && word_ != "portrange")
      return *first;
    const u32 second = value(side);
    return first && !error_ ? add({.kind = Kind::both, .left = *first, .right = second}) : second;
  }
  u32 value(Side side) {
    if (take("host")) return address(side, false);
    if (take("net")) return address(side, true);
    if (take("port")) return port(side, false);
    if (take("portrange")) return port(side, true);
    if (take("segment")) return name(Kind::segment, side);
    if (!word_.empty() && (std::isxdigit(static_cast<unsigned char>(word_[0])) != 0 || word_[0] == ':') &&
        word_.find_first_of(".:") != word_.npos)
      return address(side, false);
    if (side != Side::any) return fail("`src` and `dst` go before host, net, port, portrange, segment or an address");
    if (take("rule")) return name(Kind::rule, side);
    if (take("reason")) return reason();
    if (take("event")) return event();
    if (word_.empty()) return fail("the filter ends where something must be named");
    return fail(
        fmt::format("`{}` is none of tcp, udp, sctp, icmp, icmp6, ip, ip6, src, dst, host, net, port, portrange,"
                    " segment, rule, reason, event, not",
                    word_));
  }
  u32 address(Side side, bool wants_prefix) {
    if (word_.empty()) return fail("an address is missing");
    const auto range = read_range(word_, wants_prefix);
    if (!range) return fail(range.error());
    next();
    Step step{.kind = Kind::address, .side = side};
    std::ranges::copy(range->first, step.first);
    std::ranges::copy(range->last, step.last);
    step.is_ipv4 = range->is_ipv4;
    return add(std::move(step));
  }
  u32 port(Side side, bool is_range) {
    const std::size_t dash = is_range ? word_.find('-') : word_.npos;
    const auto first = read_number(word_.substr(0, dash), 65535);
    const auto last = dash == word_.npos ? first : read_number(word_.substr(dash + 1), 65535);
    if (!first || !last || *first > *last || (is_range && dash == word_.npos))
      return fail(is_range ? "a portrange is FIRST-LAST, from 0 to 65535" : "a port is a number from 0 to 65535");
    next();
    return add({.kind = Kind::port, .side = side, .left = *first, .right = *last});
  }
  u32 name(Kind kind, Side side) {
    if (word_.empty()) return fail("a name is missing");
    return add({.kind = kind, .side = side, .name = std::string(take_word())});
  }
  u32 reason() {
    const auto is_it = [&](const ReasonRow& row) { return row.name == word_; };
    if (std::ranges::none_of(reason_rows, is_it)) return fail(fmt::format("there is no reason `{}`", word_));
    return name(Kind::reason, Side::any);
  }
  u32 event() {
    for (u32 kind = 0; kind < event_kinds; ++kind)
      if (kind_name(static_cast<EventKind>(kind)) == word_) return name(Kind::event, Side::any);
    return fail(fmt::format("there is no event `{}`", word_));
  }

  std::string_view text_, word_;
  std::size_t at_ = 0, end_ = 0, depth_ = 0;
  Filter made_;
  std::optional<FilterError> error_;
};

std::expected<Filter, FilterError> Filter::parse(std::string_view text) { return FilterParser(text).run(); }

bool Filter::matches(const Facts& facts, std::size_t at) const {
  const Step& step = steps_[at];
  const auto either_side = [&](const auto& holds) {
    return (step.side != Side::target && holds(true)) || (step.side != Side::source && holds(false));
  };
  switch (step.kind) {
    case Kind::both: return matches(facts, step.left) && matches(facts, step.right);
    case Kind::either: return matches(facts, step.left) || matches(facts, step.right);
    case Kind::negation: return !matches(facts, step.left);
    case Kind::protocol: return facts.protocol == step.left;
    case Kind::family: return facts.source.is_ipv4() == (step.left == 4);
    case Kind::rule: return facts.rule == step.name;
    case Kind::reason: return facts.reason == step.name;
    case Kind::event: return facts.event == step.name;
    case Kind::segment: return either_side([&](bool source) { return (source ? facts.from : facts.to) == step.name; });
    case Kind::port: {
      if (facts.protocol != protocol_tcp && facts.protocol != protocol_udp && facts.protocol != protocol_sctp)
        return false;
      return either_side([&](bool source) {
        const u32 port = source ? facts.source_port : facts.target_port;
        return port >= step.left && port <= step.right;
      });
    }
    case Kind::address:
      return either_side([&](bool source) {
        const Address& address = source ? facts.source : facts.target;
        u64 words[2];
        numbers_of(address, words);
        return address.is_ipv4() == step.is_ipv4 && std::ranges::lexicographical_compare(step.last, words) == false &&
               std::ranges::lexicographical_compare(words, step.first) == false;
      });
  }
  return false;
}

bool Filter::asks_names() const {
  return std::ranges::any_of(steps_,
                             [](const Step& step) { return step.kind == Kind::segment || step.kind == Kind::rule; });
}

Facts facts_of(const Event& event, const EventNames& names) {
  return {event.source, event.target, event.source_port, event.target_port,      event.protocol,
          names.from,   names.to,     names.rule,        row(event.reason).name, kind_name(event.kind)};
}

std::string show(const FilterError& error, std::string_view text) {
  std::string line(text.substr(0, Filter::text_most));
  for (char& letter : line)
    if (letter < ' ' || letter > '~') letter = ' ';
  return fmt::format("{}\n  {}\n  {:>{}}", error.sentence, line, '^', error.at + 1);
}

}  // namespace weir::see
