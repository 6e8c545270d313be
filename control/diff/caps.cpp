// Each cap is a list of fields in words; caps of one name are compared field by field, and a cap that stands alone is
// told as a whole.
#include "control/diff/caps.hpp"

#include "control/bound/bound.hpp"
#include "control/bound/show.hpp"
#include "control/check/rdma_words.hpp"
#include "control/diff/inspections.hpp"
#include "control/diff/spoken.hpp"
#include "control/model/address.hpp"
#include "control/model/services.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <map>

namespace weir::control {

namespace {

constexpr const char* nothing = "none";

struct Field {
  std::string key, value;
  bool operator==(const Field&) const = default;
};
using Fields = std::vector<Field>;
struct Cap {
  std::string name;
  Fields fields;
};

std::string per_cent(std::uint32_t ten_thousandths) { return fmt::format("{:g} %", ten_thousandths / 100.0); }

std::string mode(bool monitor, const std::optional<std::int64_t>& until_s) {
  if (!monitor) return "enforce";
  return until_s ? fmt::format("monitor until {}", spoken_day(*until_s)) : "monitor";
}

template <std::size_t count>
std::string words(std::uint8_t bits, const std::string_view (&known)[count]) {
  std::vector<std::string_view> found;
  for (std::size_t i = 0; i < count; ++i)
    if ((bits >> i & 1) != 0) found.push_back(known[i]);
  return found.empty() ? nothing : fmt::format("{}", fmt::join(found, ", "));
}

// A model's own words, but for segments that the other one has under another name and nothing else.
class Speaker {
 public:
  Speaker(const Model& model, const Model& other) : model_(model) {
    for (const Segment& segment : model.segments) {
      const Segment* named = counterpart(segment, other);
      names_.push_back(named == nullptr ? segment.name : named->name);
    }
  }

  std::string segments(const std::vector<std::uint32_t>& indices, bool any, const char* everybody) const {
    if (any) return everybody;
    std::vector<std::string> names;
    for (const std::uint32_t index : indices) names.push_back(names_[index]);
    std::ranges::sort(names);
    return fmt::format("{}", fmt::join(names, ", "));
  }
  std::string segment(std::uint32_t index) const { return names_[index]; }

  // Of a breakglass allow: what opening it would open.
  Fields of(const Statement& one) const {
    std::vector<std::string> looks;
    for (const std::uint32_t index : one.inspections) looks.push_back(model_.inspections[index].name);
    return {{"from", segments(one.from, one.from_any, "anyone")},
            {"to", segments(one.to, one.to_any, "anyone")},
            {"with", show(one.services)},
            {"inspect", looks.empty() ? nothing : fmt::format("{}", fmt::join(looks, ", "))},
            {"expires", one.expires_s ? spoken_day(*one.expires_s) : nothing},
            {"for at most", spoken_ms(std::uint64_t{one.breakglass_s} * 1000)}};
  }
  Fields of(const Budget& one) const {
    constexpr const char *counts[] = {"wire", "payload"}, *ends[] = {"deny", "throttle", "alert"},
                         *scopes[] = {"fleet", "segment", "host"};
    std::vector<std::string> windows, alerts, reserves;
    for (const Window& window : one.windows)
      windows.push_back(window.length_s == 0
                            ? fmt::format("{} ever", show_bytes(window.bytes))
                            : fmt::format("{} in {}", show_bytes(window.bytes), spoken_ms(window.length_s * 1000)));
    for (const std::uint8_t at : one.alert_at) alerts.push_back(fmt::format("{} %", at));
    for (const Budget::Reserve& reserve : one.reserves)
      reserves.push_back(fmt::format("{} for {}", per_cent(reserve.share),
                                     reserve.segment ? segment(*reserve.segment) : show(reserve.services)));
    std::string on_exceed = ends[static_cast<std::size_t>(one.on_exceed)];
    if (one.on_exceed == Budget::Exceed::throttle)
      on_exceed += fmt::format(" to {}", spoken_rate(one.throttle_bits_per_s));
    return {{"from", segments(one.from, false, "")},
            {"to", segments(one.to, one.to_any, "everything outside")},
            {"with", one.any_service ? "everything" : show(one.services)},
            {"windows", fmt::format("{}", fmt::join(windows, ", "))},
            {"count", fmt::format("{}, {} bytes a packet", counts[static_cast<std::size_t>(one.count)], one.surcharge)},
            {"on_exceed", on_exceed},
            {"alert_at", fmt::format("{}", fmt::join(alerts, ", "))},
            {"scope", scopes[static_cast<std::size_t>(one.scope)]},
            {"max_share", one.max_share == 0 ? nothing : per_cent(one.max_share)},
            {"reserve", fmt::format("{}", fmt::join(reserves, ", "))},
            {"opening", one.opens_empty ? "empty" : "spent"},
            {"mode", mode(one.monitor, one.monitor_until_s)}};
  }

