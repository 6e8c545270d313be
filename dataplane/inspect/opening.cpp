#include "dataplane/inspect/opening.hpp"

#include "dataplane/inspect/nccl.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace weir {
namespace {

using Bytes = std::span<const u8>;

// Whether bytes are the beginning of a protocol. `maybe`: they do not say yet.
enum class Guess : u8 { no, maybe, yes };

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// substr() would throw, and find() ask the C library.
std::string_view first_of(std::string_view text, std::size_t count) {
  return {text.data(), std::min(text.size(), count)};
}

// Of as many as are there.
Guess begins_with(Bytes bytes, std::string_view beginning) {
  const std::size_t count = std::min(bytes.size(), beginning.size());
  if (text_of(bytes.first(count)) != first_of(beginning, count)) return Guess::no;
  return count == beginning.size() ? Guess::yes : Guess::maybe;
}

// {type 0, flags 0, 128, 0, 128 (LE32)}, version 0, alignment below 32, digests 0 to 3.
Guess guess_nvme_tcp(Bytes client) {
  using namespace std::string_view_literals;
  const Guess guess = begins_with(client, "\x00\x00\x80\x00\x80\x00\x00\x00\x00\x00"sv);
  if (guess != Guess::yes || client.size() < 12) return guess == Guess::no ? guess : Guess::maybe;
  return client[10] < 32 && client[11] < 4 ? Guess::yes : Guess::no;
}

// Record mark, transaction; call, RPC 2, NFS, its version, its procedure.
Guess guess_nfs(Bytes client) {
  using namespace std::string_view_literals;
  // Not longer than what a server takes, and the only fragment: both ends write the first call so.
  if (client.size() >= 2 && (client[0] != 0x80 || client[1] > 0x20)) return Guess::no;
  if (client.size() < 8) return client.empty() || client[0] == 0x80 ? Guess::maybe : Guess::no;
  const Guess guess = begins_with(client.subspan(8), "\0\0\0\0\0\0\0\2\0\1\x86\xa3\0\0\0"sv);
  if (guess != Guess::yes || client.size() < 28) return guess == Guess::no ? guess : Guess::maybe;
  const u32 length = load_be32(client.data()) & 0x7fff'ffff, version = client[23];
  const u32 procedure = load_be32(client.data() + 24), procedures = version == 3 ? 22 : 2;
  return length >= 40 && (version == 3 || version == 4) && procedure < procedures ? Guess::yes : Guess::no;
}

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// After the preface SETTINGS of stream 0, which are six bytes each. Some clients acknowledge the server's first.
Guess guess_grpc(Bytes client) {
  const Guess guess = begins_with(client, preface);
  if (guess != Guess::yes || client.size() < preface.size() + 9) return guess == Guess::no ? guess : Guess::maybe;
  const u8* frame = client.data() + preface.size();
  const u32 length = load_be32(frame) >> 8;
  const bool is_sound = frame[4] == 0 ? length % 6 == 0 : frame[4] == 1 && length == 0;
  return frame[3] == 4 && load<u32>(frame + 5) == 0 && is_sound ? Guess::yes : Guess::no;
}

Guess guess_tcpstore(Bytes client) {
  using namespace std::string_view_literals;
  return begins_with(client, "\x00\xce\xf7\x85\x3c"sv);
}

// {bytes in all, operation, slot, offset, length, remote offset}, 8 bytes each; data follows in two of the four.
Guess guess_gloo_message(Bytes bytes) {
  constexpr u32 message_bytes = 48;
  if (bytes.size() < message_bytes) return Guess::maybe;
  const u64 all = load<u64>(bytes.data()), operation = load<u64>(bytes.data() + 8);
  const u64 length = load<u64>(bytes.data() + 32);
  if (operation > 3 || length >> 40 != 0) return Guess::no;
  return all == message_bytes + (operation < 2 ? length : 0) ? Guess::yes : Guess::no;
}

Guess guess_gloo(Bytes client, Bytes server) {
  if (client.size() < 8) return Guess::maybe;
  if (load<u64>(client.data()) >> 32 != 0) return Guess::no;
  const Guess own = guess_gloo_message(client.subspan(8)), other = guess_gloo_message(server);
  return own == Guess::no || other == Guess::no ? Guess::no : std::max(own, other);
}

Guess guess_nccl(Bytes client, std::span<const u64> magics) {
  constexpr std::array<u64, 2> own = {nccl_magic_default, nccl_magic_comm_id};
  const std::size_t count = std::min<std::size_t>(client.size(), 8);
  const auto fits = [&](u64 magic) { return std::memcmp(client.data(), &magic, count) == 0; };
  if (!std::any_of(own.begin(), own.end(), fits) && !std::any_of(magics.begin(), magics.end(), fits)) return Guess::no;
  if (client.size() < 12) return Guess::maybe;
  const u32 type = load<u32>(client.data() + 8);
  return type >= 1 && type <= 5 ? Guess::yes : Guess::no;
}

constexpr char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter | 0x20) : letter; }

