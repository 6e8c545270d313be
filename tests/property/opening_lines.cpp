// Says how connections open, for an independent builder to compare (opening_built.py), and with how many of the
// client's bytes that was decided; a decision must stay, and two segments through a reader say the same, whichever
// comes first. Standard input: lines "CLIENT SERVER" in hexadecimal, "-" for nothing. Throws where they differ.
#include "dataplane/inspect/opening.hpp"
#include "dataplane/inspect/reader.hpp"

#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace weir;

namespace {

constexpr u64 known_magic[] = {0x1122334455667788};

Opening read(std::span<const u8> client, std::span<const u8> server, bool is_end = false) {
  return recognise({client, server, is_end}, known_magic);
}

std::vector<u8> bytes_of(const std::string& hexadecimal) {
  std::vector<u8> bytes;
  for (std::size_t i = 0; i + 1 < hexadecimal.size(); i += 2)
    bytes.push_back(static_cast<u8>(std::stoul(hexadecimal.substr(i, 2), nullptr, 16)));
  return bytes;
}

void must(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

// In two segments, the second one first; and a last byte at a time.
void check_cut(std::span<const u8> client, std::span<const u8> server, std::size_t cut) {
  std::vector<u8> history(opening_bytes_max);
  const u32 begin = 0xffff'ff80;
  StreamReader reader(begin, opening_bytes_max);
  const u32 second = begin + static_cast<u32>(cut);
  if (cut != 0 && cut < client.size())
    must(reader.offer(second, client.subspan(cut), history).answer == StreamReader::Answer::ahead, "not ahead");
  reader.offer(begin, client.first(cut), history);
  const Opening first = read(reader.so_far(history), server), whole = read(client, server);
  must(first == Opening::undecided || first == whole, "a decision does not stay");
  reader.offer(second, client.subspan(cut), history);
  must(read(reader.so_far(history), server) == whole, "a cut makes a difference");
}

}  // namespace

int main() {
  std::string client_line, server_line;
  while (std::cin >> client_line >> server_line) {
    const std::vector<u8> client = bytes_of(client_line), server = bytes_of(server_line);
    std::size_t decided = 0;
    while (decided <= client.size() && read(std::span(client).first(decided), server) == Opening::undecided) ++decided;
    for (std::size_t cut = 0; cut <= client.size(); ++cut) check_cut(client, server, cut);
    const Opening opening = read(client, server), ended = read(client, server, true);
    must(opening == Opening::undecided ? ended == Opening::other : ended == opening, "the end changes a decision");
    std::cout << name_of(opening) << " " << decided << "\n";
  }
}
