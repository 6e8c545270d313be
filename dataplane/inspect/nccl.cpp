#include "dataplane/inspect/nccl.hpp"

namespace weir {
namespace {

using Bytes = std::span<const u8>;
using Entry = NcclPairs::Entry;

constexpr u32 hello_bytes = 12;
constexpr u32 entry_bytes = 24, table_bytes = nccl_pairs_max * entry_bytes, device_bytes = 56;
constexpr u32 queue_pair_end = 1u << 24;
constexpr u32 table_devices_at = 3328;  // 2.20: how many devices, in the metadata

// Where things stand in what follows the hello.
struct Places {
  u32 table, probing, recovery, devices;  // 0: has none
  u32 devices_max;
  constexpr u32 end() const { return devices + devices_max * device_bytes; }
};
constexpr Places places_of(NcclLayout layout) {
  switch (layout) {
    case NcclLayout::v2_20: return {0, 0, 0, table_bytes, 2};
    case NcclLayout::v2_24: return {20, 0, 0, 20 + table_bytes, 4};
    case NcclLayout::v2_29: return {20, 20 + table_bytes, 0, 20 + table_bytes + 4 * entry_bytes, 4};
    default: return {37, 37 + table_bytes, 37 + table_bytes + 8 * entry_bytes, 37 + table_bytes + 16 * entry_bytes, 8};
  }
}
static_assert(hello_bytes + places_of(NcclLayout::v2_30).end() <= nccl_bytes_max);

// Of one device: numbers of queue pairs, then what is said of the device. What the link is stands before them.
struct FlatPlaces {
  u32 gid, end;
};
constexpr u32 flat_table_at = 8;
constexpr FlatPlaces flat_places_of(NcclLayout layout) {
  const u32 gid = flat_table_at + nccl_pairs_max * (layout == NcclLayout::v2_18 ? 4 : 4 + 12 + 4);
  return {gid, gid + 20};
}

u32 word(Bytes bytes, u32 at) { return load<u32>(bytes.data() + at); }
bool is_queue_pair(u32 number) { return number > 1 && number < queue_pair_end; }
bool is_mtu(u32 mtu) { return mtu >= 1 && mtu <= 5; }  // 256 to 4096 bytes
constexpr u8 link_ethernet = 2;

// The address that a GID is. False for one that no host has.
bool address_of(Bytes bytes, u32 at, Address& address) {
  const u8* gid = bytes.data() + at;
  constexpr std::array<u8, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(mapped.begin(), mapped.end(), gid)) {
    address = Address::ipv4(load<u32>(gid + 12));
    return gid[12] >= 1 && gid[12] < 224;
  }
  address = Address::ipv6(gid);
  const bool is_global = (gid[0] & 0xe0) == 0x20, is_local = (gid[0] & 0xfe) == 0xfc;
  return is_global || is_local || (gid[0] == 0xfe && (gid[1] & 0xc0) == 0x80);
}

// {lid 4, port 1, 3 unused, mtu 4, link 1, 3 unused, GID 16, rkey 4, 4 unused, GID 16}. No LID: RoCE has none.
bool read_devices(Bytes bytes, u32 at, u32 count, NcclPairs& pairs) {
  for (u32 i = 0; i < count; ++i, at += device_bytes)
    if (word(bytes, at) != 0 || bytes[at + 4] == 0 || !is_mtu(word(bytes, at + 8)) || bytes[at + 12] != link_ethernet ||
        !address_of(bytes, at + 16, pairs.addresses[i]))
      return false;
  pairs.devices = count;
  return true;
}

// {number 4, ECE 12, whether there is ECE 4, device 4}
bool read_entry(Bytes bytes, u32 at, u32 devices, Entry& entry) {
  entry = {word(bytes, at), word(bytes, at + 20)};
  return is_queue_pair(entry.queue_pair) && word(bytes, at + 16) <= 1 && entry.device < devices;
}

bool is_zero(Bytes bytes) {
  u64 any = 0;
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) any |= load<u64>(bytes.data());
  for (const u8 byte : bytes) any |= byte;
  return any == 0;
}