// `mark` is in small letters.
bool contains(std::string_view text, std::string_view mark) {
  const auto found = std::search(text.begin(), text.end(), mark.begin(), mark.end(),
                                 [](char one, char other) { return lower(one) == other; });
  return found != text.end();
}
bool begins(std::string_view text, std::string_view mark) { return contains(first_of(text, mark.size()), mark); }

template <std::size_t count>
bool contains_any(std::string_view text, const std::array<std::string_view, count>& marks) {
  return std::any_of(marks.begin(), marks.end(), [&](std::string_view mark) { return contains(text, mark); });
}

constexpr std::array<std::string_view, 5> methods = {"GET ", "PUT ", "POST ", "HEAD ", "DELETE "};
constexpr std::array<std::string_view, 7> queries = {
    "uploadid=", "partnumber=", "x-amz-algorithm=", "x-amz-signature=", "?uploads ", "awsaccesskeyid=", "?uploads="};
constexpr std::array<std::string_view, 3> hosts = {".s3.", ".s3-", ": s3."};
constexpr std::array<std::string_view, 2> signatures = {" aws4-", " aws "};

// A header line, with its end.
bool is_of_s3(std::string_view line) {
  if (begins(line, "x-amz-")) return true;
  if (begins(line, "host:")) return contains_any(line, hosts);
  return begins(line, "authorization:") && contains_any(line, signatures);
}

// Judges whole lines only, so that where a segment ends says nothing.
Guess guess_s3(Bytes client) {
  Guess guess = Guess::no;
  for (const std::string_view method : methods) guess = std::max(guess, begins_with(client, method));
  if (guess != Guess::yes) return guess;
  std::string_view rest = text_of(client.first(std::min<std::size_t>(client.size(), opening_bytes_max)));
  for (bool is_request = true;; is_request = false) {
    const char* const end = std::find(rest.begin(), rest.end(), '\n');
    if (end == rest.end()) return Guess::maybe;
    const std::string_view line = first_of(rest, static_cast<std::size_t>(end - rest.begin()) + 1);
    rest.remove_prefix(line.size());
    if (is_request && !contains(line, " http/1.")) return Guess::no;
    if (is_request ? contains_any(line, queries) : is_of_s3(line)) return Guess::yes;
    if (line == "\r\n" || line == "\n") return Guess::no;
  }
}

}  // namespace

Opening recognise(const OpeningBytes& bytes, std::span<const u64> magics) {
  const Bytes client = bytes.client;
  if (client.empty()) return bytes.is_end ? Opening::other : Opening::undecided;
  const std::array<std::pair<Opening, Guess>, 7> guesses = {{{Opening::nvme_tcp, guess_nvme_tcp(client)},
                                                             {Opening::nfs, guess_nfs(client)},
                                                             {Opening::s3, guess_s3(client)},
                                                             {Opening::grpc, guess_grpc(client)},
                                                             {Opening::tcpstore, guess_tcpstore(client)},
                                                             {Opening::nccl, guess_nccl(client, magics)},
                                                             {Opening::gloo, guess_gloo(client, bytes.server)}}};
  const bool is_last = bytes.is_end || client.size() >= opening_bytes_max;
  for (const auto& [opening, guess] : guesses) {
    if (guess == Guess::yes) return opening;
    if (guess == Guess::maybe && !is_last) return Opening::undecided;
  }
  return Opening::other;
}

const char* name_of(Opening opening) {
  constexpr const char* names[openings] = {"undecided", "nvme-tcp", "nfs",  "s3",   "grpc",
                                           "tcpstore",  "gloo",     "nccl", "other"};
  return names[static_cast<u8>(opening)];
}

}  // namespace weir
