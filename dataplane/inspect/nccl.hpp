// What two ranks of NCCL tell each other over TCP before they use RDMA: the queue pairs they made, and where they are.
// Reads the beginning of both directions in every layout from 2.18 to 2.30, and says which queue pair of one is meant
// for which of the other. It believes nobody: whether an address may be opened to another is its caller's to decide,
// and whatever does not look as NCCL writes it is `doubtful`.
//
// Client to server: magic (8 bytes), what the connection is for (LE32); for net/IB then a list of devices (none, 20 or
// 37 bytes) and the metadata: 128 queue pairs of 24 bytes, of which the first are in use; from 2.29.7 on the spare ones
// of each device; devices of 56 bytes with their GID; the rest. Before 2.20 there was one device, and numbers alone.
// Server to client: the same without magic. Little-endian throughout. From 2.24 on what is unused is zero; before, it
// is whatever was in memory, so that entries count as long as they look right and follow each other as NCCL makes them.
//
// All are functions of the bytes from the beginning so far (StreamReader::so_far), so that segments do not matter: they
// are `undecided` until `wanted_bytes` are there, and a decision stays. No state, no more than nccl_bytes_max bytes.
// Source: NCCL v2.18.1 to v2.30.7: src/misc/socket.cc, src/transport/net_ib.cc and net_ib/connect.{h,cc}, common.h.
#pragma once
#include "dataplane/packet/key.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace weir {

inline constexpr u64 nccl_magic_default = 0x564a'b9f2'fc4b'9d6c;
inline constexpr u64 nccl_magic_comm_id = 0x0280'0280'0280'0280;  // bootstrap and proxy, when NCCL_COMM_ID is set
inline constexpr u32 nccl_bytes_max = 4096;  // of one direction: enough to decide everything below
inline constexpr u32 nccl_pairs_max = 128, nccl_devices_max = 8;

enum class NcclType : u32 { bootstrap = 1, proxy = 2, net_socket = 3, net_ib = 4, ras = 5 };

// The versions that changed what is sent.
enum class NcclLayout : u8 { none, v2_18, v2_19, v2_20, v2_24, v2_29, v2_30 };

enum class NcclAnswer : u8 {
  undecided,  // `wanted_bytes` from the beginning decide more
  not_nccl,
  hello,  // NCCL, but not net/IB: names no queue pairs
  pairs,
  doubtful,  // begins as NCCL's net/IB does, and goes on otherwise
};

// One end's queue pairs. Those with the same index belong together.
struct NcclPairs {
  struct Entry {
    u32 queue_pair;  // 0: none, among the spare ones
    u32 device;  // index of its address
  };
  u32 count;
  std::array<Entry, nccl_pairs_max> entries;
  // For what happens when a device fails: to probe the other side, and to recover a port.
  std::array<Entry, nccl_devices_max> probing, recovery;
  u32 devices;
  std::array<Address, nccl_devices_max> addresses;
};

struct NcclReading {
  NcclAnswer answer = NcclAnswer::undecided;
  NcclLayout layout = NcclLayout::none;
  u32 wanted_bytes = 0;
  u64 magic = 0;  // both of the client's first 12 bytes; 0 before, and of the server
  u32 type = 0;
};

// What the client has sent. `pairs` is filled when the answer is `pairs`.
NcclReading read_nccl_client(std::span<const u8> so_far, NcclPairs& pairs);
// What the server has sent, to a client whose layout is known.
NcclReading read_nccl_server(std::span<const u8> so_far, NcclLayout layout, NcclPairs& pairs);

enum class NcclUse : u8 { data, probing, recovery };
struct NcclPair {
  Address client_address, server_address;
  u32 client_queue_pair, server_queue_pair;
  NcclUse use;
};

// Calls take(NcclPair) for each two queue pairs that belong together. False, and calls nothing, when the two ends
// cannot mean each other: they name different numbers of queue pairs.
template <class Take>
bool pair_up(const NcclPairs& client, const NcclPairs& server, NcclLayout layout, Take&& take) {
  if (client.count != server.count && layout >= NcclLayout::v2_24) return false;
  const auto both = [&](const NcclPairs::Entry& one, const NcclPairs::Entry& other, NcclUse use) {
    if (one.queue_pair != 0 && other.queue_pair != 0)
      take(NcclPair{client.addresses[one.device], server.addresses[other.device], one.queue_pair, other.queue_pair,
                    use});
  };
  const u32 count = std::min(client.count, server.count);
  for (u32 i = 0; i < count; ++i) both(client.entries[i], server.entries[i], NcclUse::data);
  for (u32 i = 0; i < nccl_devices_max; ++i) {
    both(client.probing[i], server.probing[i], NcclUse::probing);
    both(client.recovery[i], server.recovery[i], NcclUse::recovery);
  }
  return true;
}

}  // namespace weir
