// Any messages as a dataplane's answer, any file as the flows it tells, and any message as a packet that it shows: what
// is taken for an answer keeps to its bounds and can be shown, what is not is a failure with a sentence. Nothing is
// waited for.
#include "control/see/door_view.hpp"
#include "control/see/flow_line.hpp"
#include "control/see/mirror_text.hpp"
#include "control/see/mirror_view.hpp"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

using namespace weir;

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

struct Bytes {
  std::span<const std::uint8_t> rest;

  std::size_t number(std::size_t below) {
    std::uint16_t two = 0;
    const auto piece = take(sizeof two);
    std::memcpy(&two, piece.data(), piece.size());
    return two % below;
  }
  std::span<const std::uint8_t> take(std::size_t count) {
    const auto piece = rest.first(std::min(count, rest.size()));
    rest = rest.subspan(piece.size());
    return piece;
  }
};

template <class Message>
void send_filled(int end, Bytes& bytes, Message message) {
  const std::size_t from = bytes.number(sizeof message);
  const auto piece = bytes.take(bytes.number(64));
  std::memcpy(reinterpret_cast<char*>(&message) + from, piece.data(), std::min(piece.size(), sizeof message - from));
  const std::size_t cut = bytes.number(16) == 1 ? 1 : 0;
  (void)!send(end, &message, sizeof message - cut, MSG_DONTWAIT | MSG_NOSIGNAL);
}

// What comes: whole messages with some bytes changed, in whatever order, and then the end.
void fill(int end, Bytes& bytes) {
  door::Answer answer{};
  answer.magic = door::magic_value, answer.version = door::version_value;
  answer.reasons_table = door::reasons_table_value;
  answer.workers = static_cast<u32>(bytes.number(3)), answer.budgets = static_cast<u32>(bytes.number(3));
  answer.pairs = static_cast<u32>(bytes.number(130));
  send_filled(end, bytes, answer);
  door::WorkerStatus worker{};
  door::BudgetStatus budget{};
  worker.magic = budget.magic = door::magic_value;
  for (int count = 0; count < 8 && !bytes.rest.empty(); ++count) switch (bytes.number(4)) {
      case 0: send_filled(end, bytes, worker), ++worker.worker; break;
      case 1: send_filled(end, bytes, budget); break;
      case 2: {
        door::PairStatuses pairs{};
        pairs.magic = door::magic_value, pairs.count = static_cast<u32>(bytes.number(door::pairs_per_message + 2));
        send_filled(end, bytes, pairs);
        break;
      }
      default: {
        const auto piece = bytes.take(bytes.number(6000));
        (void)!send(end, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      }
    }
}

void answers(Bytes& bytes) {
  int ends[2];
  must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  constexpr door::Act acts[] = {door::Act::status, door::Act::members, door::Act::alarms, door::Act::install};
  const auto request = control::door_request(acts[bytes.number(std::size(acts))]);
  must(request.has_value());
  fill(ends[1], bytes);
  shutdown(ends[1], SHUT_WR);
  control::Door door = control::Door::over(Descriptor(ends[0]), "door");
  const auto told = door.ask(*request);
  close(ends[1]);
  if (!told) return must(!told.error().sentence.empty());
  must(told->workers.size() <= workers_max && told->budgets.size() <= door::budgets_shown_max);
  must(told->pairs.size() <= door::pairs_shown_max);
  if (told->is_done() && request->act == door::Act::status)
    must(told->workers.size() == told->answer.workers && told->budgets.size() == told->answer.budgets);
  if (!told->is_done()) must(!control::refusal_text(told->answer).empty());
  for (const char letter : control::door_text(told->answer.quarantined)) must(letter >= ' ' && letter <= '~');
  for (const door::BudgetStatus& one : told->budgets) (void)control::door_text(one.name);
}

void flows(Bytes& bytes) {
  const Descriptor file(memfd_create("flows", MFD_CLOEXEC));
  door::FlowsHeader header{};
  header.magic = door::flows_magic, header.row_bytes = sizeof(door::FlowRow), header.rows = bytes.number(8);
  const std::size_t from = bytes.number(sizeof header);
  const auto piece = bytes.take(bytes.number(64));
  std::memcpy(reinterpret_cast<char*>(&header) + from, piece.data(), std::min(piece.size(), sizeof header - from));
  must(write(file.get(), &header, sizeof header) == ssize_t{sizeof header});
  must(write(file.get(), bytes.rest.data(), bytes.rest.size()) == static_cast<ssize_t>(bytes.rest.size()));
  const auto told = see::read_flows(file.get());
  if (!told) return must(!told.error().sentence.empty());
  must(told->rows.size() * sizeof(door::FlowRow) <= bytes.rest.size() && told->port_names.size() <= ports_max);
  for (const door::FlowRow& row : told->rows)
    must(!see::flow_json(row, see::facts_of(row, nullptr), nullptr).dump(-1, ' ', false).empty());
}

// A packet as it is shown, some of its bytes changed.
void shown(Bytes& bytes) {
  auto made = std::make_unique<Mirrored>();
  std::memset(static_cast<void*>(made.get()), 0, sizeof *made);
  made->magic = mirrored_magic, made->has_stages = 1;
  made->bytes = static_cast<u16>(bytes.number(Mirrored::bytes_max + 2));
  made->frame_bytes = made->bytes;
  const std::size_t length = mirrored_head_bytes + made->bytes + (bytes.number(16) == 1 ? 1 : 0);
  for (int change = 0; change < 8 && !bytes.rest.empty(); ++change) {
    const std::size_t from = bytes.number(mirrored_head_bytes);
    const auto piece = bytes.take(bytes.number(8));
    std::memcpy(reinterpret_cast<char*>(made.get()) + from, piece.data(), piece.size());
  }
  const auto* const message = reinterpret_cast<const std::byte*>(made.get());
  auto read = std::make_unique<Mirrored>();
  if (!see::read_mirrored({message, std::min(length, sizeof *made)}, *read)) return;
  must(read->bytes <= Mirrored::bytes_max && read->bytes <= read->frame_bytes);
  const std::vector<std::string> ports{"pf0hpf"};
  const see::MirrorNames names{nullptr, ports};
  must(!see::comment_text(*read, names).empty() && !see::ends_text(*read, names).empty());
  must(see::stages_of(*read, names).size() >= 4 && !see::trace_json(*read, names).dump().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Bytes bytes{{data + 1, size - 1}};
  data[0] % 3 == 0 ? answers(bytes) : data[0] % 3 == 1 ? flows(bytes) : shown(bytes);
  return 0;
}
