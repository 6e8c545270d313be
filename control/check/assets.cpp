// [asset.NAME], [[invariant]], [fleet], and how many hosts and bytes a segment can have: what bounds are computed from.
// Whether an invariant holds is judged elsewhere (control/ask, control/bound).
#include "control/check/names.hpp"
#include "control/check/reading.hpp"
#include "control/check/resolver.hpp"
#include "dataplane/base/limits.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

constexpr std::uint64_t rate_max = 1'000'000'000'000'000;  // 1000 Tbit/s
constexpr std::uint32_t instances_max = 1024;
constexpr double at_least_s_max = 100'000.0 * 86'400;

}  // namespace

void Resolver::read_capacity(Segment& segment, const Node& table) {
  const Reading values(table, out_);
  std::uint64_t rate = 0;
  if (values.amount("rate", KeyType::rate, rate, rate_max)) segment.rate_bits_per_s = rate;
  values.count("hosts", segment.hosts, 1, accounts_max);
}

void Resolver::read_fleet(const Document& root) {
  const Node* fleet = value_of(root.tree, "fleet");
  if (fleet == nullptr || fleet->kind != NodeKind::table) return;
  made_.model.fleet_stated = true;
  Reading(*fleet, out_).count("instances", made_.model.instances, 1, instances_max);
}

void Resolver::add_asset(const NamedTable& table) {
  const Entry& entry = *table.entry;
  Asset asset;
  asset.name = entry.key;
  asset.span = entry.key_span;
  const auto same = std::ranges::find(made_.model.assets, asset.name, &Asset::name);
  if (same != made_.model.assets.end()) {
    out_.add("E0203", asset.span, fmt::format("asset `{}` is defined twice", asset.name), "again here")
        .with(same->span, "first here");
    return;
  }
  const Reading values(entry.value, out_);
  const bool sized = values.amount("size", KeyType::size, asset.bytes, budget_bytes_max);
  values.thousandths("compression", asset.compression_thousandths);
  const bool held = segments_of(value_of(entry.value, "held"), asset.held);
  if (sized && held) made_.model.assets.push_back(std::move(asset));
}

// What a port may claim decides whose bytes are counted, so that a segment worth stealing from needs pins.
void Resolver::check_pins_of_assets() {
  if (made_.pins_optional) return;
  const auto pinned = [&](std::string_view pattern) {
    const bool open = pattern.ends_with('*');
    return std::ranges::any_of(made_.model.ports, [&](const PortPin& pin) {
      return pin.has_addresses &&
             (open ? pin.name.starts_with(pattern.substr(0, pattern.size() - 1)) : pin.name == pattern);
    });
  };
  for (const Asset& asset : made_.model.assets)
    for (const std::uint32_t index : asset.held) {
      const Segment& segment = made_.model.segments[index];
      for (const std::string& pattern : segment.attach)
        if (!pinned(pattern))
          out_.add("E0210", segment.span,
                   fmt::format("port `{}` of `{}`, which holds `{}`, has no pin", pattern, segment.name, asset.name),
                   "any address of the segment may be claimed there")
              .with(asset.span, "the asset")
              .helped(fmt::format("[port.{}] with addresses = [\"...\"]", pattern.ends_with('*') ? "NAME" : pattern))
              .helped("or, where hosts may share addresses: [policy] pins = \"optional\"");
    }
}

void Resolver::add_invariant(const Node& node) {
  Invariant made;
  const Entry* name = node.find("name");
  const bool named = name != nullptr && name->value.kind == NodeKind::string;
  made.span = named ? name->value.span : node.span;
  made.name = named ? name->value.text
                    : fmt::format("{}:{}", loaded_.sources.files[node.span.file].name,
                                  loaded_.sources.place(node.span.file, node.span.begin).line);
  const auto refuse = [&](Span span, std::string sentence, std::string label) {
    out_.add("E0505", span, std::move(sentence), std::move(label))
        .helped("either never = { from = \"...\", to = \"...\" }, or asset = \"...\" with at_least or at_most");
  };
  bool whole = true;
  if (const Node* never = value_of(node, "never"); never != nullptr && never->kind == NodeKind::table) {
    made.never.emplace();
    whole = segments_of(value_of(*never, "from"), made.never->from);
    whole = segments_of(value_of(*never, "to"), made.never->to) && whole;
    made.never->via_any = text_of(*never, "via") == "any";
    for (const std::string_view key : {"asset", "to", "at_least", "at_most", "ratio"})
      if (const Entry* other = node.find(key)) {
        refuse(other->key_span, fmt::format("`{}` beside `never`", key), "of another kind of invariant");
        whole = false;
      }
    if (whole) made_.model.invariants.push_back(std::move(made));
    return;
  }
  const Node* asset = value_of(node, "asset");
  if (asset == nullptr || (node.find("at_least") == nullptr && node.find("at_most") == nullptr))
    return refuse(made.span, "this invariant claims nothing", asset == nullptr ? "about what?" : "no bound");
  const auto found = std::ranges::find(made_.model.assets, asset->text, &Asset::name);
  if (found == made_.model.assets.end()) {
    std::vector<std::string_view> known;
    for (const Asset& one : made_.model.assets) known.push_back(one.name);
    return unknown("E0209", "asset", *asset, known);
  }
  made.asset = static_cast<std::uint32_t>(found - made_.model.assets.begin());
  made.to_any = node.find("to") == nullptr;
  whole = segments_of(value_of(node, "to"), made.to);
  const Reading values(node, out_);
  made.ratio_thousandths = found->compression_thousandths;
  values.thousandths("ratio", made.ratio_thousandths);
  std::uint64_t bytes = 0;
  if (values.amount("at_most", KeyType::size, bytes, budget_bytes_max)) made.at_most_bytes = bytes;
  if (const Quantity time = parse_quantity(KeyType::duration, text_of(node, "at_least"));
      time.fault == QuantityFault::none) {
    if (time.amount < 1 || time.amount > at_least_s_max)
      values.out_of_bounds("at_least", *value_of(node, "at_least"), "1s to 100000d");
    else made.at_least_s = static_cast<std::uint64_t>(time.amount + 0.999'999);
  }
  if (whole || made.to_any) made_.model.invariants.push_back(std::move(made));
}

}  // namespace weir::control
