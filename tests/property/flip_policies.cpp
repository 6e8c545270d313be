#include "tests/property/flip_policies.hpp"

#include "control/compile/compile.hpp"

#include <stdexcept>

namespace weir {
namespace {

using control::Model;
using control::Segment;
using control::Statement;

constexpr u32 subnet(u32 net, u32 number) { return 10u << 24 | net << 16 | number << 8; }

Segment segment(std::string name, u32 net, u32 number) {
  Segment segment;
  segment.name = std::move(name);
  segment.has_addresses = true;
  segment.addresses.ipv4 = {{subnet(net, number), subnet(net, number) + 255}};
  return segment;
}

Statement allow(std::string name, u32 from, u32 to, u16 port) {
  Statement statement;
  statement.name = std::move(name);
  statement.from = {from};
  statement.to = {to};
  statement.services.udp = {{port, port}};
  return statement;
}

// The decoy stands before everything in A and behind everything in B: address, service and rule. So what both have
// in common carries another number in each.
Model model_of(FlipSide side) {
  const bool is_a = side == FlipSide::a;
  const u32 decoy = is_a ? 0 : 9;
  Model model;
  model.name = is_a ? "flip-a" : "flip-b";
  model.files = {"flip.toml"};
  model.line_starts = {{0}};
  model.segments = {segment("client-1", 0, 1),         segment("client-2", 0, 2), segment("decoy-client", 0, decoy),
                    segment("decoy-server", 1, decoy), segment("server-1", 1, 1), segment("server-2", 1, 2)};
  const Statement one = allow("one", 0, 4, 53);
  const Statement two = allow("two", 1, 5, 123);
  if (is_a) model.statements = {allow("a-decoy", 2, 3, 9), one, two};
  else model.statements = {one, two, allow("z-decoy", 2, 3, 9000)};
  return model;
}

}  // namespace

std::vector<std::byte> flip_image(FlipSide side, u64 generation) {
  auto compiled = control::compile(model_of(side), generation);
  if (!compiled) throw std::runtime_error(compiled.error().sentence);
  return std::move(compiled->image);
}

}  // namespace weir
