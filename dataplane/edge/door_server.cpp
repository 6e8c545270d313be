#include "dataplane/edge/door_server.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace weir::edge {
namespace {

constexpr std::size_t clients_max = 8;
constexpr int poll_ms = 50, poll_showing_ms = 2;
constexpr auto flush_wait_max = std::chrono::seconds(5);

template <std::size_t room>
void write_text(char (&into)[room], std::string_view text) {
  const std::size_t bytes = std::min(text.size(), room - 1);
  std::copy_n(text.data(), bytes, into);
  into[bytes] = '\0';
}

template <class Message>
bool send_message(int client, const Message& message) {
  return send(client, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT) == ssize_t{sizeof message};
}

// Listening at `path`, seen by its owner only from the first moment on.
std::expected<int, Error> listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return std::unexpected(Error{fmt::format("door {}: longer than {} bytes", path, sizeof address.sun_path - 1)});
  path.copy(address.sun_path, path.size());
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  struct stat facts{};
  if (lstat(path.c_str(), &facts) == 0 && S_ISSOCK(facts.st_mode)) {
    const int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const bool is_served = connect(probe, name, sizeof address) == 0 || errno != ECONNREFUSED;
    close(probe);
    if (is_served) return std::unexpected(Error{"door " + path + ": another process serves it"});
    unlink(path.c_str());
  }
  const int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const mode_t mask = umask(0177);
  const bool is_open = listener >= 0 && bind(listener, name, sizeof address) == 0 && listen(listener, clients_max) == 0;
  umask(mask);
  if (is_open) return listener;
  const Error error = system_error("door " + path);
  close(listener);
  return std::unexpected(error);
}

}  // namespace

std::expected<std::unique_ptr<DoorServer>, Error> DoorServer::open(const std::string& path, Installer& installer,
                                                                   FlushBell& bell, const StatsSegment& stats,
                                                                   Keeper* keeper, JobDesk& jobs, FlowDesk& flows,
                                                                   const Restart& restart, Fallback& fallback,
                                                                   Quarantine& quarantine, MirrorDesk& mirrors,
                                                                   const OrdinaryCores& ordinary,
                                                                   const LiveClock& clock) {
  const auto listener = listen_at(path);
  if (!listener) return std::unexpected(listener.error());
  return std::unique_ptr<DoorServer>(
      new DoorServer(*listener, path, installer, bell, stats, keeper, jobs, flows, restart, fallback, quarantine,
                     mirrors, ordinary, clock));
}

DoorServer::DoorServer(int listener, std::string path, Installer& installer, FlushBell& bell, const StatsSegment& stats,
                       Keeper* keeper, JobDesk& jobs, FlowDesk& flows, const Restart& restart, Fallback& fallback,
                       Quarantine& quarantine, MirrorDesk& mirrors, const OrdinaryCores& ordinary,
                       const LiveClock& clock)
    : listener_(listener),
      path_(std::move(path)),
      installer_(installer),
      bell_(bell),
      stats_(stats),
      keeper_(keeper),
      jobs_(jobs),
      flows_(flows),
      restart_(restart),
      fallback_(fallback),
      quarantine_(quarantine, stats),
      shadow_(installer, stats),
      mirrors_(mirrors),
      clock_(clock) {
  thread_ = std::thread([this, ordinary] { ordinary.enter(), serve(); });
}

DoorServer::~DoorServer() {
  stop_.store(true, std::memory_order_relaxed);
  shutdown(listener_, SHUT_RDWR);  // wakes the thread: a restart does not wait for it
  thread_.join();
  mirrors_.close();
  for (const int client : clients_) close(client);
  close(listener_);
  unlink(path_.c_str());
}