  Fields of(const Limit& one) const {
    constexpr const char* cells[] = {"rule", "source", "target", "pair"};
    return {{"from", segments(one.from, one.from_any, "anyone")},
            {"to", segments(one.to, one.to_any, "anyone")},
            {"with", one.any_service ? "everything" : show(one.services)},
            {"rate", one.rate_bits_per_s == 0 ? nothing
                                              : fmt::format("{}, {} at once", spoken_rate(one.rate_bits_per_s),
                                                            show_bytes(one.burst_bytes))},
            {"packets", spoken(one.packets)},
            {"new_connections", spoken(one.new_connections)},
            {"connections", one.connections == 0 ? nothing : std::to_string(one.connections)},
            {"per", cells[static_cast<std::size_t>(one.per)]},
            {"mode", mode(one.monitor, one.monitor_until_s)}};
  }

  Fields of(const Asset& one) const {
    return {{"size", show_bytes(one.bytes)},
            {"held", segments(one.held, false, "")},
            {"compression", fmt::format("{:g}", one.compression_thousandths / 1000.0)}};
  }

  Fields of(const Job& one) const {
    return {{"members", segments(one.members, false, "")},
            {"transport", words(one.transports, transport_words)},
            {"tag", one.tag ? fmt::format("{:#018x}", *one.tag) : "any"},
            {"operations", words(one.operations, operation_words)},
            {"seal_after", one.seal_after_us == 0 ? "an operator's word" : spoken_ms(one.seal_after_us / 1000)},
            {"read_mtu", one.read_mtu == 0 ? "the allow's" : std::to_string(one.read_mtu)},
            {"read_credit", one.read_credit == 0 ? "the allow's" : show_bytes(one.read_credit)},
            {"uet_job", one.uet ? fmt::format("{:#08x}", *one.uet) : "any"},
            {"burst", one.burst == 0 ? nothing : show_bytes(one.burst)},
            {"window", one.burst == 0 ? nothing : spoken_ms(one.window_us / 1000)},
            {"ratio", one.burst == 0 ? nothing : std::to_string(one.ratio)}};
  }

  Fields of(const DnsTerms& one) const {
    const auto size = [](std::uint32_t bytes) -> std::string { return bytes == 0 ? nothing : show_bytes(bytes); };
    const auto number = [](std::uint32_t most) -> std::string { return most == 0 ? nothing : std::to_string(most); };
    return {{"queries", spoken(one.queries)},
            {"name", number(one.name_bytes)},
            {"answers", size(one.answer_bytes)},
            {"information", size(one.information_bytes)},
            {"domains", number(one.domains)},
            {"window", spoken_ms(std::uint64_t{one.window_s} * 1000)},
            {"mode", mode(one.monitor, one.monitor_until_s)}};
  }

  Fields of(const Inspection& one) const {
    Fields fields;
    for (auto& [key, value] : inspection_words(model_, one)) fields.push_back({key, value});
    return fields;
  }

  Fields of(const Invariant& one) const {
    if (one.never)
      return {
          {"never", fmt::format("{} > {}", segments(one.never->from, false, ""), segments(one.never->to, false, ""))},
          {"via", one.never->via_any ? "any" : nothing}};
    return {{"asset", one.asset ? model_.assets[*one.asset].name : nothing},
            {"to", segments(one.to, one.to_any, "every exit")},
            {"at_least", one.at_least_s ? spoken_ms(*one.at_least_s * 1000) : nothing},
            {"at_most", one.at_most_bytes ? show_bytes(*one.at_most_bytes) : nothing},
            {"ratio", fmt::format("{:g}", one.ratio_thousandths / 1000.0)}};
  }

