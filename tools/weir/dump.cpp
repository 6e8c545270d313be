// `weir dump IMAGE`: a verified policy image as text. Every table is read through the same lookups as the dataplane's,
// so that what is printed is what would be decided.
#include "control/model/address.hpp"
#include "control/report/report.hpp"
#include "dataplane/policy/lookup.hpp"
#include "tools/weir/commands.hpp"
#include "tools/weir/dump_budgets.hpp"
#include "tools/weir/dump_inspect.hpp"
#include "tools/weir/dump_rdma.hpp"
#include "tools/weir/dump_tracking.hpp"
#include "tools/weir/policy_file.hpp"
#include "tools/weir/rules.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

using Json = nlohmann::ordered_json;
using control::Ipv6Number;

struct DumpOptions {
  std::string image, output = "table";
};

// Stretches of equal value, found by asking for each number of a small space.
struct Stretch {
  u32 first, last;
  u16 value;
};

std::vector<Stretch> services_of(const Policy& policy, u32 field) {
  std::vector<Stretch> found;
  const u32 numbers = field == static_cast<u32>(image::ServiceField::protocol) ? 256 : 65536;
  const auto& view = policy.view();
  for (u32 number = 0; number < numbers; ++number) {
    const u32 page = view.service_pages[field * 256 + (number >> 8)];
    const u16 service = view.service_atoms[page * image::service_page_entries + (number & 255)];
    if (!found.empty() && found.back().value == service) found.back().last = number;
    else found.push_back({number, number, service});
  }
  return found;
}

std::map<u16, std::string> service_texts(const Policy& policy) {
  constexpr std::string_view fields[] = {"tcp", "udp", "sctp", "icmp4", "icmp6", "protocol", "rdma"};
  std::map<u16, std::string> texts;
  for (u32 field = 0; field < image::service_fields_count; ++field)
    for (const auto [first, last, service] : services_of(policy, field)) {
      const bool icmp = field == 3 || field == 4;
      const auto one = [&](u32 n) { return icmp ? fmt::format("{}.{}", n >> 8, n & 255) : std::to_string(n); };
      std::string& text = texts[service];
      if (!text.empty()) text += ", ";
      text += fmt::format("{}/{}{}", fields[field], one(first), first == last ? "" : "-" + one(last));
    }
  return texts;
}

// Every stretch of one atom, in address order.
template <class Number, class Use>
void walk(const image::Trie& trie, Use use) {
  constexpr u32 bits = sizeof(Number) * 8;
  const std::function<void(u32, Number, u32)> node = [&](u32 index, Number base, u32 depth) {
    const image::TrieNode& at = trie.nodes[index];
    for (u32 slot = 0; slot < 64; ++slot) {
      const u32 shift = bits - depth - image::stride_bits;
      const auto first = static_cast<Number>(base | static_cast<Number>(Number{slot} << shift));
      const auto last = static_cast<Number>(first | static_cast<Number>((Number{1} << shift) - 1));
      if (at.children >> slot & 1)
        node(image::child_index(at, slot), first, depth + image::stride_bits);
      else use(first, last, trie.leaves[image::leaf_index(at, slot)]);
    }
  };
  for (u32 entry = 0; entry < u32{1} << trie.root_bits; ++entry) {
    const u32 shift = bits - trie.root_bits;
    const auto first = static_cast<Number>(Number{entry} << shift);
    if (trie.root[entry] & image::node_flag) node(trie.root[entry] & ~image::node_flag, first, trie.root_bits);
    else use(first, static_cast<Number>(first | static_cast<Number>((Number{1} << shift) - 1)), trie.root[entry]);
  }
}

template <class Number>
std::vector<std::string> ranges_of(const image::Trie& trie) {
  std::vector<std::string> out;
  Number begin = 0, end = 0;
  u32 atom = 0;
  const auto flush = [&] {
    if (atom != 0) out.push_back(fmt::format("{}-{} atom {}", control::show(begin), control::show(end), atom));
  };
  walk<Number>(trie, [&](Number first, Number last, u32 of) {
    if (of == atom && first != 0) {
      end = last;
      return;
    }
    flush();
    begin = first;
    end = last;
    atom = of;
  });
  flush();
  return out;
}

std::vector<std::string> atoms(const Policy& policy) {
  std::vector<std::string> out;
  const auto& view = policy.view();
  for (u32 atom = 1; atom < view.atoms_count; ++atom) {
    std::string line = fmt::format("atom {}:", atom);
    for (u32 i = view.atom_starts[atom]; i < view.atom_starts[atom + 1]; ++i)
      line += fmt::format(" {}", policy.segment_name(view.atom_segments[i]));
    out.push_back(line);
  }
  return out;
}