// The table, of which all is zero that is not in use.
bool read_table(Bytes bytes, u32 at, u32 devices, NcclPairs& pairs) {
  pairs.count = 0;
  while (pairs.count < nccl_pairs_max &&
         read_entry(bytes, at + pairs.count * entry_bytes, devices, pairs.entries[pairs.count]))
    ++pairs.count;
  const u32 used = pairs.count * entry_bytes;
  return pairs.count != 0 && is_zero(bytes.subspan(at + used, table_bytes - used));
}

// One for each device, or zeros.
bool read_spares(Bytes bytes, u32 at, u32 count, u32 devices, std::array<Entry, nccl_devices_max>& spares) {
  for (u32 i = 0; i < count; ++i, at += entry_bytes) {
    if (!read_entry(bytes, at, devices, spares[i])) spares[i] = {0, 0};
    if (spares[i].queue_pair == 0 && !is_zero(bytes.subspan(at, entry_bytes))) return false;
  }
  return true;
}

bool names_one_twice(const NcclPairs& pairs) {
  const auto same = [](const Entry& one, const Entry& other) {
    return one.queue_pair == other.queue_pair && one.device == other.device;
  };
  for (u32 i = 0; i < pairs.count; ++i)
    for (u32 j = 0; j < i; ++j)
      if (same(pairs.entries[i], pairs.entries[j])) return true;
  return false;
}

NcclReading wants(u32 bytes, NcclLayout layout) { return {NcclAnswer::undecided, layout, bytes, 0, 0}; }
NcclReading decided(bool is_sound, NcclLayout layout, const NcclPairs& pairs) {
  const bool is_good = is_sound && pairs.count != 0 && !names_one_twice(pairs);
  return {is_good ? NcclAnswer::pairs : NcclAnswer::doubtful, layout, 0, 0, 0};
}

void begin(NcclPairs& pairs) {
  pairs.count = pairs.devices = 0;
  pairs.probing.fill({0, 0});
  pairs.recovery.fill({0, 0});
}

// From 2.24 on, once the layout is known.
NcclReading read_listed(Bytes bytes, NcclLayout layout, NcclPairs& pairs) {
  const Places places = places_of(layout);
  if (bytes.size() < places.end()) return wants(places.end(), layout);
  const u32 devices = word(bytes, 0), spares = places.devices_max;
  const bool is_sound =
      devices >= 1 && devices <= places.devices_max && read_table(bytes, places.table, devices, pairs) &&
      (places.probing == 0 || read_spares(bytes, places.probing, spares, devices, pairs.probing)) &&
      (places.recovery == 0 || read_spares(bytes, places.recovery, spares, devices, pairs.recovery)) &&
      read_devices(bytes, places.devices, devices, pairs);
  return decided(is_sound, layout, pairs);
}

// Which of them it is: the table stands where its entries look right and all after them is zero. What a list has after
// its last device is not always zero, so that it says nothing.
NcclReading recognise_listed(Bytes bytes, NcclPairs& pairs) {
  constexpr Places old = places_of(NcclLayout::v2_24), late = places_of(NcclLayout::v2_30);
  const u32 devices = word(bytes, 0);
  if (bytes.size() < late.table + table_bytes) return wants(late.table + table_bytes, NcclLayout::none);
  const bool is_old = devices <= old.devices_max && read_table(bytes, old.table, devices, pairs);
  const bool is_late = read_table(bytes, late.table, devices, pairs);
  if (is_old == is_late) return decided(false, NcclLayout::none, pairs);
  if (is_late) return read_listed(bytes, NcclLayout::v2_30, pairs);
  if (bytes.size() < old.end()) return wants(old.end(), NcclLayout::none);
  const bool has_spares = !read_devices(bytes, old.devices, devices, pairs);
  return read_listed(bytes, has_spares ? NcclLayout::v2_29 : NcclLayout::v2_24, pairs);
}

