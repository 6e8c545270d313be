// A filter as the workers of a dataplane can ask it of packets: dataplane/share/mirror_wish.hpp.
#include "control/see/filter.hpp"
#include "dataplane/share/mirror_wish.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace weir::see {
namespace {

std::optional<u16> add_name(MirrorWish& wish, const std::string& name) {
  for (u16 at = 0; at < wish.names_count; ++at)
    if (wish.name(at) == name) return at;
  if (wish.names_count == mirror_names_max || name.size() >= mirror_name_bytes) return std::nullopt;
  name.copy(wish.names[wish.names_count], name.size());
  return wish.names_count++;
}

}  // namespace

std::expected<void, std::string> Filter::ask_of_packets(MirrorWish& wish) const {
  if (steps_.size() > mirror_steps_max)
    return std::unexpected(fmt::format("a filter of packets has at most {} parts", mirror_steps_max));
  for (const Step& step : steps_) {
    MirrorStep made{};
    made.kind = static_cast<MirrorStep::Kind>(step.kind);
    made.side = static_cast<MirrorStep::Side>(step.side);
    switch (step.kind) {
      case Kind::event: return std::unexpected(std::string("`event` is of events: of packets ask `reason`"));
      case Kind::both:
      case Kind::either:
      case Kind::negation: made.left = static_cast<u8>(step.left), made.right = static_cast<u8>(step.right); break;
      case Kind::protocol:
      case Kind::family:
      case Kind::port: made.first = static_cast<u16>(step.left), made.last = static_cast<u16>(step.right); break;
      case Kind::reason: {
        const auto found = std::ranges::find(reason_rows, step.name, &ReasonRow::name);
        made.first = static_cast<u16>(found - std::begin(reason_rows));
        break;
      }
      case Kind::address:
        std::ranges::copy(step.first, made.lowest);
        std::ranges::copy(step.last, made.highest);
        made.is_ipv4 = step.is_ipv4;
        break;
      case Kind::segment:
      case Kind::rule: {
        const auto name = add_name(wish, step.name);
        if (!name)
          return std::unexpected(fmt::format("a filter of packets has at most {} names, each below {} letters",
                                             mirror_names_max, mirror_name_bytes));
        made.first = *name;
      }
    }
    wish.steps[wish.steps_count++] = made;
  }
  return {};
}

}  // namespace weir::see
