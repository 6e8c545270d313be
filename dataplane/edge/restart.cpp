#include "dataplane/edge/restart.hpp"

#include "dataplane/edge/quarantine_desk.hpp"

#include "dataplane/policy/image.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace weir::edge {
namespace {

void say_it(const std::string& sentence) { fmt::print(stderr, "weir-dataplane: {}\n", sentence); }

std::string boot_id_of_machine() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

// Of every port what it is and what it is called: flows of one wire are nothing on another (FNV-1a).
u64 mark_of(const Ports& ports) {
  u64 mark = 0xcbf2'9ce4'8422'2325;
  for (const Port& port : ports.all())
    for (const std::string* text : {&port.device, &port.name, &port.interface})
      for (const char letter : *text + '\n') mark = (mark ^ static_cast<u8>(letter)) * 0x100'0000'01b3;
  return mark;
}

// The header of an image that was not verified: only to be compared.
image::Header header_in(const std::string& path) {
  image::Header header{};
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return header;
  if (pread(file, &header, sizeof header, 0) != ssize_t{sizeof header}) header = {};
  close(file);
  return header;
}

std::span<const std::byte> bytes_of(const InstalledPolicy* installed) {
  if (installed == nullptr) return {};
  const image::Header* const header = installed->policy.view().header;
  return {reinterpret_cast<const std::byte*>(header), header->total_bytes};
}

void copy_into(std::span<std::byte> into, u64 at, std::span<const std::byte> bytes) {
  std::ranges::copy(bytes, into.subspan(at, bytes.size()).begin());
}

std::vector<KeptGate> gates_of(const Installer& installer, Tick now) {
  std::vector<KeptGate> gates;
  for (const auto& [name, gate] : installer.gates()) {
    KeptGate kept{{}, gate.began(), gate.is_sealed(now, 0)};
    if ((kept.began == 0 && kept.is_sealed == 0) || name.size() >= sizeof kept.job) continue;
    name.copy(kept.job, name.size());
    gates.push_back(kept);
  }
  return gates;
}

}  // namespace

u64 boot_time_us() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return static_cast<u64>(time.tv_sec) * 1'000'000 + static_cast<u64>(time.tv_nsec) / 1000;
}

Restart::Restart(const Options& options, const Ports& ports)
    : options_(options), ports_mark_(mark_of(ports)), boot_id_(boot_id_of_machine()) {
  if (options.keep_path.empty()) return;
  const image::Header given = header_in(options.policy_path);
  given_checksum_ = given.checksum;
  given_generation_ = given.generation;
  open(options.keep_path);
}

void Restart::open(const std::string& path) {
  if (getrandom(&self_, sizeof self_, 0) != ssize_t{sizeof self_}) return start_empty("no random number for this run");
  if (boot_id_.empty() || boot_id_.size() >= sizeof KeptHead::boot_id)
    return start_empty("the kernel does not tell one start from another");
  auto folder = KeepFolder::open(path);
  if (!folder) return start_empty(folder.error().sentence);
  auto left = folder->begin(self_);
  if (!left) return start_empty(left.error().sentence);
  folder_.emplace(std::move(*folder));
  if (!left->has_run && left->state.bytes().empty() && left->why.empty()) return;  // the first run here
  if (!left->why.empty()) return start_empty(left->why);
  if (left->state.bytes().empty()) return start_empty("the run before kept nothing: it did not stop cleanly");
  memory_ = std::move(left->state);
  const u32 pairs = static_cast<u32>(options_.pairs.size());
  auto state = read_kept(memory_.bytes(), {boot_id_, left->run, ports_mark_, pairs, boot_time_us()});
  if (!state) return start_empty("what the run before kept is not taken: " + state.error());
  state_.emplace(*state);
}

void Restart::start_empty(const std::string& why) {
  why_empty_ = why;
  say_it("STARTS EMPTY, without the flows of the run before: " + why);
}

Restart::Beginning Restart::beginning(bool can_confirm) const {
  if (!state_ || state_->policy.empty()) return {};
  const KeptHead& head = *state_->head;
  const bool has_trial = !state_->fallback.empty();
  const bool is_over = has_trial && (!can_confirm || boot_time_us() * 1000 >= head.trial_ends_ns);
  const std::span<const std::byte> image = is_over ? state_->fallback : state_->policy;
  image::Header header{};
  if (image.size() < sizeof header) return {};
  std::memcpy(&header, image.data(), sizeof header);
  if (given_checksum_ != head.given_checksum && given_generation_ > header.generation) return {};
  if (!has_trial || is_over) return {image, {}};
  return {image, AwaitedTrial{state_->fallback, head.awaited_generation, std::chrono::nanoseconds(head.trial_ends_ns),
                              std::string_view(head.breakglass, strnlen(head.breakglass, sizeof head.breakglass))}};
}

void Restart::restore(Installer& installer, Quarantine& quarantine, Tick now) const {
  if (!state_) return;
  for (u32 port = 0; port < ports_max; ++port)
    if ((state_->head->quarantined >> port & 1) != 0) quarantine.cut_off(port, ports_max);
  for (const door::QuarantineRow& row : state_->held) {
    const auto held = held_of(row, now);
    if (!held || !quarantine.list().put(*held, now)) say_it("SOMEBODY IN QUARANTINE IS LET GO: no place or no row");
  }
  for (const KeptGate& gate : state_->gates) {
    JobGate& mine = installer.gate(gate.job);
    if (gate.is_sealed != 0) mine.seal();
    else mine.lets_open(gate.began, 0);
  }
}