void DoorServer::serve() {
  while (!stop_.load(std::memory_order_relaxed)) {
    // Who is shown packets and has said that it is enough is asked for nothing more.
    std::vector<pollfd> waited{{listener_, POLLIN, 0}};
    for (const int client : clients_) waited.push_back({mirrors_.is_ending(client) ? -1 : client, POLLIN, 0});
    jobs_.listen();
    fallback_.attend();
    if (const auto shown = mirrors_.attend()) {
      leave(*shown);
      continue;
    }
    if (poll(waited.data(), waited.size(), mirrors_.is_on() ? poll_showing_ms : poll_ms) <= 0) continue;
    for (std::size_t i = 1; i < waited.size(); ++i) {
      if (waited[i].revents == 0) continue;
      if (mirrors_.is_of(waited[i].fd)) mirrors_.heed();
      else if (!serve_one(waited[i].fd)) leave(waited[i].fd);
    }
    if (waited[0].revents != 0) take_client();
  }
}

void DoorServer::leave(int client) {
  close(client);
  std::erase(clients_, client);
}

void DoorServer::take_client() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client < 0) return;
  clients_.push_back(client);
  if (clients_.size() <= clients_max) return;
  // Whoever came first and lingers makes room: nobody can keep the door shut. Who is shown packets lingers by order,
  // and not for long.
  leave(*std::ranges::find_if(clients_, [&](int one) { return !mirrors_.is_of(one); }));
}

// One request; false when the connection is over.
bool DoorServer::serve_one(int client) {
  const DoorMessage message = DoorMessage::receive(client);
  if (message.state() == DoorMessage::State::over) return false;
  if (message.state() == DoorMessage::State::none) return true;
  if (message.state() == DoorMessage::State::malformed)
    return send_message(client, refuse({door::Result::malformed, "request", message.fault()}));
  const door::Request& request = message.request();
  switch (request.act) {
    case door::Act::install: return send_message(client, install(request, message.descriptors()));
    case door::Act::confirm: return send_message(client, confirm(request));
    case door::Act::flush: return send_message(client, flush());
    case door::Act::seal_job:
    case door::Act::open_job: return send_message(client, seal(request));
    case door::Act::cut_port:
    case door::Act::release_port: return send_message(client, cut(request));
    case door::Act::quarantine:
    case door::Act::let_go:
    case door::Act::quarantined: return send_message(client, quarantine(request, message.descriptors()));
    case door::Act::export_lessons:
    case door::Act::import_lessons: return send_message(client, teach(request, message.descriptors()));
    case door::Act::shadow:
    case door::Act::end_shadow: return send_message(client, shadow(request, message.descriptors()));
    case door::Act::flows:
    case door::Act::image:
    case door::Act::shadow_image: return send_message(client, tell_flows(request, message.descriptors()));
    case door::Act::mirror: return send_message(client, mirror(client, message.descriptors()));
    case door::Act::members:
    case door::Act::alarms: return send_pairs(client, request);
    case door::Act::status: return send_status(client);
  }
  return false;
}

door::Answer DoorServer::confirm(const door::Request& request) {
  const auto confirmed = fallback_.confirm(request.generation);
  return confirmed ? answer(door::Result::done) : refuse(confirmed.error());
}

door::Answer DoorServer::install(const door::Request& request, std::span<const int> descriptors) {
  const auto result = fallback_.install(request, descriptors);
  door::Answer reply = answer(result ? door::Result::done : result.error().result);
  if (result) {
    reply.blocked_us = result->blocked_us;
    write_text(reply.sentence, result->warning);
  } else {
    write_text(reply.section, result.error().section);
    write_text(reply.sentence, result.error().sentence);
    fmt::print(stderr, "weir-dataplane: image refused: {}: {}\n", result.error().section, result.error().sentence);
  }
  return reply;
}

door::Answer DoorServer::shadow(const door::Request& request, std::span<const int> descriptors) {
  std::expected<std::string, Refusal> done;
  if (request.act == door::Act::shadow) done = shadow_.put(descriptors);
  else if (const auto ended = shadow_.end(); !ended) done = std::unexpected(ended.error());
  if (!done) return refuse(done.error());
  door::Answer reply = answer(door::Result::done);
  write_text(reply.sentence, *done);
  return reply;
}