std::string name_of(const Policy& policy, const image::PortClass& entry) {
  if (entry.kind != image::ClassKind::network)
    return fmt::format("{}{}", policy.text(entry.pattern), entry.kind == image::ClassKind::prefix ? "*" : "");
  return entry.network == image::network_unbound ? "every other network" : fmt::format("network {}", entry.network);
}

std::vector<std::string> port_classes(const Policy& policy) {
  std::vector<std::string> out = {"class 0: every other port"};
  const auto& view = policy.view();
  for (u32 index = 1; index < view.port_classes.size(); ++index) {
    const auto& entry = view.port_classes[index];
    std::string line = fmt::format("class {}: {}:", index, name_of(policy, entry));
    for (u32 i = 0; i < entry.segments_count; ++i)
      line += fmt::format(" {}", policy.segment_name(view.class_segments[entry.segments_first + i]));
    for (u32 i = 0; i < entry.macs_count; ++i) {
      const auto* bytes = view.macs[entry.macs_first + i].bytes;
      line += fmt::format(" {:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2], bytes[3],
                          bytes[4], bytes[5]);
    }
    out.push_back(line);
  }
  return out;
}

// Per port class: which zone an atom is in as a source and as a target.
std::vector<std::string> zones(const Policy& policy) {
  std::vector<std::string> out;
  const auto& view = policy.view();
  for (u32 index = 0; index < view.port_classes.size(); ++index) {
    const auto& entry = view.port_classes[index];
    for (u32 atom = 0; atom < view.atoms_count; ++atom) {
      const u16 source = view.source_zones[u64{entry.source_row} * view.atoms_count + atom];
      const u16 target = view.target_zones[u64{entry.target_row} * view.atoms_count + atom];
      if (source == 0 && target == 0) continue;
      out.push_back(fmt::format("class {} atom {}: source {}, target {}", index, atom,
                                source == image::zone_spoofed ? "spoofed" : fmt::format("zone {}", source),
                                fmt::format("zone {}", target)));
    }
  }
  return out;
}

std::vector<std::string> rules(const Policy& policy) {
  std::vector<std::string> out;
  constexpr std::string_view logs[] = {"", ", log opened", ", log all"};
  const auto& view = policy.view();
  for (u32 index = 0; index < policy.rules_count(); ++index) {
    const RuleView rule = policy.rule(index);
    std::string line = fmt::format("rule {}: {} `{}` at {}:{}", index, rule.is_forbid ? "forbid" : "allow", rule.name,
                                   rule.file, rule.line);
    if (index + 1 < view.decisions.size() && view.decisions[index + 1].rule == index) {
      const auto& decision = view.decisions[index + 1];
      line += logs[std::min<u8>(decision.log, 2)];
      line += decision.syn_proxy ? ", syn_proxy" : decision.reject ? ", reject" : "";
      if (decision.expires != ~u64{0}) line += fmt::format(", expires at {} s", decision.expires / tick_second);
    }
    out.push_back(line);
  }
  return out;
}

std::vector<std::string> decisions(const Policy& policy) {
  std::vector<std::string> out;
  const auto& view = policy.view();
  for (u32 index = 0; index < view.decisions.size(); ++index) {
    const auto& one = view.decisions[index];
    std::string line = fmt::format("decision {}: {}", index, one.allow ? "allow" : "deny");
    if (one.rule != no_rule) line += fmt::format(" by rule {}", one.rule);
    if (one.expires != ~u64{0})
      line += fmt::format(", until {} s, then decision {}", one.expires / tick_second, one.next);
    out.push_back(line);
  }
  return out;
}

// What each (source zone, target zone) gets, by services; the default is left out.
std::vector<std::string> matrix(const Policy& policy, const std::map<u16, std::string>& services) {
  std::vector<std::string> out;
  const auto& view = policy.view();
  if (view.form != image::Form::matrix) return out;
  const u64 sources = view.meta[0].source_zones_count, targets = view.target_zones_count;
  for (u64 source = 0; source < sources; ++source)
    for (u64 target = 0; target < targets; ++target) {
      const u64 row = view.matrix_rows[source * targets + target];
      std::map<u16, std::string> by_decision;
      for (const auto& [service, text] : services) {
        const u16 decision = view.matrix_cells[row * view.services_count + service];
        if (decision != 0) by_decision[decision] += (by_decision[decision].empty() ? "" : ", ") + text;
      }
      for (const auto& [decision, text] : by_decision)
        out.push_back(fmt::format("zone {} > zone {}: decision {}: {}", source, target, decision, text));
    }
  return out;
}