// 2.20 to 2.23: queue pairs go round the devices, and what is unused is anything.
NcclReading read_unlisted(Bytes bytes, NcclPairs& pairs) {
  constexpr NcclLayout layout = NcclLayout::v2_20;
  constexpr Places places = places_of(layout);
  if (bytes.size() < table_devices_at + 4) return wants(table_devices_at + 4, layout);
  const u32 devices = word(bytes, table_devices_at);
  if (devices < 1 || devices > places.devices_max) return decided(false, layout, pairs);
  while (pairs.count < nccl_pairs_max &&
         read_entry(bytes, pairs.count * entry_bytes, devices, pairs.entries[pairs.count]) &&
         pairs.entries[pairs.count].device == pairs.count % devices)
    ++pairs.count;
  pairs.count -= pairs.count % devices;
  return decided(read_devices(bytes, places.devices, devices, pairs), layout, pairs);
}

// 2.18 and 2.19.
NcclReading read_flat(Bytes bytes, NcclLayout layout, NcclPairs& pairs) {
  const FlatPlaces places = flat_places_of(layout);
  if (bytes.size() < places.end) return wants(places.end, layout);
  const bool is_sound = word(bytes, 0) == 0 && bytes[4] != 0 && bytes[5] == link_ethernet &&
                        is_mtu(word(bytes, places.gid + 16)) && address_of(bytes, places.gid, pairs.addresses[0]);
  pairs.devices = 1;
  for (pairs.count = 0; pairs.count < nccl_pairs_max; ++pairs.count) {
    const u32 number = word(bytes, flat_table_at + pairs.count * 4);
    pairs.entries[pairs.count] = {number, 0};
    const auto end = pairs.entries.begin() + pairs.count;
    const bool is_known =
        std::any_of(pairs.entries.begin(), end, [&](const Entry& entry) { return entry.queue_pair == number; });
    if (!is_queue_pair(number) || is_known) break;
  }
  return decided(is_sound, layout, pairs);
}

// What stands in 2.19 where 2.18 has its GID is two ECE descriptions, which begin with a vendor's number or zeros.
NcclReading recognise_flat(Bytes bytes, NcclPairs& pairs) {
  const NcclReading reading = read_flat(bytes, NcclLayout::v2_18, pairs);
  if (reading.answer == NcclAnswer::pairs) return reading;
  if (reading.answer == NcclAnswer::undecided) return wants(reading.wanted_bytes, NcclLayout::none);
  return read_flat(bytes, NcclLayout::v2_19, pairs);
}

NcclReading read_as(Bytes bytes, NcclLayout layout, NcclPairs& pairs) {
  switch (layout) {
    case NcclLayout::none: return decided(false, layout, pairs);
    case NcclLayout::v2_18:
    case NcclLayout::v2_19: return read_flat(bytes, layout, pairs);
    case NcclLayout::v2_20: return read_unlisted(bytes, pairs);
    default: return read_listed(bytes, layout, pairs);
  }
}

// The first word is an LID, which RoCE has not, or how many devices are listed, or the first queue pair.
NcclReading recognise(Bytes bytes, NcclPairs& pairs) {
  if (bytes.size() < 4) return wants(4, NcclLayout::none);
  const u32 first = word(bytes, 0);
  if (first == 0) return recognise_flat(bytes, pairs);
  if (first <= nccl_devices_max) return recognise_listed(bytes, pairs);
  return is_queue_pair(first) ? read_unlisted(bytes, pairs) : decided(false, NcclLayout::none, pairs);
}

}  // namespace

NcclReading read_nccl_client(std::span<const u8> so_far, NcclPairs& pairs) {
  begin(pairs);
  if (so_far.size() < hello_bytes) return wants(hello_bytes, NcclLayout::none);
  const u64 magic = load<u64>(so_far.data());
  const u32 type = word(so_far, 8);
  NcclReading reading;
  if (type < static_cast<u32>(NcclType::bootstrap) || type > static_cast<u32>(NcclType::ras))
    reading.answer = NcclAnswer::not_nccl;
  else if (type != static_cast<u32>(NcclType::net_ib)) reading.answer = NcclAnswer::hello;
  else {
    reading = recognise(so_far.subspan(hello_bytes), pairs);
    if (reading.answer == NcclAnswer::undecided) reading.wanted_bytes += hello_bytes;
  }
  reading.magic = magic, reading.type = type;
  return reading;
}

NcclReading read_nccl_server(std::span<const u8> so_far, NcclLayout layout, NcclPairs& pairs) {
  begin(pairs);
  return read_as(so_far, layout, pairs);
}

}  // namespace weir
