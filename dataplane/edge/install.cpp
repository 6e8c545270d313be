#include "dataplane/edge/install.hpp"

#include "dataplane/edge/waiting.hpp"
#include "dataplane/pipeline/charging.hpp"
#include "dataplane/policy/verify.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace weir::edge {
namespace {

Refusal refused(std::string section, std::string sentence) {
  return {door::Result::refused, std::move(section), std::move(sentence)};
}

// The file's bytes in memory of our own: whoever sent the descriptor may change the file under a mapping.
std::expected<Mapping, Refusal> copy_image(int image) {
  struct stat facts{};
  if (fstat(image, &facts) != 0 || !S_ISREG(facts.st_mode))
    return std::unexpected(refused("request", "the descriptor is not a regular file"));
  if (facts.st_size <= 0 || static_cast<u64>(facts.st_size) > image_bytes_max)
    return std::unexpected(refused("header", fmt::format("{} bytes cannot be an image", facts.st_size)));
  auto memory = Mapping::anonymous(static_cast<std::size_t>(facts.st_size));
  if (!memory) return std::unexpected(refused("request", memory.error().sentence));
  for (std::span<std::byte> rest = memory->bytes(); !rest.empty();) {
    const ssize_t read = pread(image, rest.data(), rest.size(), facts.st_size - static_cast<off_t>(rest.size()));
    if (read < 0 && errno == EINTR) continue;
    if (read <= 0) return std::unexpected(refused("request", "the image became shorter while it was read"));
    rest = rest.subspan(static_cast<std::size_t>(read));
  }
  return std::move(*memory);
}

std::expected<Mapping, Refusal> copy_image(std::span<const std::byte> image) {
  auto memory = Mapping::anonymous(image.size());
  if (!memory) return std::unexpected(refused("request", memory.error().sentence));
  std::ranges::copy(image, memory->bytes().begin());
  return std::move(*memory);
}

bool matches(std::string_view name, std::string_view pattern, bool is_prefix) {
  return is_prefix ? name.starts_with(pattern) : name == pattern;
}

}  // namespace

std::expected<Installed, Refusal> Installer::start_with(const std::string& path) {
  const int image = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (image < 0) return std::unexpected(refused("request", system_error("cannot open " + path).sentence));
  auto memory = copy_image(image);
  close(image);
  if (!memory) return std::unexpected(memory.error());
  return start(*memory);
}

std::expected<Installed, Refusal> Installer::start_with(std::span<const std::byte> image) {
  auto memory = copy_image(image);
  if (!memory) return std::unexpected(memory.error());
  return start(*memory);
}

std::expected<Installed, Refusal> Installer::start(Mapping& image) {
  const auto prepared = prepare(image, false);
  if (!prepared) return std::unexpected(prepared.error());
  flip(*prepared);
  const u64 generation = (*prepared)->policy.generation();
  header_.generation.set(generation);
  return Installed{generation, 0, warning_};
}

std::expected<Installed, Refusal> Installer::install(int image, bool force) {
  auto memory = copy_image(image);
  if (!memory) return std::unexpected(memory.error());
  ReadyImage ready{std::move(*memory), 0};
  return install(ready, force);
}

std::expected<ReadyImage, Refusal> Installer::examine(int image) const {
  auto memory = copy_image(image);
  if (!memory) return std::unexpected(memory.error());
  return examine(std::move(*memory));
}

std::expected<ReadyImage, Refusal> Installer::examine(std::span<const std::byte> image) const {
  auto memory = copy_image(image);
  if (!memory) return std::unexpected(memory.error());
  return examine(std::move(*memory));
}

std::expected<ReadyImage, Refusal> Installer::examine(Mapping image) const {
  const auto policy = verify(image.bytes());
  if (!policy)
    return std::unexpected(refused(std::string(policy.error().section), std::string(policy.error().sentence)));
  if (const auto warning = compare_ports(*policy); !warning) return std::unexpected(warning.error());
  const auto scan = InstalledScan::make(*policy, config_.workers, config_.inspect_reading, nullptr);
  if (!scan) return std::unexpected(refused("patterns", scan.error()));
  return ReadyImage{std::move(image), policy->generation()};
}

std::expected<Installed, Refusal> Installer::install(ReadyImage& image, bool force) {
  if (!wait_until(Steady::now() + readers_wait_max, [&] { return spare_is_free(); }))
    return std::unexpected(Refusal{door::Result::busy, "", "workers have not announced the last policy yet"});
  const InstalledPolicy* const before = slot_.current();
  const auto prepared = prepare(image.memory, force);
  if (!prepared) return std::unexpected(prepared.error());
  const InstalledPolicy* const next = *prepared;
  const auto flipped_at = Steady::now();
  flip(next);
  const auto announced = [&] { return slot_.all_announced(config_.workers, next); };
  awaiting_ = !wait_until(flipped_at + announce_wait_max, announced);
  const auto blocked = std::chrono::duration_cast<std::chrono::microseconds>(Steady::now() - flipped_at);
  if (config_.tally != nullptr && before != nullptr)
    config_.tally->carry(current_ ^ 1, before->policy, current_, next->policy);
  header_.generation.set(next->policy.generation());
  if (awaiting_) return std::unexpected(Refusal{door::Result::busy, "", "in force, but not every worker announced it"});
  settle();
  return Installed{next->policy.generation(), static_cast<u64>(blocked.count()), warning_};
}

void Installer::flip(const InstalledPolicy* next) {
  slot_.flip(next);
  if (flipped) flipped(next);
}

std::string Installer::policy_name() const {
  const InstalledPolicy* policy = slot_.current();
  return policy == nullptr ? std::string{} : std::string(policy->policy.name());
}

