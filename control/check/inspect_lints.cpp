// An allow that takes traffic out of an inspection: more specific than another that overlaps it, and without what the
// other asks for. Only where both are sure to meet: a segment that is attached meets another only by name.
#include "control/check/lints.hpp"
#include "control/check/rdma_words.hpp"
#include "control/compile/rules.hpp"
#include "control/model/services.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

constexpr std::size_t steps_max = 20'000'000;  // pairs of segments and cells looked at in all

class RoundLint {
 public:
  RoundLint(const Resolved& resolved, const Cells& cells, Diagnostics& out)
      : model_(resolved.model), cells_(cells), out_(out) {}

  void run() {
    const auto looks = [](const Statement& one) { return !ask_alike(one, Statement{}); };
    if (std::ranges::none_of(model_.statements, looks)) return;
    const std::vector<u32> order = order_rules(model_, split(model_), split_services(model_));
    for (std::size_t narrow = 0; narrow < order.size(); ++narrow)
      for (std::size_t wide = narrow + 1; wide < order.size(); ++wide)
        if (looks(model_.statements[order[wide]]) && tell(order[narrow], order[wide])) break;
    if (steps_ <= steps_max) out_.all.insert(out_.all.end(), found_.all.begin(), found_.all.end());
  }

 private:
  // By family, a bit each: where both segments have an address.
  unsigned meet(std::uint32_t a, std::uint32_t b, bool by_port) {
    const Segment &one = model_.segments[a], &other = model_.segments[b];
    if (a == b && !one.has_addresses) return 3;
    if (a != b && (!one.has_addresses || !other.has_addresses || !one.vnis.empty() || !other.vnis.empty())) return 0;
    if (a != b && by_port && !(one.attach.empty() && other.attach.empty())) return 0;
    unsigned families = 0;
    for (const std::uint32_t cell : cells_.of_set[a]) {
      ++steps_;
      if (a != b && !std::ranges::binary_search(cells_.of_set[b], cell)) continue;
      families |= (cells_.cells[cell].ipv4 ? 1u : 0u) | (cells_.cells[cell].ipv6 ? 2u : 0u);
    }
    return families;
  }

  unsigned meet(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b, bool by_port) {
    unsigned families = 0;
    for (const std::uint32_t one : a)
      for (const std::uint32_t other : b)
        if (families != 3 && ++steps_ <= steps_max) families |= meet(one, other, by_port);
    return families;
  }

  // What `narrow` does not ask for and `wide` does, in words.
  std::string lacking(const Statement& narrow, const Statement& wide) const {
    std::vector<std::string> words;
    for (const std::uint32_t one : wide.inspections)
      if (!std::ranges::binary_search(narrow.inspections, one))
        words.push_back(fmt::format("inspection `{}`", model_.inspections[one].name));
    const std::uint16_t asked = wide.rdma.protocols, own = narrow.rdma.protocols;
    if (asked != 0 && (own == 0 || (own & ~asked) != 0) && overlaps(narrow.services.tcp, wide.services.tcp))
      for (std::size_t bit = 0; bit < std::size(spoken_words); ++bit)
        if ((asked >> bit & 1) != 0) words.push_back(fmt::format("protocol `{}`", spoken_words[bit]));
    if (wide.covert.dns && !narrow.covert.dns)
      words.push_back(fmt::format("dns `{}`", model_.dns_terms[*wide.covert.dns].name));
    if (wide.covert.icmp_payload > narrow.covert.icmp_payload &&
        (overlaps(narrow.services.icmp4, wide.services.icmp4) || overlaps(narrow.services.icmp6, wide.services.icmp6)))
      words.push_back("`icmp_payload`");
    if (wide.covert.scrub && !narrow.covert.scrub) words.push_back("`scrub`");
    return fmt::format("{}", fmt::join(words, ", "));
  }

  bool tell(u32 narrow_index, u32 wide_index) {
    const Statement &narrow = model_.statements[narrow_index], &wide = model_.statements[wide_index];
    if (narrow.is_forbid || ++steps_ > steps_max || !overlaps(narrow.services, wide.services)) return false;
    const std::string without = lacking(narrow, wide);
    if (without.empty() || (meet(narrow.from, wide.from, true) & meet(narrow.to, wide.to, false)) == 0) return false;
    found_
        .add("W0424", narrow.span, fmt::format("`{}` goes round what `{}` asks for", narrow.name, wide.name),
             fmt::format("without {}", without))
        .with(wide.span, "less specific")
        .note("the most specific allow that covers a connection says what is looked at in it");
    return true;
  }

  const Model& model_;
  const Cells& cells_;
  Diagnostics& out_;
  Diagnostics found_;  // told only when the work stayed within its bound
  std::size_t steps_ = 0;
};

}  // namespace

void lint_inspections(const Resolved& resolved, const Cells& cells, Diagnostics& out) {
  RoundLint(resolved, cells, out).run();
}

}  // namespace weir::control