 private:
  const Model& model_;
  std::vector<std::string> names_;  // by segment
};

// By direction, as an image has them: how a declaration is written makes no difference.
std::vector<Cap> queue_pairs_of(const Model& model) {
  const auto host = [](const AddressSet& one) {
    return one.ipv4.empty() ? show(one.ipv6.front().first) : show(one.ipv4.front().first);
  };
  const auto number = [](const std::optional<std::uint32_t>& qp) { return qp ? fmt::format("{:#x}", *qp) : "any"; };
  std::vector<Cap> caps;
  for (const QueuePair& one : model.queue_pairs) {
    const std::string from = host(one.from), to = host(one.to);
    const auto put = [&](const std::string& source, const std::string& target, const auto& qp, const auto& peer) {
      if (qp)
        caps.push_back({fmt::format("{} > {} {}", source, target, number(qp)),
                        {{"peer", number(peer)}, {"dialled by", from}}});
    };
    put(from, to, one.to_qp, one.from_qp);
    put(to, from, one.from_qp, one.to_qp);
  }
  return caps;
}

template <class Kind>
std::vector<Cap> caps_of(const Speaker& speaker, const std::vector<Kind>& kinds) {
  std::vector<Cap> caps;
  for (const Kind& one : kinds) caps.push_back({one.name, speaker.of(one)});
  return caps;
}

std::string whole(const Cap& cap) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : cap.fields)
    if (!value.empty() && value != nothing) parts.push_back(fmt::format("{} {}", key, value));
  return fmt::format("{}", fmt::join(parts, "; "));
}

// With `renames` names are words alone: caps that say the same are the same.
void compare(const std::string& kind, std::vector<Cap> before, std::vector<Cap> after, std::vector<DiffSetting>& found,
             bool renames = true) {
  for (const bool by_name : {true, false})
    std::erase_if(after, [&](const Cap& cap) {
      if (!by_name && !renames) return false;
      const auto other = std::ranges::find_if(
          before, [&](const Cap& one) { return by_name ? one.name == cap.name : one.fields == cap.fields; });
      if (other == before.end()) return false;
      if (other->fields.size() != cap.fields.size())
        found.push_back({fmt::format("{}.{}", kind, cap.name), whole(*other), whole(cap)});
      else
        for (std::size_t i = 0; i < cap.fields.size(); ++i)
          if (other->fields[i] != cap.fields[i])
            found.push_back({fmt::format("{}.{}.{}", kind, cap.name, cap.fields[i].key), other->fields[i].value,
                             cap.fields[i].value});
      before.erase(other);
      return true;
    });
  for (const Cap& cap : before) found.push_back({fmt::format("{}.{}", kind, cap.name), whole(cap), nothing});
  for (const Cap& cap : after) found.push_back({fmt::format("{}.{}", kind, cap.name), nothing, whole(cap)});
}

std::vector<std::string> figures(const Bounds& bounds, std::uint32_t asset) {
  if (bounds.is_off()) return std::vector<std::string>(bound_labels.size(), "unbounded (monitor)");
  const Passage whole = bounds.whole(asset);
  std::vector<std::string> made;
  for (const Most& most : whole.most) made.push_back(show_bytes(most.bytes));
  for (const Shortest* time : {&whole.raw, &whole.sixteen, &whole.compressed}) made.push_back(show_time(*time));
  return made;
}

}  // namespace

std::vector<DiffSetting> caps_between(const Model& old_model, const Model& new_model) {
  const Speaker before(old_model, new_model), after(new_model, new_model);
  std::vector<DiffSetting> found;
  compare("asset", caps_of(before, old_model.assets), caps_of(after, new_model.assets), found);
  compare("breakglass", caps_of(before, old_model.breakglass), caps_of(after, new_model.breakglass), found, false);
  compare("budget", caps_of(before, old_model.budgets), caps_of(after, new_model.budgets), found);
  compare("dns", caps_of(before, old_model.dns_terms), caps_of(after, new_model.dns_terms), found);
  compare("inspect", caps_of(before, old_model.inspections), caps_of(after, new_model.inspections), found);
  compare("invariant", caps_of(before, old_model.invariants), caps_of(after, new_model.invariants), found);
  compare("job", caps_of(before, old_model.jobs), caps_of(after, new_model.jobs), found);
  compare("limit", caps_of(before, old_model.limits), caps_of(after, new_model.limits), found);
  compare("queue_pair", queue_pairs_of(old_model), queue_pairs_of(new_model), found, false);
  return found;
}

std::vector<DiffBound> bounds_between(const Model& old_model, const Model& new_model, std::int64_t now_s) {
  std::map<std::string, DiffBound> by_name;
  for (const u32 policy : {old_policy, new_policy}) {
    const Model& model = policy == old_policy ? old_model : new_model;
    if (model.assets.empty()) continue;
    const Bounds bounds(model, now_s);
    for (std::uint32_t asset = 0; asset < model.assets.size(); ++asset) {
      DiffBound& one = by_name[model.assets[asset].name];
      one.asset = model.assets[asset].name;
      one.figures[policy] = figures(bounds, asset);
    }
  }
  std::vector<DiffBound> found;
  for (auto& [name, one] : by_name) found.push_back(std::move(one));
  return found;
}

}  // namespace weir::control
