#include "control/door/quarantine.hpp"

#include "dataplane/packet/key.hpp"
#include "dataplane/packet/numbers.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <optional>

namespace weir::control {
namespace {

constexpr std::size_t rows_max = 4096;  // more is no answer of a dataplane

std::optional<Address> address_in(std::string_view text) {
  const std::string whole(text);
  u8 wire[16];
  if (inet_pton(AF_INET, whole.c_str(), wire) == 1) return Address::ipv4(load<u32>(wire));
  if (inet_pton(AF_INET6, whole.c_str(), wire) != 1) return std::nullopt;
  const Address address = Address::ipv6(wire);
  return address.is_ipv4() ? std::nullopt : std::optional(address);
}

struct End {
  Address address;
  u16 port;
};

// "10.0.0.1:443", "[2001:db8::1]:443".
std::optional<End> end_in(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view number = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  else if (host.contains(':')) return std::nullopt;
  u16 port = 0;
  const auto [at, fault] = std::from_chars(number.data(), number.data() + number.size(), port);
  const auto address = address_in(host);
  if (fault != std::errc{} || at != number.data() + number.size() || !address) return std::nullopt;
  return End{*address, port};
}

u8 protocol_in(std::string_view word) {
  return word == "tcp" ? protocol_tcp : word == "udp" ? protocol_udp : word == "sctp" ? protocol_sctp : u8{0};
}

std::string address_text(const u64 (&words)[2]) {
  const Address address{words[0], words[1]};
  char text[INET6_ADDRSTRLEN] = {};
  if (address.is_ipv4()) {
    const auto wire = static_cast<u32>(address.low);
    inet_ntop(AF_INET, &wire, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, words, text, sizeof text);
  }
  return text;
}

std::string end_text(const u64 (&words)[2], u16 port) {
  const std::string host = address_text(words);
  return host.contains(':') ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

void set(u64 (&words)[2], const Address& address) { words[0] = address.high, words[1] = address.low; }

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::expected<Descriptor, DoorFailure> file_with(std::span<const std::byte> bytes) {
  Descriptor file(memfd_create("quarantine", MFD_CLOEXEC));
  const auto count = static_cast<ssize_t>(bytes.size());
  if (file.get() >= 0 && (count == 0 || pwrite(file.get(), bytes.data(), bytes.size(), 0) == count)) return file;
  return std::unexpected(DoorFailure{DoorFailure::Kind::usage, "no memory for a file to ask by"});
}

}  // namespace

std::expected<door::QuarantineRow, std::string> quarantine_row(std::string_view text) {
  door::QuarantineRow row{};
  row.magic = door::quarantine_magic;
  const std::string_view what = trimmed(text);
  if (const auto host = address_in(what)) {
    set(row.source, *host), set(row.target, *host);
    return row;
  }
  const std::size_t space = what.find(' '), arrow = what.find('>');
  if (space != std::string_view::npos && arrow != std::string_view::npos && space < arrow) {
    row.protocol = protocol_in(what.substr(0, space));
    const auto source = end_in(trimmed(what.substr(space, arrow - space)));
    const auto target = end_in(trimmed(what.substr(arrow + 1)));
    if (row.protocol != 0 && source && target) {
      set(row.source, source->address), set(row.target, target->address);
      row.source_port = source->port, row.target_port = target->port;
      return row;
    }
  }
  return std::unexpected("an address is wanted, or a flow as `tcp 10.0.0.1:40001 > 10.0.0.2:443`");
}

std::string quarantine_text(const door::QuarantineRow& row) {
  if (row.protocol == 0) return address_text(row.source);
  const char* const protocol = row.protocol == protocol_tcp ? "tcp" : row.protocol == protocol_udp ? "udp" : "sctp";
  return fmt::format("{} {} > {}", protocol, end_text(row.source, row.source_port),
                     end_text(row.target, row.target_port));
}

std::expected<DoorAnswer, DoorFailure> ask_quarantine(Door& door, door::Act act, const door::QuarantineRow& row) {
  const auto request = door_request(act);
  if (!request) return std::unexpected(request.error());
  const auto file = file_with(std::as_bytes(std::span(&row, 1)));
  if (!file) return std::unexpected(file.error());
  const int descriptor = file->get();
  return door.ask(*request, {&descriptor, 1});
}

std::expected<Quarantined, DoorFailure> ask_quarantined(Door& door) {
  const auto request = door_request(door::Act::quarantined);
  if (!request) return std::unexpected(request.error());
  const auto file = file_with({});
  if (!file) return std::unexpected(file.error());
  const int descriptor = file->get();
  auto told = door.ask(*request, {&descriptor, 1});
  if (!told) return std::unexpected(told.error());
  Quarantined made{std::move(*told), {}};
  if (!made.told.is_done()) return made;
  const std::size_t rows = made.told.answer.pairs;
  if (rows <= rows_max) made.rows.resize(rows);
  const std::size_t bytes = rows * sizeof(door::QuarantineRow);
  if (rows > rows_max || pread(descriptor, made.rows.data(), bytes, 0) != static_cast<ssize_t>(bytes))
    return std::unexpected(DoorFailure{DoorFailure::Kind::unreachable, "the dataplane's answer is not whole"});
  return made;
}

nlohmann::ordered_json quarantine_json(const Quarantined& quarantined) {
  nlohmann::ordered_json made = {{"result", "done"},
                                 {"generation", quarantined.told.answer.generation},
                                 {"quarantined", door_text(quarantined.told.answer.quarantined)},
                                 {"hosts", nlohmann::ordered_json::array()},
                                 {"flows", nlohmann::ordered_json::array()}};
  for (const door::QuarantineRow& row : quarantined.rows) {
    nlohmann::ordered_json left;
    if (row.left_ms != 0) left = static_cast<double>(row.left_ms) / 1000;
    if (row.protocol == 0) made["hosts"].push_back(quarantine_text(row));
    else made["flows"].push_back({{"flow", quarantine_text(row)}, {"left_s", left}});
  }
  return made;
}

}  // namespace weir::control
