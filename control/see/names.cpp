#include "control/see/names.hpp"

#include "dataplane/inspect/pattern_image.hpp"
#include "dataplane/packet/numbers.hpp"
#include "dataplane/policy/verify.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

namespace weir::see {
namespace {

constexpr std::size_t images_kept = 4;  // events are seconds old, not months
constexpr std::size_t generations_missed_most = 64, complaints_most = 64;
constexpr std::int64_t look_again_ms = 1000;

std::int64_t now_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace

std::string text_of(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.is_ipv4()) {
    const auto wire = static_cast<u32>(address.low);
    inet_ntop(AF_INET, &wire, text, sizeof text);
  } else {
    const u64 wire[] = {address.high, address.low};
    inet_ntop(AF_INET6, wire, text, sizeof text);
  }
  return text;
}

std::string protocol_text(u8 protocol) {
  switch (protocol) {
    case protocol_icmp: return "icmp";
    case protocol_tcp: return "tcp";
    case protocol_udp: return "udp";
    case protocol_gre: return "gre";
    case protocol_esp: return "esp";
    case protocol_icmp6: return "icmp6";
    case protocol_sctp: return "sctp";
    default: return fmt::format("protocol-{}", protocol);
  }
}

std::string_view kind_name(EventKind kind) {
  constexpr std::string_view names[] = {"flow_opened",   "flow_revoked", "packet_dropped", "scan_detected",
                                        "inspect_alert", "rdma_refused", "rdma_gaps",      "rdma_unknown",
                                        "rdma_requests", "job_burst",    "job_turned",
                                        "shadow_would_pass", "shadow_would_deny"};
  static_assert(std::size(names) == event_kinds);
  return static_cast<u32>(kind) < event_kinds ? names[static_cast<u32>(kind)] : "unknown";
}

bool is_sound(const Event& event) {
  return static_cast<u32>(event.kind) < event_kinds && static_cast<u32>(event.reason) < reasons_count;
}

std::expected<std::unique_ptr<PolicyNames>, std::string> PolicyNames::read(const std::string& path,
                                                                           const std::vector<std::string>& port_names) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return std::unexpected(path + ": cannot be read");
  const auto bytes = static_cast<std::size_t>(std::max<std::streamoff>(file.tellg(), 0));
  if (bytes < sizeof(image::Header) || bytes % image::alignment_bytes != 0 || bytes > image_bytes_max)
    return std::unexpected(path + ": no policy image: its length is that of none");
  auto made = std::make_unique<PolicyNames>();
  made->image_ = {static_cast<std::byte*>(std::aligned_alloc(image::alignment_bytes, bytes)), std::free};
  if (made->image_ == nullptr) return std::unexpected(fmt::format("{}: no memory for {} bytes", path, bytes));
  file.seekg(0);
  if (!file.read(reinterpret_cast<char*>(made->image_.get()), static_cast<std::streamsize>(bytes)))
    return std::unexpected(path + ": cannot be read whole");
  const auto policy = verify({made->image_.get(), bytes});
  if (!policy)
    return std::unexpected(
        fmt::format("{}: bad policy image: {}: {}", path, policy.error().section, policy.error().sentence));
  made->bind(*policy, port_names);
  return made;
}

std::unique_ptr<PolicyNames> PolicyNames::over(const Policy& policy, const std::vector<std::string>& port_names) {
  auto made = std::make_unique<PolicyNames>();
  made->bind(policy, port_names);
  return made;
}

void PolicyNames::bind(const Policy& policy, const std::vector<std::string>& port_names) {
  policy_ = policy;
  for (u32 port = 0; port < std::min<std::size_t>(port_names.size(), ports_max); ++port)
    classes_[port] = policy.port_class(port_names[port]);
}

Segments PolicyNames::segments(const Address& source, const Address& target, u32 port, u32 place) const {
  u16 from = classes_[port % ports_max], to = classes_[(port ^ 1) % ports_max];
  if (in_tunnel(place)) from = to = in_network(place) ? policy_->network_class(network_of(place)) : u16{0};
  const auto name = [&](u16 segment) {
    return segment == no_segment ? std::string_view{} : policy_->segment_name(segment);
  };
  return {name(policy_->source_segment(from, source)), name(policy_->target_segment(to, target))};
}

EventNames PolicyNames::of(const Event& event) const {
  EventNames names;
  names.known = true;
  if (event.rule < policy_->rules_count()) {
    const RuleView rule = policy_->rule(event.rule);
    names.rule = rule.name, names.file = rule.file, names.line = rule.line, names.is_forbid = rule.is_forbid;
  }
  const auto [from, to] = segments(event.source, event.target, event.port, event.place);
  names.from = from, names.to = to;
  if (event.detail != no_detail && !is_of_shadow(event.kind))
    names.found = pattern_name(policy_->patterns(), event.detail);
  return names;
}

