// Any bytes as rule files, in memory: they are refused with diagnostics that can be shown in every form, or they
// compile to an image that verifies. The input is the root file, then, behind a line of `----`, an included file, then
// a list.
#include "control/check/check.hpp"
#include "control/compile/compile.hpp"
#include "control/report/report.hpp"
#include "dataplane/policy/verify.hpp"

#include <cstdlib>
#include <string>

using namespace weir;
using namespace weir::control;

namespace {

std::map<std::string, std::string> files_of(std::string_view bytes) {
  std::map<std::string, std::string> files;
  for (const char* name : {"policy.toml", "policy.d/team.toml", "list.txt"}) {
    const std::size_t end = std::min(bytes.find("\n----\n"), bytes.size());
    files[name] = std::string(bytes.substr(0, end));
    bytes.remove_prefix(std::min(bytes.size(), end + 6));
  }
  return files;
}

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 16) return 0;
  const Checked checked =
      check(load(memory(files_of({reinterpret_cast<const char*>(data), size})), "policy.toml", ""), 1'780'272'000);
  const std::string shown = human(checked.diagnostics, checked.sources, false);
  must(shown.find('\x1b') == std::string::npos);
  must(checked.ok() || !shown.empty());
  json(checked.diagnostics, checked.sources);
  sarif(checked.diagnostics, checked.sources, "fuzz");
  if (!checked.ok()) return 0;
  const auto compiled = compile(checked.model, 1);
  if (!compiled) return 0;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(64, compiled->image.size()));
  must(memory != nullptr);
  std::copy(compiled->image.begin(), compiled->image.end(), memory);
  must(verify({memory, compiled->image.size()}).has_value());
  std::free(memory);
  return 0;
}
