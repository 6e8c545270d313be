// One allow for each pair of segments, with every service that was seen between them. A service is named as the policy
// names it, where one says exactly that; else the draft states one.
#include "control/recommend/draft.hpp"

#include "control/check/names.hpp"
#include "control/model/services.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

namespace weir::control {
namespace {

using What = Wanted::What;

// Ports of one pair beyond which they are named as one range: what chooses its ports at random.
constexpr std::size_t ports_most = 16;
constexpr std::uint16_t dynamic_ports = 49152;  // RFC 6335, 6

struct Asked {
  std::set<std::pair<What, std::pair<std::uint16_t, std::uint16_t>>> services;  // first and last number
  std::uint64_t times = 0;
  std::set<std::string> sources, targets;
  bool more_sources = false, more_targets = false;
  std::string first, last;
};

ServiceSet set_of(What what, std::pair<std::uint16_t, std::uint16_t> numbers) {
  ServiceSet set;
  const PortRange range{numbers.first, numbers.second};
  switch (what) {
    case What::tcp: set.tcp = {range}; break;
    case What::udp: set.udp = {range}; break;
    case What::sctp: set.sctp = {range}; break;
    case What::icmp4: set.icmp4 = {range}; break;
    case What::icmp6: set.icmp6 = {range}; break;
    case What::rdma: set.rdma = {{0, 65535}}; break;
    case What::protocol: set.protocols = {static_cast<std::uint8_t>(numbers.first)};
  }
  return set;
}

bool same(const ServiceSet& a, const ServiceSet& b) {
  const auto alike = [](const std::vector<PortRange>& one, const std::vector<PortRange>& other) {
    return std::ranges::equal(one, other, [](const PortRange& x, const PortRange& y) {
      return x.first == y.first && x.last == y.last;
    });
  };
  return alike(a.tcp, b.tcp) && alike(a.udp, b.udp) && alike(a.sctp, b.sctp) && alike(a.icmp4, b.icmp4) &&
         alike(a.icmp6, b.icmp6) && alike(a.rdma, b.rdma) && a.protocols == b.protocols;
}

// As a new service is called, and what it says.
std::pair<std::string, std::string> stated(What what, std::pair<std::uint16_t, std::uint16_t> numbers) {
  const auto [first, last] = numbers;
  constexpr std::string_view words[] = {"tcp", "udp", "sctp", "icmp4", "icmp6", "rdma", "protocol"};
  const std::string_view word = words[static_cast<std::size_t>(what)];
  switch (what) {
    case What::icmp4:
    case What::icmp6:
      return {fmt::format("{}-{}-{}", word, first >> 8, first & 0xff),
              fmt::format("{} = [\"{}/{}\"]", word, first >> 8, first & 0xff)};
    case What::rdma: return {"rdma-any", "rdma = \"any\""};
    case What::protocol: return {fmt::format("protocol-{}", first), fmt::format("protocol = [\"{}\"]", first)};
    default: break;
  }
  if (first == last) return {fmt::format("{}-{}", word, first), fmt::format("{} = [{}]", word, first)};
  return {fmt::format("{}-{}-to-{}", word, first, last), fmt::format("{} = [\"{}-{}\"]", word, first, last)};
}

// Names of services, and those that the draft has to state.
class ServiceNames {
 public:
  explicit ServiceNames(const Names& known) : known_(known) {}

  std::string name(What what, std::pair<std::uint16_t, std::uint16_t> numbers) {
    const ServiceSet wanted = set_of(what, numbers);
    for (const auto& [name, service] : known_.services)
      if (service.spoken == 0 && same(service.set, wanted)) return name;
    auto [name, says] = stated(what, numbers);
    while (known_.services.contains(name)) name += "-seen";
    fresh_.emplace(name, says);
    return name;
  }
  const std::map<std::string, std::string>& fresh() const { return fresh_; }

