// The stages in order: atoms, services, rules in their order, zones, decisions, image. Each refuses what the image
// cannot hold, with the number that was too large.
#include "control/compile/compile.hpp"

#include "control/compile/charges.hpp"
#include "control/compile/crowds.hpp"
#include "control/compile/decide.hpp"
#include "control/compile/covert.hpp"
#include "control/compile/inspect.hpp"
#include "control/compile/monitor.hpp"
#include "control/compile/rdma.hpp"
#include "control/compile/rows.hpp"
#include "control/compile/rules.hpp"
#include "control/compile/trie.hpp"
#include "control/compile/write.hpp"
#include "dataplane/base/limits.hpp"
#include "dataplane/base/timeouts.hpp"
#include "dataplane/inspect/pattern_image.hpp"
#include "dataplane/policy/policy.hpp"

#include <fmt/core.h>
#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>

namespace weir::control {

namespace {

std::unexpected<CapacityError> too_many(const char* code, const char* what, u64 count, u64 limit) {
  return std::unexpected(
      CapacityError{code, fmt::format("the policy needs {} {}; an image holds at most {}", count, what, limit)});
}

void put_tries(const Atoms& atoms, Contents& contents) {
  TrieTables ipv4 = build_trie(atoms.ipv4);
  TrieTables ipv6 = build_trie(atoms.ipv6);
  contents.meta[0].ipv4_root_bits = ipv4.root_bits;
  contents.meta[0].ipv6_root_bits = ipv6.root_bits;
  contents.ipv4_root = std::move(ipv4.root);
  contents.ipv4_nodes = std::move(ipv4.nodes);
  contents.ipv4_leaves = std::move(ipv4.leaves);
  contents.ipv6_root = std::move(ipv6.root);
  contents.ipv6_nodes = std::move(ipv6.nodes);
  contents.ipv6_leaves = std::move(ipv6.leaves);
}

void put_ports(const Model& model, const Zones& zones, Contents& contents) {
  for (std::size_t i = 0; i < zones.classes.size(); ++i) {
    const PortClassPlan& plan = zones.classes[i];
    image::PortClass entry{contents.text(plan.pattern),
                           plan.kind,
                           plan.network,
                           zones.source_row_of[i],
                           zones.target_row_of[i],
                           static_cast<u32>(contents.class_segments.size()),
                           static_cast<u32>(plan.attached.size()),
                           static_cast<u32>(contents.macs.size()),
                           0,
                           zones.port_charge[i]};
    for (const u32 segment : plan.attached) contents.class_segments.push_back(static_cast<u16>(segment));
    if (plan.pin) {
      auto macs = model.ports[*plan.pin].macs;
      std::sort(macs.begin(), macs.end());
      for (const auto& mac : macs) {
        image::Mac copy{};
        std::copy(mac.begin(), mac.end(), copy.bytes);
        contents.macs.push_back(copy);
      }
      entry.macs_count = static_cast<u32>(macs.size());
    }
    contents.port_classes.push_back(entry);
  }
}

void put_names(const Model& model, const ChargeSides& charges, const Atoms& atoms, std::span<const u32> order,
               std::span<const std::byte> patterns, Contents& contents) {
  contents.meta[0].name = contents.text(model.name);
  std::map<std::string_view, image::Text> files;  // by name: the order in which they were read must not show
  for (const std::string& file : model.files) files.try_emplace(file);
  for (auto& [name, text] : files) text = contents.text(name);
  for (const u32 index : order) {
    const Statement& statement = model.statements[index];
    const u32 at = statement.span.file;
    const image::Text file = at < model.files.size() ? files.at(model.files[at]) : image::Text{};
    contents.rules.push_back({contents.text(statement.name), file, model.line_of(statement.span), statement.is_forbid});
  }
  std::vector<image::Text> file_texts;
  for (const std::string& file : model.files) file_texts.push_back(files.at(file));
  put_budgets(model, charges, file_texts, contents);
  put_rdma(model, order, file_texts, contents);
  put_inspections(model, order, file_texts, patterns, contents);
  put_dns_terms(model, file_texts, contents);
  for (const Segment& segment : model.segments)
    contents.segments.push_back({contents.text(segment.name), segment.has_addresses, !segment.vnis.empty()});

  const std::vector<u128> sizes = segment_sizes(model, atoms);
  std::vector<u32> inside;
  for (u32 atom = 0; atom < atoms.count(); ++atom) {
    contents.atom_starts.push_back(static_cast<u32>(contents.atom_segments.size()));
    inside.clear();
    for (const u32 member : atoms.of(atom))
      if (member < sizes.size()) inside.push_back(member);
    std::sort(inside.begin(), inside.end(), [&](u32 a, u32 b) {
      return sizes[a] != sizes[b] ? sizes[a] < sizes[b] : model.segments[a].name < model.segments[b].name;
    });
    for (const u32 segment : inside) contents.atom_segments.push_back(static_cast<u16>(segment));
  }
  contents.atom_starts.push_back(static_cast<u32>(contents.atom_segments.size()));
}

void put_decisions(DecisionTables& tables, Contents& contents) {
  contents.meta[0].form = tables.form;
  contents.matrix_rows = std::move(tables.matrix_rows);
  contents.matrix_cells = std::move(tables.matrix_cells);
  contents.target_groups = std::move(tables.target_groups);
  contents.always_summaries = std::move(tables.always_summaries);
  contents.source_lists = std::move(tables.source_lists);
  contents.list_words = std::move(tables.list_words);
  contents.source_groups = std::move(tables.source_groups);
  contents.rule_words = std::move(tables.rule_words);
  contents.always_words = std::move(tables.always_words);
  contents.service_chunks = std::move(tables.service_chunks);
  contents.chunk_words = std::move(tables.chunk_words);
  contents.bit_rules = std::move(tables.bit_rules);
  for (const image::Decision& decision : tables.decisions)
    if (decision.expires != ~u64{0}) contents.expiries.push_back(decision.expires);
  std::sort(contents.expiries.begin(), contents.expiries.end());
  contents.expiries.erase(std::unique(contents.expiries.begin(), contents.expiries.end()), contents.expiries.end());
  contents.decisions = std::move(tables.decisions);
}

void put_zones(const Atoms& atoms, const Services& services, const Zones& zones, Contents& contents) {
  image::Meta& meta = contents.meta[0];
  meta.atoms_count = atoms.count();
  meta.source_zones_count = zones.sources.count();
  meta.target_zones_count = zones.targets.count();
  meta.services_count = zones.services.count();
  meta.words_count = meta.form == image::Form::vectors ? zones.sources.words_count() : 0;
  contents.source_zones = zones.source_rows.pool();
  contents.target_zones = zones.target_rows.pool();
  contents.source_facts = facts_of(zones, zones.sources);
  contents.target_facts = facts_of(zones, zones.targets);
  contents.service_pages = services.pages;
  contents.service_atoms = services.atoms.pool();
  for (u32 service = 0; service < zones.services.count(); ++service)
    contents.charge_services.push_back(static_cast<u16>(zones.services.mark_of(service)));
}

Rate rate_of(const Frequency& frequency) { return {frequency.interval, frequency.tolerance}; }

void put_tracking(const Model& model, Contents& contents) {
  const Tracking& stated = model.tracking;
  image::Tracking row{};
  row.new_per_source = rate_of(stated.new_per_source);
  row.new_per_target = rate_of(stated.new_per_target);
  row.icmp = rate_of(stated.icmp);
  row.reject = rate_of(stated.reject);
  row.half_open = stated.half_open;
  row.half_open_per_target = stated.half_open_per_target;
  row.udp = stated.udp;
  row.scan_ports = stated.scan_ports;
  row.scan_hosts = stated.scan_hosts;
  row.scan_window_ms = stated.scan_window_ms;
  row.scan_block_ms = stated.scan_block_ms;
  row.sweep_ms = stated.sweep_ms;
  for (u32 i = 0; i < timeouts_count; ++i) {
    const auto said = stated.timeouts_ms.find(timeout_names[i]);
    row.timeout_ms[i] = said == stated.timeouts_ms.end() ? timeout_ms[i] : said->second;
  }
  const std::vector<u32> reserved = reserved_segments(model);
  for (u16& segment : row.reserve_segment) segment = no_segment;
  for (u64 index = 0; index < reserved.size(); ++index) {
    row.reserve_share[index + 1] = static_cast<u16>(model.segments[reserved[index]].reserve);
    row.reserve_segment[index + 1] = static_cast<u16>(reserved[index]);
  }
  row.profile = static_cast<u8>(stated.loose ? Profile::loose : Profile::strict);
  row.pick_up = stated.pick_up;
  row.checksums = static_cast<u8>(stated.trust_checksums ? Checksums::trust : Checksums::check);
  row.fragments = static_cast<u8>(stated.drop_fragments ? Fragments::drop : Fragments::whole);
  row.syn_proxy = static_cast<u8>(stated.syn_proxy);
  contents.tracking.push_back(row);
}

std::optional<CapacityError> too_much_looked_for(const Model& model) {
  if (model.inspections.size() > image::inspections_max)
    return too_many("E0620", "inspections", model.inspections.size(), image::inspections_max).error();
  if (model.pattern_sets.size() > pattern_sets_max)
    return too_many("E0621", "signature sets", model.pattern_sets.size(), pattern_sets_max).error();
  return std::nullopt;
}

u32 link_bits(const Link& link) {
  return (link.arp ? image::link_arp : 0) | (link.nd ? image::link_nd : 0) | (link.ra ? image::link_ra : 0) |
         (link.dhcp ? image::link_dhcp : 0);
}

std::expected<Compiled, CapacityError> compile_as_is(const Model& model, std::uint64_t generation, DecisionForm form,
                                                     std::span<const std::byte> patterns) {
  if (auto wrong = too_much_looked_for(model)) return std::unexpected(std::move(*wrong));
  if (model.segments.size() >= no_segment) return too_many("E0601", "segments", model.segments.size(), no_segment - 1);
  if (model.statements.size() >= decisions_max)
    return too_many("E0602", "statements", model.statements.size(), decisions_max - 1);
  const Atoms atoms = split(model);
  if (atoms.count() >= image::node_flag) return too_many("E0603", "atoms", atoms.count(), image::node_flag - 1);
  const u64 reserves = reserved_segments(model).size();
  if (reserves >= image::reserve_classes)
    return too_many("E0609", "reserves", reserves, image::reserve_classes - 1);
  if (model.opens_rdma() && model.assets.size() > image::rdma_assets_max)
    return too_many("E0617", "assets beside RDMA", model.assets.size(), image::rdma_assets_max);
  if (model.jobs.size() > image::jobs_max) return too_many("E0618", "jobs", model.jobs.size(), image::jobs_max);
  if (model.queue_pairs.size() * 2 > image::static_pairs_max)
    return too_many("E0619", "declared queue pairs", model.queue_pairs.size(), image::static_pairs_max / 2);
  const Services services = split_services(model);
  if (services.members.count() > services_max)
    return too_many("E0604", "disjoint services", services.members.count(), services_max);
  const std::vector<u32> order = order_rules(model, atoms, services);
  const Bits bits = cluster_rules(model, order);
  ChargeSides charges(model, services);
  const Zones zones = merge_zones(model, atoms, services, bits.statements, charges);
  if (charges.sources().count() > zones_max)
    return too_many("E0606", "disjoint zones of budgets", charges.sources().count(), zones_max);
  const auto networks = static_cast<u64>(
      std::ranges::count(zones.classes, image::ClassKind::network, &PortClassPlan::kind));
  if (zones.classes.size() - networks > port_classes_max)
    return too_many("E0605", "port names and patterns", zones.classes.size() - networks, port_classes_max);
  if (networks > networks_max + 1) return too_many("E0610", "networks in `vni`", networks - 1, networks_max);
  const u64 zones_count = std::max(zones.sources.count(), zones.targets.count());
  if (zones_count > zones_max) return too_many("E0606", "disjoint zones", zones_count, zones_max);
  std::optional<DecisionTables> tables = decide(model, zones, order, bits, form);
  if (!tables) return std::unexpected(CapacityError{"E0607", "the policy has too many zones for a decision matrix"});

  CompileReport report{.zones = zones_count,
                       .services = zones.services.count(),
                       .decisions = tables->decisions.size(),
                       .rules = order.size(),
                       .image_bytes = 0,
                       .decision_form = tables->form == image::Form::matrix ? "matrix" : "vectors",
                       .decision_bytes = tables->bytes()};
  Contents contents;
  contents.meta.push_back({});
  contents.meta[0].link = link_bits(model.link);
  contents.meta[0].monitor_until = monitored_until(model.monitor, model.monitor_until_s);
  contents.meta[0].link_kib_a_day = static_cast<u32>(std::min<u64>(model.link.bytes_a_day / 1024, ~u32{0}));
  put_tries(atoms, contents);
  put_ports(model, zones, contents);
  put_decisions(*tables, contents);
  put_zones(atoms, services, zones, contents);
  put_tracking(model, contents);
  if (!put_charges(model, charges, contents))
    return std::unexpected(CapacityError{"E0615", "budgets and limits tell too many places and services apart"});
  put_names(model, charges, atoms, order, patterns, contents);
  if (auto crowd = find_crowd(model, atoms, zones, charges, contents)) return std::unexpected(std::move(*crowd));
  report.image_bytes = image_bytes(contents);
  if (report.image_bytes > image_bytes_max) return too_many("E0608", "bytes", report.image_bytes, image_bytes_max);
  return Compiled{write_image(contents, generation), report};
}

}  // namespace

std::expected<Compiled, CapacityError> compile(const Model& stated, std::uint64_t generation, DecisionForm form,
                                               std::span<const std::byte> patterns) {
  if (!stated.monitor) return compile_as_is(stated, generation, form, patterns);
  return compile_as_is(monitored(stated), generation, form, patterns);
}

}  // namespace weir::control