door::Answer DoorServer::flush() {
  u64 live = 0;
  for (u32 worker = 0; worker < stats_.workers(); ++worker) live += stats_.counters(worker).flows_live.read();
  const u64 request = bell_.ring();
  const auto deadline = std::chrono::steady_clock::now() + flush_wait_max;
  while (!bell_.done(stats_.workers(), request)) {
    if (std::chrono::steady_clock::now() > deadline) {
      door::Answer late = answer(door::Result::busy);
      write_text(late.sentence, "not every worker has emptied its table yet");
      return late;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  door::Answer reply = answer(door::Result::done);
  reply.flows_flushed = static_cast<u32>(live);
  return reply;
}

door::Answer DoorServer::tell_flows(const door::Request& request, std::span<const int> descriptors) {
  if (descriptors.size() != 1)
    return refuse({door::Result::refused, "request", "flows and images come by exactly one descriptor"});
  door::Answer reply = answer(door::Result::done);
  if (request.act != door::Act::flows) {
    const auto told = request.act == door::Act::image ? flows_.write_image(descriptors[0])
                                                      : flows_.write_shadow_image(descriptors[0]);
    return told ? reply : refuse(told.error());
  }
  const auto told = flows_.write_flows(descriptors[0]);
  if (!told) return refuse(told.error());
  reply.pairs = told->rows;
  reply.pairs_unnamed = told->not_shown;
  return reply;
}

door::Answer DoorServer::mirror(int client, std::span<const int> descriptors) {
  if (descriptors.size() != 1)
    return refuse({door::Result::refused, "request", "what is to be shown comes by exactly one descriptor"});
  const auto begun = mirrors_.begin(client, descriptors[0]);
  return begun ? answer(door::Result::done) : refuse(begun.error());
}

door::Answer DoorServer::refuse(const Refusal& refusal) {
  door::Answer reply = answer(refusal.result);
  write_text(reply.section, refusal.section);
  write_text(reply.sentence, refusal.sentence);
  return reply;
}

door::Answer DoorServer::teach(const door::Request& request, std::span<const int> descriptors) {
  if (descriptors.size() != 1)
    return refuse({door::Result::refused, "request", "lessons come and go by exactly one descriptor"});
  const auto taken = request.act == door::Act::export_lessons ? jobs_.export_to(descriptors[0], name_in(request))
                                                              : jobs_.import_from(descriptors[0], name_in(request));
  if (!taken) return refuse(taken.error());
  door::Answer reply = answer(door::Result::done);
  reply.pairs = *taken;
  return reply;
}

bool DoorServer::send_pairs(int client, const door::Request& request) {
  door::Answer reply = answer(door::Result::done);
  const auto pairs = request.act == door::Act::alarms ? jobs_.alarms(reply) : jobs_.members(name_in(request), reply);
  if (!pairs) return send_message(client, refuse(pairs.error()));
  if (!send_message(client, reply)) return false;
  for (std::size_t at = 0; at < pairs->size(); at += door::pairs_per_message) {
    door::PairStatuses message{};
    message.magic = door::magic_value;
    message.count = static_cast<u32>(std::min<std::size_t>(pairs->size() - at, door::pairs_per_message));
    std::copy_n(pairs->begin() + static_cast<std::ptrdiff_t>(at), message.count, message.pairs);
    if (!send_message(client, message)) return false;
  }
  return true;
}

door::Answer DoorServer::seal(const door::Request& request) {
  if (installer_.seal_job(name_in(request), request.act == door::Act::seal_job)) return answer(door::Result::done);
  door::Answer reply = answer(door::Result::refused);
  write_text(reply.section, "job");
  write_text(reply.sentence, "the policy in force has no job of this name");
  return reply;
}

door::Answer DoorServer::cut(const door::Request& request) {
  const bool cuts = request.act == door::Act::cut_port;
  if (!(cuts ? installer_.cut_port(name_in(request)) : installer_.release_port(name_in(request))))
    return refuse({door::Result::refused, "port",
                   cuts ? "there is no port of this name" : "no port of this name is in quarantine"});
  door::Answer reply = answer(door::Result::done);
  write_text(reply.quarantined, quarantined());
  return reply;
}

door::Answer DoorServer::quarantine(const door::Request& request, std::span<const int> descriptors) {
  if (descriptors.size() != 1)
    return refuse({door::Result::refused, "request", "hosts and flows come and go by exactly one descriptor"});
  u32 rows = 0;
  if (request.act == door::Act::quarantined) {
    const auto told = quarantine_.write_rows(descriptors[0]);
    if (!told) return refuse(told.error());
    rows = *told;
  } else {
    const auto done = request.act == door::Act::quarantine ? quarantine_.put(descriptors[0])
                                                           : quarantine_.let_go(descriptors[0]);
    if (!done) return refuse(done.error());
  }
  door::Answer reply = answer(door::Result::done);
  reply.pairs = rows;
  write_text(reply.quarantined, quarantined());
  return reply;
}

// Ports by name, hosts and flows by how many.
std::string DoorServer::quarantined() const {
  const std::string ports = installer_.quarantined(), others = quarantine_.summary();
  return ports + (ports.empty() || others.empty() ? "" : ", ") + others;
}

door::Answer DoorServer::answer(door::Result result) {
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
  door::Answer reply{};
  reply.magic = door::magic_value;
  reply.version = door::version_value;
  reply.result = result;
  reply.generation = stats_.header().generation.read();
  reply.uptime_s = static_cast<u64>(uptime.count());
  reply.reasons_table = door::reasons_table_value;
  reply.now = clock_.now();
  write_text(reply.policy_name, installer_.policy_name());
  if (const InstalledPolicy* current = installer_.current()) reply.monitor_until = current->policy.monitor_until();
  fallback_.describe(reply);
  restart_.describe(reply);
  shadow_.describe(reply);
  return reply;
}

bool DoorServer::send_status(int client) {
  const LedgerStatus ledger = keeper_ == nullptr ? LedgerStatus{} : keeper_->status();
  door::Answer reply = answer(door::Result::done);
  reply.workers = stats_.workers();
  reply.ledger = ledger.state;
  reply.budgets = static_cast<u32>(ledger.budgets.size());
  reply.budgets_in_force = ledger.budgets_count;
  write_text(reply.ledger_sentence, ledger.sentence);
  write_text(reply.quarantined, quarantined());
  write_text(reply.links_down, stats_.links_down());
  if (!send_message(client, reply) || !send_workers(client)) return false;
  for (const BudgetLine& line : ledger.budgets) {
    door::BudgetStatus status{door::magic_value, 0, line.length_s, line.limit, line.spent, line.leased, {}};
    write_text(status.name, line.name);
    if (!send_message(client, status)) return false;
  }
  return true;
}

bool DoorServer::send_workers(int client) const {
  for (u32 worker = 0; worker < stats_.workers(); ++worker) {
    const WorkerCounters& counters = stats_.counters(worker);
    door::WorkerStatus status{};
    status.magic = door::magic_value;
    status.worker = worker;
    status.received = counters.received.read();
    status.handed_over = counters.handed_over.read();
    status.unsent = counters.unsent.read();
    status.flows_live = counters.flows_live.read();
    status.flows_opened = counters.flows_opened.read();
    status.flows_expired = counters.flows_expired.read();
    status.flows_judged_again = counters.flows_judged_again.read();
    status.flows_revoked = counters.flows_revoked.read();
    status.rdma_alarms = counters.rdma_alarms.read();
    status.job_alarms = counters.job_alarms.read();
    status.sweep_judged = counters.sweep_judged.read();
    status.sweep_us = counters.sweep_us.read();
    if (const u64 began = counters.sweep_began.read(); began != 0)
      status.sweep_running_us = std::max(counters.heartbeat.read(), began + 1) - began;
    for (std::size_t reason = 0; reason < reasons_count; ++reason) {
      status.packets[reason] = counters.reasons[reason].packets.read();
      status.bytes[reason] = counters.reasons[reason].bytes.read();
    }
    if (!send_message(client, status)) return false;
  }
  return true;
}

}  // namespace weir::edge
