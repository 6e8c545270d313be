#include "dataplane/inspect/dns_sketch.hpp"

namespace weir {

// A name costs the labels below its domain with their lengths; an option of EDNS, which a sender may fill as it likes,
// its bytes, whatever the name it comes with, but for padding, which is zero. Each costs once while it is counted.
DnsSketch::Answer DnsSketch::ask(u64 source, const DnsMessage& query, const Terms& terms, Tick now) {
  const Tick slot_us = terms.window_us / (SlidingCells::slots - 1);
  const Tick until = (now / slot_us + SlidingCells::slots) * slot_us;
  const u32 below = registered_at(query.name);
  const u64 who = fold_multiply(source ^ secret_.words[0], slot_us ^ secret_.words[3]);
  const u64 domain = hash_of(query.name.subspan(below), who), name = hash_of(query.name.first(below), domain);
  const bool is_new_domain = terms.domains != 0 && !seen_.has(domain, now);
  const bool is_new_name = below != 0 && terms.information != 0 && !seen_.has(name, now);
  u64 bytes = is_new_name ? below : 0;
  const auto each_new_option = [&](auto&& each) {
    each_dns_option(query.options, [&](u16 code, std::span<const u8> data) {
      if (data.empty() || code == dns_option_padding || terms.information == 0) return;
      const u64 option = hash_of(data, who ^ ~u64{code});
      if (!seen_.has(option, now)) each(option, data.size());
    });
  };
  each_new_option([&](u64, u64 more) { bytes += more; });
  if (is_new_domain && !sources_.fits(who, 1, terms.domains, now)) return Answer::domains;
  if (bytes != 0 && !names_.fits(domain, bytes, terms.information, now)) return Answer::information;
  if (is_new_domain) sources_.spend(who, 1, slot_us, now), seen_.add(domain, until);
  if (bytes != 0) names_.spend(domain, bytes, slot_us, now);
  if (is_new_name) seen_.add(name, until);
  each_new_option([&](u64 option, u64) { seen_.add(option, until); });
  return Answer::fits;
}

u64 DnsSketch::hash_of(std::span<const u8> bytes, u64 seed) const {
  u64 hash = seed ^ bytes.size();
  for (; !bytes.empty(); bytes = bytes.subspan(std::min<std::size_t>(bytes.size(), 16))) {
    u64 words[2] = {0, 0};
    std::memcpy(words, bytes.data(), std::min<std::size_t>(bytes.size(), 16));
    hash = fold_multiply(words[0] ^ secret_.words[1] ^ hash, words[1] ^ secret_.words[2]) ^ hash;
  }
  return fold_multiply(hash ^ secret_.words[0], secret_.words[1]);
}

}  // namespace weir