ShadowNames PolicyNames::of_shadow(const Event& event) const {
  ShadowNames names;
  names.known = true;
  if (const u32 number = shadow_rule_in(event.detail); number < policy_->rules_count()) {
    const RuleView rule = policy_->rule(number);
    names.rule = rule.name, names.file = rule.file, names.line = rule.line, names.is_forbid = rule.is_forbid;
  }
  return names;
}

Names::Names(std::vector<std::string> paths, std::vector<std::string> port_names, Ask ask)
    : paths_(std::move(paths)), port_names_(std::move(port_names)), ask_(std::move(ask)) {}

const PolicyNames* Names::of(u32 generation) {
  return generation == 0 ? nullptr : find({Whose::in_force, generation, ~u32{0}});
}

const PolicyNames* Names::of_shadow(u16 generation) { return find({Whose::shadow, generation, 0xffff}); }

const PolicyNames* Names::find(const Wanted& wanted) {
  const auto at_hand = [&]() -> const PolicyNames* {
    for (const auto& [key, names] : known_)
      if (key.first == wanted.whose && wanted.is(key.second)) return names.get();
    return nullptr;
  };
  if (const PolicyNames* const found = at_hand(); found != nullptr || empty()) return found;
  const Key key{wanted.whose, wanted.generation};
  const auto [missed, is_first] = missed_.try_emplace(key, now_ms());
  if (!is_first && now_ms() - missed->second < look_again_ms) return nullptr;
  look_for(wanted);
  if (const PolicyNames* const made = at_hand(); made != nullptr) return made;
  if (missed_.size() > generations_missed_most) missed_.clear();
  missed_[key] = now_ms();
  return nullptr;
}

EventNames Names::of(const Event& event) {
  const PolicyNames* const policy = of(event.generation);
  EventNames names = policy == nullptr ? EventNames{} : policy->of(event);
  if (!is_of_shadow(event.kind)) return names;
  if (const PolicyNames* const shadow = of_shadow(shadow_generation_in(event.detail)); shadow != nullptr)
    names.shadow = shadow->of_shadow(event);
  return names;
}

// Of a shadow the dataplane is asked first: its number need not be its own for ever.
void Names::look_for(const Wanted& wanted) {
  if (wanted.whose == Whose::in_force) {
    if (!look_in_files(wanted)) ask(wanted);
  } else if (!ask(wanted)) {
    look_in_files(wanted);
  }
}

bool Names::ask(const Wanted& wanted) {
  if (!ask_) return false;
  auto told = ask_(port_names_, wanted.whose);
  if (!told) {
    if (wanted.whose == Whose::in_force) complain(told.error());
    return false;
  }
  const bool is_it = wanted.is((*told)->generation());
  if (is_it || wanted.whose == Whose::in_force) keep(wanted.whose, std::move(*told));
  return is_it;
}

bool Names::look_in_files(const Wanted& wanted) {
  for (const std::string& path : paths_) {
    std::error_code fault;
    if (ask_ && !std::filesystem::exists(path, fault)) continue;  // a history that has not begun
    if (!std::filesystem::is_directory(path, fault)) {
      if (read(path, wanted)) return true;
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(path, fault)) {
      const bool is_folder = entry.is_directory(fault);
      const auto image = is_folder ? entry.path() / "policy.img" : entry.path();
      if (image.extension() != ".img" || !std::filesystem::exists(image, fault)) continue;
      if (read(image.string(), wanted)) return true;
    }
    if (fault) complain(fmt::format("{}: cannot be listed: {}", path, fault.message()));
  }
  return false;
}

// Whether it is the one.
bool Names::read(const std::string& path, const Wanted& wanted) {
  image::Header header{};
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(&header), sizeof header)) {
    complain(path + ": cannot be read as a policy image");
    return false;
  }
  if (header.magic == image::magic && !wanted.is(header.generation)) return false;
  auto made = PolicyNames::read(path, port_names_);
  if (!made) {
    complain(made.error());
    return false;
  }
  if (!wanted.is((*made)->generation())) return false;
  keep(wanted.whose, std::move(*made));
  return true;
}

void Names::keep(Whose whose, std::unique_ptr<PolicyNames> names) {
  const Key key{whose, static_cast<u32>(names->generation())};
  // Of its own kind: views of the other kind's names are in use.
  const auto is_alike = [&](const auto& one) { return one.first.first == whose; };
  while (static_cast<std::size_t>(std::ranges::count_if(known_, is_alike)) >= images_kept)
    known_.erase(std::ranges::find_if(known_, is_alike));
  known_.insert_or_assign(key, std::move(names));
}

void Names::complain(const std::string& sentence) {
  if (complained_.size() < complaints_most && complained_.insert(sentence).second) complaints_.push_back(sentence);
}

}  // namespace weir::see
