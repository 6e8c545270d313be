// The policies of random sequences: few addresses and ports, so that packets meet, and ceilings low enough to be met.
#pragma once
#include "control/compile/compile.hpp"
#include "dataplane/pipeline/slot.hpp"
#include "dataplane/policy/verify.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace weir {

// Five policies over two inside and two outside networks of each family. Compiled once. The second and third state the
// same generation, as one that was taken back and another that took its number; the second and the fourth pick
// connections up in mid-stream, the fourth is loose, and as the first otherwise. The fifth says what the second says,
// and only watches for a time.
class Policies {
 public:
  struct Installed {
    control::Model model;
    std::vector<std::byte> storage;
    std::unique_ptr<InstalledPolicy> installed;
  };
  static constexpr u32 count = 5;
  static constexpr u64 generation_of(u32 policy) { return policy == 0 ? 1 : policy >= 3 ? policy : 2; }
  static constexpr u64 first_expiry_s = 1'700'000'100;

  // Without ceilings and idle times of their own, for tests that fill tables, unless asked.
  enum class Ceilings : bool { none, low };
  // Allows of every second policy scrub, where asked.
  explicit Policies(Ceilings ceilings = Ceilings::none, bool scrubs = false) {
    for (u32 i = 0; i < count; ++i) {
      rows_[i].model = model(i);
      for (control::Statement& one : rows_[i].model.statements)
        one.covert.scrub = scrubs && i % 2 == 0 && !one.is_forbid;
      if (ceilings == Ceilings::low) set_floods(rows_[i].model, i);
      const auto compiled = control::compile(rows_[i].model, generation_of(i));
      if (!compiled) throw std::runtime_error(compiled.error().sentence);
      auto& storage = rows_[i].storage;
      storage.resize(compiled->image.size() + 64);
      std::byte* aligned = storage.data() + (64 - reinterpret_cast<std::uintptr_t>(storage.data()) % 64) % 64;
      std::memcpy(aligned, compiled->image.data(), compiled->image.size());
      const auto policy = verify({aligned, compiled->image.size()});
      if (!policy) throw std::runtime_error(std::string(policy.error().sentence));
      const std::string_view names[] = {"inside", "outside"};
      rows_[i].installed = std::make_unique<InstalledPolicy>(bind_ports(*policy, names));
      rows_[i].installed->installation = i + 1;
    }
  }
  const Installed& operator[](u32 index) const { return rows_[index]; }
  // Whether flows that the rule lets pass are told: by its `log`, or because it only watches.
  static bool logs(const RuleView& rule) {
    return rule.name == "b-in" || rule.name == "policy.mode" || rule.is_forbid;
  }

 private:
  static control::Model model(u32 which) {
    control::Model model;
    model.name = "sequence";
    model.files = {"sequence.toml"};
    model.line_starts = {{0}};
    auto segment = [&](const char* name, u32 ipv4, u64 ipv6_low) {
      control::Segment made;
      made.name = name;
      made.has_addresses = true;
      made.addresses.ipv4 = {{ipv4, ipv4 + 1}};
      const auto ipv6 = (static_cast<control::Ipv6Number>(0xfd00) << 112) + ipv6_low;
      made.addresses.ipv6 = {{ipv6, ipv6 + 1}};
      model.segments.push_back(made);
    };
    segment("inner", 0x0a000001, 1);   // segment 0
    segment("outer", 0x0a010001, 0x10001);  // segment 1
    auto state = [&](const char* name, bool forbid, u32 from, u32 to) -> control::Statement& {
      control::Statement statement;
      statement.name = name;
      statement.is_forbid = forbid;
      statement.from = {from};
      statement.to = {to};
      return model.statements.emplace_back(statement);
    };
    model.tracking.loose = which == 3;
    model.monitor = which == 4;
    if (model.monitor) model.monitor_until_s = first_expiry_s + 20;
    model.tracking.pick_up = which == 1 || which == 3;
    if (which == 0 || which == 3) {
      auto& out = state("a-out", false, 0, 1).services;
      out.tcp = {{80, 80}, {443, 443}}, out.udp = {{53, 53}}, out.icmp4 = {{0x800, 0x8ff}},
      out.icmp6 = {{0x8000, 0x80ff}};
      out.protocols = {50};
    } else if (which == 1 || which == 4) {
      auto& in = state("b-in", false, 1, 0);
      in.services.tcp = {{80, 80}}, in.log = control::Log::opened;
      auto& out = state("b-out", false, 0, 1);
      out.services.tcp = {{1, 65535}}, out.services.udp = {{1, 65535}}, out.services.icmp4 = {{0, 65535}};
      state("c-no-https", true, 0, 1).services.tcp = {{443, 443}};
    } else {
      auto& out = state("a-for-now", false, 0, 1);
      out.services.tcp = {{80, 80}, {443, 443}}, out.services.udp = {{53, 53}};
      out.expires_s = first_expiry_s;
      state("b-later", false, 0, 1).services.udp = {{53, 53}};
      model.statements.back().expires_s = first_expiry_s + 50;
    }
    return model;
  }

  // Each policy has other ceilings; the units of rates are 1/256 of a microsecond.
  static void set_floods(control::Model& model, u32 which) {
    constexpr u64 second = 256'000'000;
    control::Tracking& rules = model.tracking;
    if (which == 0) {
      model.segments[1].reject = true;
      rules.half_open = 3, rules.half_open_per_target = 2, rules.udp = 2;
      rules.timeouts_ms = {{"tcp_opening", 20'000}, {"udp_one_way", 9'000}};
    } else if (which == 1) {
      model.statements[2].reject = true;
      rules.new_per_source = {10 * second, 10 * second}, rules.new_per_target = {15 * second, 0};
      rules.icmp = {60 * second, 0}, rules.reject = {60 * second, 60 * second};
    } else if (which == 2) {
      rules.scan_ports = 4, rules.scan_hosts = 2, rules.scan_block_ms = 2'000;
    } else {
      rules.icmp = {20 * second, 0}, rules.udp = 2;
    }
  }
  Installed rows_[count];
};

}  // namespace weir
