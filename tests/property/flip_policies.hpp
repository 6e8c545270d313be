// Two policies that say the same about eight conversations and number everything differently, so that tables of the
// one read with tables of the other give a verdict that neither gives (flip_mixture shows it table by table).
#pragma once
#include "control/model/model.hpp"
#include "dataplane/policy/policy.hpp"

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace weir {

enum class FlipSide { a, b };

// Compiled, with this generation.
std::vector<std::byte> flip_image(FlipSide side, u64 generation);

// UDP from client 10.0.C.5 to server 10.1.S.5; what both policies say about it.
struct Dialogue {
  u8 client, server;
  u16 port;
  std::string_view rule;  // empty: denied, since no allow covers it

  Address source() const { return address(0, client); }
  Address target() const { return address(1, server); }
  bool is_allowed() const { return !rule.empty(); }

 private:
  static Address address(u8 net, u8 subnet) {
    const u8 wire[4] = {10, net, subnet, 5};
    return Address::ipv4(load<u32>(wire));
  }
};

inline constexpr std::array<Dialogue, 8> conversations{{
    {1, 1, 53, "one"},
    {1, 1, 123, ""},
    {1, 2, 53, ""},
    {1, 2, 123, ""},
    {2, 1, 53, ""},
    {2, 1, 123, ""},
    {2, 2, 53, ""},
    {2, 2, 123, "two"},
}};

}  // namespace weir