void Restart::put_in(const Cores& cores, const HashKey& secret, Tick now) {
  if (!state_) return;
  const u32 workers = static_cast<u32>(cores.size());
  const u64 since_us = boot_time_us() - state_->head->stopped_us;
  const u32 beats_since = static_cast<u32>(std::min<u64>(since_us >> beat_shift, 0xffff));
  std::vector<Keeping> keepings;
  for (const auto& core : cores) keepings.emplace_back(core->pipeline()).begin(now, state_->head->cookies_until);
  for (const KeptFlow& row : state_->flows) {
    FlowRecord record{};
    std::memcpy(static_cast<void*>(&record), row.record, sizeof record);
    switch (keepings[owner_of(hash_of(record.key, secret), workers)].put_in(row, beats_since)) {
      case Keeping::Fate::taken: ++taken_; break;
      case Keeping::Fate::passed: ++passed_; break;
      case Keeping::Fate::no_room: ++no_room_; break;
    }
  }
}

void Restart::worker_begins(u32 workers) {
  if (!state_ || begun_.fetch_add(1, std::memory_order_acq_rel) + 1 != workers) return;
  const u64 blocked_us = boot_time_us() - state_->head->stopped_us;
  blocked_us_.store(blocked_us, std::memory_order_relaxed);
  say_it(fmt::format("goes on with {} flows of the run before; {} were inspected and are not kept, {} found no room, "
                     "the time of {} had passed; blocked for {:.1f} ms",
                     taken_, state_->head->left_behind, no_room_, passed_, static_cast<double>(blocked_us) / 1000));
}

void Restart::keep(const Leaving& leaving) {
  if (!folder_) return;
  u64 flows = 0;
  for (const auto& core : leaving.cores) flows += core->live();
  KeptHead most{};
  most.flows = flows;
  most.policy_bytes = bytes_of(leaving.installer.current()).size();
  most.fallback_bytes = leaving.trial ? leaving.trial->image.size() : 0;
  most.held = static_cast<u32>(rows_of(leaving.quarantine.list(), leaving.now).size());
  most.gates = static_cast<u32>(leaving.installer.gates().size());
  const auto written =
      folder_->write(places_of(most).total, [&](std::span<std::byte> into) { return write(leaving, into); });
  if (!written) say_it("NOTHING IS KEPT for the next run: " + written.error().sentence);
}

u64 Restart::write(const Leaving& leaving, std::span<std::byte> into) const {
  const InstalledPolicy* const installed = leaving.installer.current();
  const std::vector<KeptGate> gates = gates_of(leaving.installer, leaving.now);
  KeptHead head{};
  head.magic = KeptHead::magic_value;
  head.layout = KeptHead::layout_value;
  head.row_bytes = sizeof(KeptFlow);
  boot_id_.copy(head.boot_id, sizeof head.boot_id - 1);
  head.run = self_;
  head.ports = ports_mark_;
  head.stopped_us = leaving.stopped_us;
  head.policy_bytes = bytes_of(installed).size();
  if (leaving.trial) {
    head.fallback_bytes = leaving.trial->image.size();
    head.awaited_generation = leaving.trial->awaited_generation;
    head.trial_ends_ns = static_cast<u64>(leaving.trial->ends.count());
    leaving.trial->breakglass.copy(head.breakglass, sizeof head.breakglass - 1);
  }
  head.given_checksum = given_checksum_;
  std::ranges::copy(leaving.cookie_secret.words, head.cookie_secret);
  const std::vector<door::QuarantineRow> held = rows_of(leaving.quarantine.list(), leaving.now);
  head.quarantined = leaving.quarantine.ports();
  head.held = static_cast<u32>(held.size());
  head.gates = static_cast<u32>(gates.size());
  head.workers = static_cast<u32>(leaving.cores.size());
  const KeptPlaces places = places_of(head);
  copy_into(into, places.gates, std::as_bytes(std::span(gates)));
  copy_into(into, places.held, std::as_bytes(std::span(held)));
  copy_into(into, places.policy, bytes_of(installed));
  if (leaving.trial) copy_into(into, places.fallback, leaving.trial->image);
  const auto room = into.subspan(places.flows);
  const std::span rows(reinterpret_cast<KeptFlow*>(room.data()), room.size() / sizeof(KeptFlow));
  for (const auto& core : leaving.cores) {
    Keeping keeping(core->pipeline());
    while (const u32 count = keeping.take_out(installed, leaving.now, rows.subspan(head.flows))) head.flows += count;
    head.left_behind += keeping.left_behind();
    head.cookies_until = std::max(head.cookies_until, keeping.cookies_until());
  }
  head.total_bytes = places_of(head).total;
  copy_into(into, 0, std::as_bytes(std::span(&head, 1)));
  head.checksum = kept_checksum(into.first(head.total_bytes));
  copy_into(into, 0, std::as_bytes(std::span(&head, 1)));
  return head.total_bytes;
}

void Restart::describe(door::Answer& answer) const {
  answer.restart_blocked_us = blocked_us_.load(std::memory_order_relaxed);
  answer.flows_kept = taken_;
  answer.flows_not_kept = state_ ? state_->head->left_behind + no_room_ : 0;
  answer.restart_sentence[why_empty_.copy(answer.restart_sentence, sizeof answer.restart_sentence - 1)] = '\0';
}

}  // namespace weir::edge