// Every worker has left the policy before, and a shadow that it alone named.
void Installer::settle() {
  if (slot_.current()->shadow == nullptr) shadow_.reset();
  if (replaced) replaced();
}

bool Installer::spare_is_free() {
  if (awaiting_) {
    if (!slot_.all_announced(config_.workers, slot_.current())) return false;
    awaiting_ = false;
    settle();
  }
  return !readers_done || readers_done();
}

// Fills the spare slot; it becomes the current one by name only, since nobody sees it before the flip.
std::expected<const InstalledPolicy*, Refusal> Installer::prepare(Mapping& memory, bool force) {
  const auto policy = verify(memory.bytes());
  if (!policy)
    return std::unexpected(refused(std::string(policy.error().section), std::string(policy.error().sentence)));
  const InstalledPolicy* const before = slot_.current();
  const u64 current = before == nullptr ? 0 : before->policy.generation();
  const u64 next = policy->generation();
  if (next == 0) return std::unexpected(refused("header", "generation 0 means that there is none"));
  if (next == current || (next < current && !force))
    return std::unexpected(refused("header", fmt::format("generation {} is not above {}, which is in force{}", next,
                                                         current, next < current ? " (--force takes it back)" : "")));
  auto warning = compare_ports(*policy);
  if (!warning) return std::unexpected(warning.error());
  auto scan = InstalledScan::make(*policy, config_.workers, config_.inspect_reading,
                                  before == nullptr ? nullptr : &slots_[current_].scan);
  if (!scan) return std::unexpected(refused("patterns", scan.error()));
  std::expected<std::span<const AccountSeat>, Error> seats;
  if (open_accounts) seats = open_accounts(*policy);
  if (!seats) return std::unexpected(Refusal{door::Result::busy, "", seats.error().sentence});
  warning_ = *warning;
  if (const auto budgets = policy->view().budgets.size(); budgets != 0 && seats->empty())
    warning_ += fmt::format("{}NO LEDGER IS OPEN: all that {} budgets cover is denied", warning_.empty() ? "" : "; ",
                            budgets);
  current_ ^= 1;
  Slot& spare = slots_[current_];
  spare.face = 0;
  InstalledPolicy& installed = spare.faces[0].emplace(bind(*policy));
  installed.installation = ++installations_;
  installed.shadow = shadow_beside(*policy);
  if (shadow_ && installed.shadow == nullptr)
    warning_ += fmt::format("{}the shadow, generation {}, has ended: what comes into force has its rules or its number",
                            warning_.empty() ? "" : "; ", shadow_->installed->generation);
  spare.memory = std::move(memory);  // swaps: the old image goes with `memory`
  spare.limit_rates.assign(policy->view().limits.size(), {});
  write_limit_rates(*policy, spare.limit_rates);
  spare.seats.assign(seats->begin(), seats->end());
  installed.seats = spare.seats;
  installed.limit_rates = spare.limit_rates;
  spare.job_gates.clear();
  for (const image::Job& job : policy->jobs()) spare.job_gates.push_back(&gate(policy->text(job.name)));
  installed.job_gates = spare.job_gates;
  spare.scan = std::move(*scan);
  spare.scan.lend_to(installed);
  if (config_.tally != nullptr) installed.hits = config_.tally->open(current_, *policy);
  return &installed;
}

InstalledPolicy Installer::bind(const Policy& policy) const {
  return bind_ports(policy, std::vector<std::string_view>(config_.port_names.begin(), config_.port_names.end()));
}

bool Installer::seal_job(std::string_view name, bool seals) {
  const InstalledPolicy* const installed = slot_.current();
  if (installed == nullptr) return false;
  const auto is_it = [&](const image::Job& job) { return installed->policy.text(job.name) == name; };
  if (std::ranges::none_of(installed->policy.jobs(), is_it)) return false;
  seals ? gate(name).seal() : gate(name).open();
  return true;
}

std::optional<u32> Installer::port_named(std::string_view name) const {
  for (u32 port = 0; port < config_.port_names.size(); ++port)
    if (config_.port_names[port] == name) return port;
  return std::nullopt;
}

bool Installer::cut_port(std::string_view name) {
  const auto port = port_named(name);
  return port && config_.quarantine->cut_off(*port, ports_max);
}

bool Installer::release_port(std::string_view name) {
  const auto port = port_named(name);
  return port && config_.quarantine->release(*port);
}

std::string Installer::quarantined() const {
  std::string names;
  for (u32 port = 0; port < config_.port_names.size(); ++port)
    if ((config_.quarantine->ports() >> port & 1) != 0)
      names += (names.empty() ? "" : ", ") + config_.port_names[port];
  return names;
}

// A warning, or with strict_ports a refusal, when a policy attaches to a port that this process does not have.
std::expected<std::string, Refusal> Installer::compare_ports(const Policy& policy) const {
  std::string missing;
  const auto ports = policy.view().port_classes.first(policy.view().port_classes_count);
  for (const auto& row : ports.subspan(1)) {  // class 0: unattached
    const std::string_view pattern = policy.text(row.pattern);
    const bool is_prefix = row.kind == image::ClassKind::prefix;
    const auto is_here = [&](const std::string& name) { return matches(name, pattern, is_prefix); };
    if (std::ranges::any_of(config_.port_names, is_here)) continue;
    missing += fmt::format("{}`{}{}`", missing.empty() ? "" : ", ", pattern, is_prefix ? "*" : "");
  }
  if (missing.empty()) return std::string{};
  const std::string sentence = fmt::format("no port here is called {} (--name PORT=NAME)", missing);
  if (config_.strict_ports) return std::unexpected(refused("port_classes", sentence));
  return sentence;
}

}  // namespace weir::edge
