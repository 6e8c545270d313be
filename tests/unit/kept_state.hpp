// A sound state as a planned restart leaves it, made by hand, for tests that spoil it.
#pragma once
#include "dataplane/edge/kept_state.hpp"

#include <cstring>
#include <memory>
#include <vector>

namespace weir::test {

inline edge::KeptFor kept_for() { return {"0c0ffee0-boot", {{11, 12}}, 77, 2, 5'000'000}; }

inline KeptFlow row_of(const FlowRecord& record, u32 offset = 0) {
  KeptFlow row{};
  std::memcpy(row.record, &record, sizeof record);
  row.offset = offset;
  return row;
}

inline FlowRecord record_of(u32 number, FlowClass flow_class, u32 pair) {
  FlowRecord record{};
  bool swapped;
  record.key = make_key(Address::ipv4(0x0a00'0001), static_cast<u16>(number), Address::ipv4(0x0a00'0101), 443,
                        FlowKey::scope_of(flow_class, pair, 0), swapped);
  record.opener_is_a = !swapped;
  record.epoch = epochs - 1;
  record.deadline = static_cast<Beat>(1 + number % 1000);
  record.set_state(flow_class == FlowClass::tcp ? FlowRecord::state_established : 1);
  return record;
}

// In memory as aligned as a mapping.
class Bytes {
 public:
  explicit Bytes(std::size_t count) : words_(count / 64 + 1), count_(count) {}
  std::span<std::byte> all() { return {reinterpret_cast<std::byte*>(words_.data()), count_}; }
  edge::KeptHead& head() { return *reinterpret_cast<edge::KeptHead*>(words_.data()); }
  template <class Row>
  Row* at(u64 place) { return reinterpret_cast<Row*>(all().data() + place); }
  void seal() { head().checksum = edge::kept_checksum(all()); }

 private:
  struct alignas(64) Word {
    std::byte bytes[64];
  };
  std::vector<Word> words_;
  std::size_t count_;
};

inline Bytes sound_state() {
  const edge::KeptFor here = kept_for();
  edge::KeptHead head{};
  head.magic = edge::KeptHead::magic_value;
  head.mark = edge::KeptHead::mark_value;
  head.layout = edge::KeptHead::layout_value;
  head.row_bytes = sizeof(KeptFlow);
  here.boot_id.copy(head.boot_id, sizeof head.boot_id - 1);
  head.run = here.run;
  head.ports = here.ports;
  head.stopped_us = here.now_us - 1000;
  head.flows = 6;
  head.policy_bytes = 200;
  head.fallback_bytes = 72;
  head.gates = 1;
  head.held = 1;
  const edge::KeptPlaces places = edge::places_of(head);
  head.total_bytes = places.total;
  Bytes bytes(places.total);
  bytes.head() = head;
  std::memcpy(bytes.at<char>(places.gates), "pretrain", 8);
  bytes.at<door::QuarantineRow>(places.held)->magic = door::quarantine_magic;
  auto* const rows = bytes.at<KeptFlow>(places.flows);
  for (u32 i = 0; i < 5; ++i) rows[i] = row_of(record_of(1000 + i, FlowClass::tcp, i % 2));
  FlowRecord translated = record_of(2000, FlowClass::tcp, 0);
  translated.attended = 1;
  rows[5] = row_of(translated, 12345);
  bytes.seal();
  return bytes;
}

}  // namespace weir::test
