// Says in one line what both ends of an NCCL connection are read to say, for an independent builder to compare
// (nccl_built.py), after cutting each stream at every byte. Standard input: lines "CLIENT SERVER", in hexadecimal.
#include "tests/property/nccl_told.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <iostream>
#include <string>

using namespace weir;

namespace {

std::string written(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(address.is_ipv4() ? AF_INET : AF_INET6, address.is_ipv4() ? &address.low : &address.high, text,
            sizeof text);
  return text;
}

std::vector<u8> bytes_of(const std::string& hexadecimal) {
  std::vector<u8> bytes;
  for (std::size_t i = 0; i + 1 < hexadecimal.size(); i += 2)
    bytes.push_back(static_cast<u8>(std::stoul(hexadecimal.substr(i, 2), nullptr, 16)));
  return bytes;
}

NcclEnd read_cut(const ReadNccl& read, const std::vector<u8>& stream) {
  for (std::size_t cut = 0; cut <= stream.size(); ++cut)
    check_beginning(read, stream, cut), check_cut(read, stream, cut);
  return read(stream);
}

std::string line_of(const std::vector<u8>& client_stream, const std::vector<u8>& server_stream) {
  constexpr const char* answers[] = {"undecided", "not_nccl", "hello", "pairs", "doubtful"};
  constexpr const char* layouts[] = {"none", "2.18", "2.19", "2.20", "2.24", "2.29", "2.30"};
  const auto named = [&](const NcclReading& reading) {
    return fmt::format("{} {}", answers[static_cast<u8>(reading.answer)], layouts[static_cast<u8>(reading.layout)]);
  };
  const NcclEnd client = read_cut(
      [](std::span<const u8> so_far) {
        NcclEnd end;
        end.reading = read_nccl_client(so_far, end.pairs);
        return end;
      },
      client_stream);
  const NcclLayout layout = client.reading.layout;
  if (client.reading.answer != NcclAnswer::pairs)
    return fmt::format("{} {:016x} {}", named(client.reading), client.reading.magic, client.reading.type);
  const NcclEnd server = read_cut(
      [layout](std::span<const u8> so_far) {
        NcclEnd end;
        end.reading = read_nccl_server(so_far, layout, end.pairs);
        return end;
      },
      server_stream);
  std::string line = fmt::format("{} {:016x} {} {}", named(client.reading), client.reading.magic, client.reading.type,
                                 answers[static_cast<u8>(server.reading.answer)]);
  if (server.reading.answer != NcclAnswer::pairs) return line;
  const bool fits = pair_up(client.pairs, server.pairs, layout, [&](const NcclPair& pair) {
    constexpr const char* uses[] = {"data", "probing", "recovery"};
    line += fmt::format(" {}/{}-{}/{}:{}", written(pair.client_address), pair.client_queue_pair,
                        written(pair.server_address), pair.server_queue_pair, uses[static_cast<u8>(pair.use)]);
  });
  return fits ? line : line + " unequal";
}

}  // namespace

int main() {
  std::string client, server;
  while (std::cin >> client >> server) std::cout << line_of(bytes_of(client), bytes_of(server)) << "\n";
}
