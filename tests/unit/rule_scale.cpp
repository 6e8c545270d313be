// 1,000 segments, 10,000 statements and a list of 1,000,000 prefixes: loaded, checked with every lint, and reported.
// Prints how long it took; fails beyond 20 seconds, so that a quadratic step cannot creep in. usage: rule_scale
#include "control/check/check.hpp"

#include <fmt/format.h>
#include <chrono>
#include <cstdio>
#include <random>

using namespace weir::control;

namespace {

std::string list_of(std::size_t prefixes, std::mt19937& random) {
  std::string text;
  for (std::size_t i = 0; i < prefixes; ++i)
    text += fmt::format("{}.{}.{}.{}\n", 1 + random() % 223, random() % 256, random() % 256, random() % 256);
  return text;
}

std::string policy_of(std::size_t segments, std::size_t statements, std::mt19937& random) {
  std::string text = "version = 1\n[list.big]\nfile = \"big.txt\"\n[service]\n";
  for (std::size_t i = 0; i < 200; ++i)
    text += fmt::format("p{} = {{ tcp = [{}, \"{}-{}\"] }}\n", i, 1000 + i * 7, 3000 + i * 20, 3015 + i * 20);
  for (std::size_t i = 0; i < segments; ++i)
    text += fmt::format("[segment.s{}]\ncidr = [\"10.{}.{}.0/18\", \"fd00:{:x}::/32\"]\n", i, i / 4, i % 4 * 64, i);
  for (std::size_t i = 0; i < statements; ++i)
    text += fmt::format("[[{}]]\nname = \"r{}\"\nfrom = [\"{}\", \"s{}\"]\nto = \"s{}\"\nwith = [\"p{}\"]\n",
                        i % 5 == 0 ? "forbid" : "allow", i, i == 5 ? "big" : fmt::format("s{}", random() % segments),
                        random() % segments, random() % segments, random() % 200);
  return text;
}

}  // namespace

int main() {
  std::mt19937 random(1);
  auto files = memory({{"big.txt", list_of(1'000'000, random)}, {"policy.toml", policy_of(1000, 10'000, random)}});
  const auto begin = std::chrono::steady_clock::now();
  const Checked checked = check(load(std::move(files), "policy.toml", ""), 0);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%zu segments and lists, %zu statements, %zu warnings: %.2f s\n", checked.model.segments.size(),
              checked.model.statements.size(), checked.diagnostics.warnings(), seconds);
  return checked.ok() && checked.model.statements.size() == 10'000 && seconds < 20 ? 0 : 1;
}