std::vector<std::string> sections(const Policy& policy) {
  std::vector<std::string> out;
  const auto* entries = reinterpret_cast<const image::SectionEntry*>(policy.view().header + 1);
  constexpr std::string_view names[] = {
#define WEIR_SECTION(identifier, element, sentence) #identifier,
      WEIR_IMAGE_SECTIONS(WEIR_SECTION)
#undef WEIR_SECTION
  };
  for (u32 i = 0; i < image::sections_count; ++i)
    out.push_back(fmt::format("{}: {} x {} bytes at {}", names[i], entries[i].count, entries[i].element_bytes,
                              entries[i].offset));
  return out;
}

Json dump_json(const Policy& policy) {
  const auto& header = *policy.view().header;
  const auto link = policy.link();
  const auto texts = service_texts(policy);
  Json services = Json::array();
  for (const auto& [service, text] : texts) services.push_back(fmt::format("service {}: {}", service, text));
  return {{"header",
           {{"name", policy.name()},
            {"version", header.version},
            {"generation", header.generation},
            {"bytes", header.total_bytes},
            {"checksum", fmt::format("{:016x}", header.checksum)},
            {"form", policy.view().form == image::Form::matrix ? "matrix" : "vectors"},
            {"link",
             {{"arp", link.arp},
              {"nd", link.nd},
              {"ra", link.ra},
              {"dhcp", link.dhcp},
              {"bytes_a_day", link.bytes_a_day}}}}},
          {"sections", sections(policy)},
          {"ipv4", ranges_of<u32>(image::ipv4_trie(policy.view()))},
          {"ipv6", ranges_of<Ipv6Number>(image::ipv6_trie(policy.view()))},
          {"atoms", atoms(policy)},
          {"port classes", port_classes(policy)},
          {"zones", zones(policy)},
          {"services", services},
          {"rules", rules(policy)},
          {"decisions", decisions(policy)},
          {"matrix", matrix(policy, texts)},
          {"tracking", tracking_lines(policy)},
          {"zone facts", zone_facts_lines(policy)},
          {"rdma", rdma_lines(policy)},
          {"jobs", job_lines(policy)},
          {"inspections", inspection_lines(policy)},
          {"dns", dns_lines(policy)},
          {"looks", look_lines(policy)},
          {"budgets", budget_lines(policy)},
          {"limits", limit_lines(policy)},
          {"charges", charge_lines(policy)}};
}

void print_table(const Json& dump) {
  for (const auto& [title, part] : dump.items()) {
    if (part.empty()) continue;
    fmt::print("{}\n", title);
    if (part.is_object())
      for (const auto& [key, value] : part.items())
        fmt::print("  {}: {}\n", key, control::harmless(value.is_string() ? value.get<std::string>() : value.dump()));
    else
      for (const auto& line : part) fmt::print("  {}\n", control::harmless(line.get<std::string>()));
  }
}

int run_dump(const DumpOptions& options) {
  std::ifstream file(options.image, std::ios::binary);
  u64 magic = 0;
  file.read(reinterpret_cast<char*>(&magic), sizeof magic);
  if (!file || magic != image::magic) {
    fmt::print(stderr, "weir dump: {}: {}\n", options.image,
               file ? "not a policy image" : "cannot be read as a policy image");
    return exit_invalid;
  }
  const auto opened = open_policy(options.image);
  if (!opened) {
    fmt::print(stderr, "weir dump: {}\n", opened.error());
    return exit_invalid;
  }
  const Json dump = dump_json(opened->policy);
  if (options.output != "table") fmt::print("{}", text_of(dump, options.output == "jsonl"));
  else print_table(dump);
  return exit_yes;
}

}  // namespace

void add_dump(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<DumpOptions>();
  CLI::App* command = app.add_subcommand("dump", "Print a policy image as text");
  command->add_option("image", options->image, "A policy image")->required();
  command->add_option("-o,--output", options->output, "table, json or jsonl")
      ->check(CLI::IsMember({"table", "json", "jsonl"}));
  command->callback([options, &exit_code] { exit_code = run_dump(*options); });
}

}  // namespace weir
