// See flow_rivals.hpp.
#include "tests/bench/flow_rivals.hpp"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_lcore.h>
#include <rte_prefetch.h>
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace weir::bench {

void start_eal(bool huge, u32 memory_mib) {
  std::vector<std::string> words = {"bench",
                                    "--lcores",
                                    "0@" + std::to_string(sched_getcpu()),
                                    "--no-pci",
                                    "--no-telemetry",
                                    "--log-level",
                                    "3",
                                    "-m",
                                    std::to_string(memory_mib)};
  words.push_back(huge ? "--in-memory" : "--no-huge");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0) {
    std::fprintf(stderr, "bench: EAL does not start: %s\n", rte_strerror(rte_errno));
    std::exit(1);
  }
}

RteTable::RteTable(const char* name, u32 entries, u32 key_bytes) {
  rte_hash_parameters parameters{};
  parameters.name = name;
  parameters.entries = entries;
  parameters.key_len = key_bytes;
  parameters.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF;
  table_ = rte_hash_create(&parameters);
  if (table_ == nullptr) {
    std::fprintf(stderr, "bench: rte_hash does not start: %s\n", rte_strerror(rte_errno));
    std::exit(1);
  }
}

RteTable::~RteTable() { rte_hash_free(table_); }

int RteTable::add(const void* key, u32 hash) { return rte_hash_add_key_with_hash(table_, key, hash); }

void RteTable::remove(const void* key, u32 hash) {
  const int position = rte_hash_del_key_with_hash(table_, key, hash);
  if (position < 0 || rte_hash_free_key_with_position(table_, position) < 0) std::abort();
}

u32 RteTable::touch(const void** keys, u32* hashes, u32 count) {
  int positions[64];
  u32 found = 0;
  rte_hash_lookup_with_hash_bulk(table_, keys, hashes, count, positions);
  for (u32 i = 0; i < count; ++i)
    if (positions[i] >= 0) rte_prefetch0(records_ + std::size_t{64} * static_cast<u32>(positions[i]));
  for (u32 i = 0; i < count; ++i) {
    if (positions[i] < 0) continue;
    ++*reinterpret_cast<u64*>(records_ + std::size_t{64} * static_cast<u32>(positions[i]) + 48);
    ++found;
  }
  return found;
}

}  // namespace weir::bench
