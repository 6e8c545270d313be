// Fuzzes a proxied connection between two ideal ends: offers, losses and order come from the bytes; and frames of the
// client's, altered anywhere, go to the engine besides, which must keep its contract and confuse neither end.
#include "tests/property/proxied_world.hpp"

#include <cstdio>

namespace {

weir::ideal::Traits traits_from(weir::Choices& choices, bool opens) {
  weir::ideal::Traits traits;
  traits.opens = opens;
  for (int i = 0; i < 4; ++i) traits.isn = traits.isn << 8 | choices.below(256);
  traits.mss = static_cast<weir::u16>(256 + choices.below(64) * 136);
  if (const weir::u32 scale = choices.below(16); scale != 15) traits.scale = static_cast<weir::u8>(scale);
  traits.sack = choices.below(2);
  traits.probes_with_data = choices.below(2);
  traits.capacity = 2000u << choices.below(10);
  while (traits.scale && traits.capacity >> *traits.scale < 8) --*traits.scale;
  traits.to_send = choices.below(256) * 20;
  return traits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const weir::InstalledPolicy& policy = weir::proxying().policy();
  weir::Choices choices({data, size});
  weir::Conditions conditions;
  conditions.ipv6 = choices.below(2), conditions.tagged = choices.below(2), conditions.padded = choices.below(2);
  conditions.growth = choices.below(16), conditions.impaired = choices.below(32);
  conditions.altered = choices.below(64);
  const auto client = traits_from(choices, true), server = traits_from(choices, false);
  try {
    weir::ProxiedWorld world(policy, conditions, client, server, [&](weir::u32 bound) { return choices.below(bound); });
    world.run(3000);
  } catch (const std::runtime_error& difference) {
    std::fprintf(stderr, "%s\n", difference.what());
    std::abort();
  }
  return 0;
}
