// rte_hash as a flow table, behind a door without DPDK's headers: lock-free reads, bulk lookup with hashes made before,
// 64-byte records found by position. The baseline of bench_flow.
#pragma once
#include "dataplane/base/bytes.hpp"

struct rte_hash;

namespace weir::bench {

// Starts DPDK's EAL, with 2 MiB pages or with ordinary ones. Ends the process when it cannot.
void start_eal(bool huge, u32 memory_mib);

class RteTable {
 public:
  // `records` has room for what rte_hash says it may name: more than `entries`.
  RteTable(const char* name, u32 entries, u32 key_bytes);
  ~RteTable();
  RteTable(const RteTable&) = delete;

  void lend_records(std::byte* records) { records_ = records; }
  // The record's number, or below 0 when the table refuses.
  int add(const void* key, u32 hash);
  void remove(const void* key, u32 hash);
  // Looks up `count` (<= 64) keys and counts the packet in each one's record; returns how many it found.
  u32 touch(const void** keys, u32* hashes, u32 count);

 private:
  ::rte_hash* table_;
  std::byte* records_ = nullptr;
};

}  // namespace weir::bench
