// Fuzzes what both ends of an NCCL connection are read to say: cuts change nothing, and what is learned keeps the
// promises that its callers rely on. Bytes: the client's length (LE16), the client's stream, the server's.
#include "tests/property/nccl_told.hpp"

#include <cstdio>
#include <cstdlib>

using namespace weir;

namespace {

void check(const ReadNccl& read, std::span<const u8> stream) {
  const NcclEnd whole = read(stream);
  const std::size_t step = stream.size() / 12 + 1;
  for (std::size_t cut = 0; cut <= stream.size(); cut += step) check_beginning(read, stream, cut);
  check_cut(read, stream, stream.size() / 3);
  if (whole.reading.answer != NcclAnswer::pairs) return;
  must_hold(whole.pairs.count >= 1 && whole.pairs.count <= nccl_pairs_max, "count");
  must_hold(whole.pairs.devices >= 1 && whole.pairs.devices <= nccl_devices_max, "devices");
  for (u32 i = 0; i < whole.pairs.count; ++i) {
    const NcclPairs::Entry& entry = whole.pairs.entries[i];
    must_hold(entry.queue_pair > 1 && entry.queue_pair < 1u << 24 && entry.device < whole.pairs.devices, "entry");
  }
}

void check_connection(std::span<const u8> client, std::span<const u8> server) {
  const ReadNccl read_client = [](std::span<const u8> so_far) {
    NcclEnd end;
    end.reading = read_nccl_client(so_far, end.pairs);
    return end;
  };
  check(read_client, client);
  const NcclEnd one = read_client(client);
  const NcclLayout layout = one.reading.layout;
  const ReadNccl read_server = [layout](std::span<const u8> so_far) {
    NcclEnd end;
    end.reading = read_nccl_server(so_far, layout, end.pairs);
    return end;
  };
  check(read_server, server);
  const NcclEnd other = read_server(server);
  if (one.reading.answer != NcclAnswer::pairs || other.reading.answer != NcclAnswer::pairs) return;
  u32 count = 0;
  pair_up(one.pairs, other.pairs, layout, [&](const NcclPair& pair) {
    must_hold(pair.client_queue_pair != 0 && pair.server_queue_pair != 0, "no queue pair");
    ++count;
  });
  must_hold(count <= nccl_pairs_max + 2 * nccl_devices_max, "too many");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::span<const u8> streams(data + 2, size - 2);
  const std::size_t client = std::min<std::size_t>(load<u16>(data), streams.size());
  try {
    check_connection(streams.first(client), streams.subspan(client));
  } catch (const std::runtime_error& difference) {
    std::fprintf(stderr, "%s\n", difference.what());
    std::abort();
  }
  return 0;
}
