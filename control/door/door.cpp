#include "control/door/door.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace weir::control {
namespace {

using Kind = DoorFailure::Kind;

constexpr std::size_t descriptors_max = 4;

DoorFailure failure_of(const std::string& what) {
  const Kind kind = errno == EACCES || errno == EPERM ? Kind::not_permitted : Kind::unreachable;
  return {kind, what + ": " + std::strerror(errno)};
}

DoorFailure other_version() { return {Kind::unreachable, "the answer is not one of this version of the door"}; }

bool send_request(int door, const door::Request& request, std::span<const int> descriptors) {
  iovec part{const_cast<door::Request*>(&request), sizeof request};
  alignas(cmsghdr) char control[CMSG_SPACE(descriptors_max * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  // A process that was stopped for a while finds its timed waits interrupted (signal(7)).
  ssize_t sent = 0;
  do sent = sendmsg(door, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == ssize_t{sizeof request};
}

template <class Message>
std::expected<Message, DoorFailure> receive(int door) {
  Message message{};
  ssize_t bytes = 0;
  do bytes = recv(door, &message, sizeof message, 0);
  while (bytes < 0 && errno == EINTR);
  if (bytes < 0) return std::unexpected(failure_of("no answer"));
  if (bytes != ssize_t{sizeof message} || message.magic != door::magic_value) return std::unexpected(other_version());
  return message;
}

}  // namespace

std::expected<door::Request, DoorFailure> door_request(door::Act act, std::string_view name) {
  door::Request request{};
  request.magic = door::magic_value;
  request.version = door::version_value;
  request.act = act;
  if (name.size() >= sizeof request.name)
    return std::unexpected(
        DoorFailure{Kind::usage, fmt::format("a name has at most {} letters", sizeof request.name - 1)});
  name.copy(request.name, name.size());
  return request;
}

std::expected<u32, std::string> trial_ms(std::string_view text) {
  struct Unit {
    std::string_view name;
    u64 ms;
  };
  constexpr Unit units[] = {{"ms", 1},       {"s", 1'000},     {"m", 60'000},
                            {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  u64 number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, text.data() + text.size());
  for (const Unit& one : units)
    if (fault == std::errc() && one.name == unit && number != 0 && number <= door::confirm_within_ms_max / one.ms)
      return static_cast<u32>(number * one.ms);
  return std::unexpected(fmt::format("a time to confirm is a number and s, m, h or d, at most 7d: not `{}`", text));
}

std::expected<Door, DoorFailure> Door::reach(const std::string& path, int wait_s) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return std::unexpected(DoorFailure{Kind::usage, path + ": too long a path"});
  path.copy(address.sun_path, path.size());
  Descriptor door(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const timeval wait{wait_s, 0};
  setsockopt(door.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  setsockopt(door.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  int connected = 0;
  do connected = connect(door.get(), name, sizeof address);
  while (connected != 0 && errno == EINTR);
  if (connected != 0) return std::unexpected(failure_of("door " + path));
  return Door(std::move(door), path);
}

std::expected<DoorAnswer, DoorFailure> Door::ask(const door::Request& request, std::span<const int> descriptors) {
  if (descriptors.size() > descriptors_max) return std::unexpected(DoorFailure{Kind::usage, "too many descriptors"});
  if (!send_request(socket_.get(), request, descriptors)) return std::unexpected(failure_of("door " + path_));
  const auto answer = receive<door::Answer>(socket_.get());
  if (!answer) return std::unexpected(answer.error());
  if (answer->version != door::version_value || answer->result > door::Result::busy)
    return std::unexpected(other_version());
  DoorAnswer told{*answer, {}, {}, {}};
  if (!told.is_done()) return told;
  std::expected<void, DoorFailure> rest;
  if (request.act == door::Act::members || request.act == door::Act::alarms) rest = receive_pairs(told);
  if (request.act == door::Act::status) rest = receive_status(told);
  if (!rest) return std::unexpected(rest.error());
  return told;
}

std::expected<void, DoorFailure> Door::receive_status(DoorAnswer& told) {
  if (told.answer.reasons_table != door::reasons_table_value)
    return std::unexpected(DoorFailure{
        Kind::unreachable, "the dataplane's table of reasons is not this command's: use the `weir` it came with"});
  if (told.answer.workers > workers_max || told.answer.budgets > door::budgets_shown_max)
    return std::unexpected(other_version());
  for (u32 worker = 0; worker < told.answer.workers; ++worker) {
    const auto part = receive<door::WorkerStatus>(socket_.get());
    if (!part) return std::unexpected(part.error());
    if (part->worker != worker) return std::unexpected(other_version());
    told.workers.push_back(*part);
  }
  for (u32 budget = 0; budget < told.answer.budgets; ++budget) {
    const auto part = receive<door::BudgetStatus>(socket_.get());
    if (!part) return std::unexpected(part.error());
    told.budgets.push_back(*part);
  }
  return {};
}

std::expected<void, DoorFailure> Door::receive_pairs(DoorAnswer& told) {
  if (told.answer.pairs > door::pairs_shown_max) return std::unexpected(other_version());
  while (told.pairs.size() < told.answer.pairs) {
    const auto part = receive<door::PairStatuses>(socket_.get());
    if (!part) return std::unexpected(part.error());
    if (part->count == 0 || part->count > told.answer.pairs - told.pairs.size() ||
        part->count > door::pairs_per_message)
      return std::unexpected(other_version());
    told.pairs.insert(told.pairs.end(), part->pairs, part->pairs + part->count);
  }
  return {};
}

std::string door_text(std::span<const char> room) {
  std::string text(room.data(), strnlen(room.data(), room.size()));
  for (char& letter : text)
    if (letter < ' ' || letter > '~') letter = '?';
  return text;
}

nlohmann::ordered_json shadow_json(const door::Answer& answer) {
  if (answer.shadow_generation == 0) return nullptr;
  return {{"generation", answer.shadow_generation}, {"policy", door_text(answer.shadow_name)},
          {"since_s", answer.shadow_s},             {"compared", answer.shadow_compared},
          {"would_pass", answer.shadow_would_pass}, {"would_deny", answer.shadow_would_deny},
          {"untold", answer.shadow_untold}};
}

std::string refusal_text(const door::Answer& answer) {
  const std::string section = door_text(answer.section);
  return fmt::format("{}{}{}{}", answer.result == door::Result::busy ? "busy: " : "refused: ", section,
                     section.empty() ? "" : ": ", door_text(answer.sentence));
}

}  // namespace weir::control