 private:
  const Names& known_;
  std::map<std::string, std::string> fresh_;
};

// Many ports of one protocol become the range they lie in.
void join_ports(Asked& asked) {
  for (const What what : {What::tcp, What::udp, What::sctp}) {
    std::vector<std::pair<What, std::pair<std::uint16_t, std::uint16_t>>> some;
    std::ranges::copy_if(asked.services, std::back_inserter(some),
                         [&](const auto& one) { return one.first == what && one.second.first >= 1024; });
    if (some.size() <= ports_most) continue;
    for (const auto& one : some) asked.services.erase(one);
    const std::uint16_t first = some.front().second.first, last = some.back().second.second;
    asked.services.insert({what, first >= dynamic_ports ? std::pair(dynamic_ports, std::uint16_t{65535})
                                                        : std::pair(first, last)});
  }
}

void merge(std::set<std::string>& into, const std::set<std::string>& from) { into.insert(from.begin(), from.end()); }

std::string counted(std::size_t count, bool more, std::string_view what) {
  return fmt::format("{}{} {}{}", more ? "more than " : "", count, what, count == 1 && !more ? "" : "s");
}

std::string allow_of(const std::string& from, const std::string& to, const Asked& asked, ServiceNames& names,
                     const std::set<std::string>& taken) {
  std::vector<std::string> services;
  for (const auto& [what, numbers] : asked.services)
    services.push_back(fmt::format("\"{}\"", names.name(what, numbers)));
  std::string name = (from + "-to-" + to).substr(0, 60);
  while (taken.contains(name)) name += "-2";
  return fmt::format(
      "# {} by {} to {}, {} .. {}\n"
      "[[allow]]\nname = \"{}\"\nfrom = \"{}\"\nto = \"{}\"\nwith = [{}]\nowner = \"\"\nwhy = \"\"\n\n",
      counted(asked.times, false, "connection"), counted(asked.sources.size(), asked.more_sources, "source"),
      counted(asked.targets.size(), asked.more_targets, "target"), asked.first, asked.last, name, from, to,
      fmt::join(services, ", "));
}

std::string unplaced(const Wanted& kind, const Met& met) {
  const auto side = [](const std::string& segment, const std::set<std::string>& addresses, bool more) {
    if (!segment.empty()) return fmt::format("`{}`", segment);
    std::vector<std::string> some;
    for (const std::string& one : addresses)
      if (some.size() < 4) some.push_back(one);
    const bool are_all = !more && some.size() == addresses.size();
    return fmt::format("{}{}, in no segment", fmt::join(some, ", "), are_all ? "" : " and others");
  };
  return fmt::format("{} > {}: {}, {}: name a segment first", side(kind.from, met.sources, met.more_sources),
                     side(kind.to, met.targets, met.more_targets), stated(kind.what, {kind.number, kind.number}).first,
                     counted(met.times, false, "time"));
}

}  // namespace

std::string as_if_owned(const Draft& draft) {
  std::string rules;
  std::string_view left = draft.rules;
  constexpr std::string_view blank = " = \"\"\n";
  for (std::size_t at; (at = left.find(blank)) != std::string_view::npos; left.remove_prefix(at + blank.size()))
    rules.append(left.substr(0, at)).append(" = \"to be written\"\n");
  return rules.append(left);
}

Draft draft_of(const Seen& seen, const Checked& policy, std::uint64_t least) {
  Draft draft;
  std::map<std::pair<std::string, std::string>, Asked> pairs;
  std::uint64_t rare = 0;
  for (const auto& [kind, met] : seen.wanted) {
    const bool is_placed = policy.names.nouns.contains(kind.from) && policy.names.nouns.contains(kind.to);
    if (met.times < least) ++rare;
    else if (!is_placed) draft.left.push_back(unplaced(kind, met));
    if (met.times < least || !is_placed) continue;
    Asked& asked = pairs[{kind.from, kind.to}];
    asked.services.insert({kind.what, {kind.number, kind.number}});
    asked.times += met.times;
    merge(asked.sources, met.sources), merge(asked.targets, met.targets);
    asked.more_sources |= met.more_sources, asked.more_targets |= met.more_targets;
    if (asked.first.empty() || met.first < asked.first) asked.first = met.first;
    asked.last = std::max(asked.last, met.last);
  }
  std::set<std::string> taken;
  for (const Statement& statement : policy.model.statements) taken.insert(statement.name);
  ServiceNames names(policy.names);
  std::string allows;
  for (auto& [pair, asked] : pairs) {
    join_ports(asked);
    allows += allow_of(pair.first, pair.second, asked, names, taken);
    ++draft.allows;
  }
  for (const auto& [name, says] : names.fresh()) draft.rules += fmt::format("{} = {{ {} }}\n", name, says);
  if (!draft.rules.empty()) draft.rules = fmt::format("[service]\n{}\n", draft.rules);
  draft.rules += allows;
  for (const auto& [key, times] : seen.forbidden)
    draft.left.push_back(fmt::format("`{}` > `{}`: forbid `{}` would deny it, {}", std::get<1>(key),
                                     std::get<2>(key), std::get<0>(key), counted(times, false, "time")));
  if (rare > 0)
    draft.left.push_back(fmt::format("{}, each seen fewer than {} times", counted(rare, false, "kind"), least));
  if (seen.beyond > 0) draft.left.push_back(fmt::format("{} events of more kinds than are kept", seen.beyond));
  return draft;
}

}  // namespace weir::control
