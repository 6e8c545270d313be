// What a figure does not cover, said with it. Only what this policy gives reason for.
#include "control/bound/bound.hpp"
#include "control/bound/show.hpp"
#include "control/doctor/doctor.hpp"
#include "dataplane/base/limits.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

constexpr std::size_t named_max = 4;

template <class List, class Wanted, class Name>
std::string listed(const List& list, Wanted wanted, Name name) {
  std::string text;
  std::size_t count = 0;
  for (const auto& one : list) {
    if (!wanted(one)) continue;
    if (count++ < named_max) text += fmt::format("{}`{}`", text.empty() ? "" : ", ", name(one));
  }
  return count > named_max ? fmt::format("{} and {} more", text, count - named_max) : text;
}

class Sentences {
 public:
  explicit Sentences(const Bounds& bounds) : bounds_(bounds), model_(bounds.model()) {}

  std::vector<std::string> take() {
    off();
    world();
    statements();
    rates();
    machine();
    return std::move(all_);
  }

 private:
  void say(std::string text) { all_.push_back(std::move(text)); }
  void say_if(const std::string& names, std::string_view text) {
    if (!names.empty()) say(fmt::format("{}: {}", text, names));
  }

  void off() {
    if (bounds_.is_off()) say("mode = \"monitor\": nothing is denied, so nothing is bounded");
    else if (model_.monitor) say("the policy monitors until `monitor_until`: no figure holds before that day");
    if (bounds_.network().too_large)
      say(fmt::format("the policy opens more than {} ways: nothing is computed, so nothing is bounded", ways_max));
  }

  // The doctor's list: a figure holds where all of it does.
  void machine() {
    for (const Assumption& one : weir::control::assumptions())
      say(fmt::format("of the machine, as `weir doctor` asks it ({}): {}", one.name, one.sentence));
  }

  void world() {
    say("only what passes Weir is counted: not what hosts exchange past it, through unprotected ports, other networks "
        "or physical media");
    if (model_.instances == 1 && !model_.fleet_stated) say("assumes one enforcement point: [fleet] is not stated");
    else say(fmt::format("assumes that at most {} enforcement points run this policy ([fleet])", model_.instances));
    say("a packet says what is in it: what timing, order and choice of packets say besides is not counted");
    say("ICMP errors come from an end of the flow that they speak of");
    say_if(listed(
               model_.segments,
               [](const Segment& one) { return one.attach.empty() && one.has_addresses && one.vnis.empty(); },
               [](const Segment& one) { return one.name; }),
           "on ports without `attach`, hosts are who their addresses say");
    if (!has_classes(model_)) say("no segment has a class: every segment that does not hold an asset is an exit");
    if (bounds_.network().claims_any)
      say("a tunnel without a network's number is opened: who may send one is taken to reach everybody");
    if (const u64 protocols = link_protocols(model_.link); protocols > 0)
      say(fmt::format(
          "[link] opens {} of ARP, ND, RA and DHCP: {} a day of each are counted on each of at most {} ports "
          "of an enforcement point, to everybody; a start of Weir gives each 64 KiB of them anew",
          protocols, show_bytes(model_.link.bytes_a_day), ports_max));
  }

  void statements() {
    const auto name = [](const auto& one) { return one.name; };
    say_if(listed(
               model_.statements, [](const Statement& one) { return one.breakglass_s != 0; }, name),
           "breakglass allows count as open, all of them at once");
    say_if(listed(
               model_.budgets, [](const Budget& one) { return !one.monitor && one.on_exceed == Budget::Exceed::alert; },
               name),
           "budgets that only alert bound nothing");
    say_if(listed(
               model_.budgets, [](const Budget& one) { return one.monitor; }, name),
           "budgets in monitor bound nothing");
    say_if(
        listed(model_.limits, [](const Limit& one) { return one.monitor; }, name), "limits in monitor bound nothing");
    say_if(listed(
               model_.budgets, [](const Budget& one) { return one.count == Budget::Count::payload; }, name),
           fmt::format("budgets of payload take a packet's headers to say no more than {} bytes", headers_say_bytes));
    say_if(listed(
               model_.budgets, [](const Budget& one) { return one.max_share > 0 || !one.reserves.empty(); }, name),
           "`max_share` and `reserve` only narrow a budget and are left out");
    const auto unused = [&](const Limit& one) { return !one.monitor && !is_counted(one); };
    say_if(listed(model_.limits, unused, name),
           "limits without `rate`, or with more cells than can be known, are left out");
    if (std::ranges::any_of(bounds_.network().accounts,
                            [](const Account& one) { return one.kind == Account::Kind::limit; }))
      say("limits are full again when the dataplane restarts: each restart adds their bursts");
  }

  bool is_counted(const Limit& limit) const {
    const auto index = static_cast<u32>(&limit - model_.limits.data());
    return std::ranges::any_of(bounds_.network().accounts, [&](const Account& one) {
      return one.kind == Account::Kind::limit && one.index == index;
    });
  }

  void rates() {
    const auto name = [](const Segment& one) { return one.name; };
    say_if(listed(
               model_.segments, [](const Segment& one) { return one.rate_bits_per_s.has_value(); }, name),
           "`rate` is taken as stated, nothing enforces it");
    const auto holds_unrated = [&](const Segment& one) {
      const auto index = static_cast<u32>(&one - model_.segments.data());
      return !one.rate_bits_per_s && std::ranges::any_of(model_.assets, [&](const Asset& asset) {
        return std::ranges::binary_search(asset.held, index);
      });
    };
    say_if(listed(model_.segments, holds_unrated, name),
           "no `rate` is stated, so that what no budget or limit covers is unlimited");
  }

  const Bounds& bounds_;
  const Model& model_;
  std::vector<std::string> all_;
};

}  // namespace

std::vector<std::string> Bounds::assumptions() const { return Sentences(*this).take(); }

}  // namespace weir::control
