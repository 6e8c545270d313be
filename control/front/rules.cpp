#include "control/front/rules.hpp"

#include "control/inspect/compile_patterns.hpp"
#include "control/model/breakglass.hpp"
#include "control/report/catalogue.hpp"
#include "dataplane/base/check.hpp"
#include "dataplane/policy/verify.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

namespace weir::control {
namespace {

// The code as the catalogue has it: the error's own text does not outlive it.
void add_capacity(const CapacityError& error, Diagnostics& out) {
  const CodeRow* row = find_code(error.code);
  const Label nowhere{{~0u, 0, 0}, ""};
  const Label& first = error.causes.empty() ? nowhere : error.causes.front();
  auto& made = out.add(row == nullptr ? "E0699" : row->code, first.span, error.sentence, first.text);
  for (std::size_t i = 1; i < error.causes.size(); ++i) made.with(error.causes[i].span, error.causes[i].text);
  if (!error.note.empty()) made.note(error.note);
}

// What questions are put to: a policy in monitor mode denies nothing, and says all the same what it would deny.
Model asked_of(Model model) {
  model.monitor = false;
  return model;
}

}  // namespace

std::expected<PolicyFile, std::string> take_image(std::span<const std::byte> image) {
  if (image.empty() || image.size() % image::alignment_bytes != 0)
    return std::unexpected(fmt::format("not a policy image: {} bytes", image.size()));
  std::unique_ptr<std::byte, void (*)(void*)> memory(
      static_cast<std::byte*>(std::aligned_alloc(image::alignment_bytes, image.size())), std::free);
  if (memory == nullptr) return std::unexpected(fmt::format("no memory for an image of {} bytes", image.size()));
  std::memcpy(memory.get(), image.data(), image.size());
  const auto policy = verify({memory.get(), image.size()});
  if (!policy)
    return std::unexpected(fmt::format("bad policy image: {}: {}", policy.error().section, policy.error().sentence));
  return PolicyFile{std::move(memory), *policy, ""};
}

namespace {

// What is asked and, in monitor mode, what is installed; and the policy at its most open.
std::expected<void, CapacityError> compile_all(Rules& rules, std::uint64_t generation,
                                               std::span<const std::byte> patterns) {
  const Model& model = rules.checked.model;
  auto compiled = compile(asked_of(model), generation, DecisionForm::automatic, patterns);
  if (!compiled) return std::unexpected(std::move(compiled.error()));
  if (model.monitor) {
    auto made = compile(model, generation, DecisionForm::automatic, patterns);
    if (!made) return std::unexpected(std::move(made.error()));
    rules.monitoring = std::move(made->image);
  }
  const auto take = [](const Compiled& made, std::optional<PolicyFile>& into) -> std::expected<void, CapacityError> {
    auto file = take_image(made.image);
    if (!file) return std::unexpected(CapacityError{"E0699", file.error()});
    into.emplace(std::move(*file));
    return {};
  };
  if (!model.breakglass.empty()) {
    const auto most = compile(all_open(asked_of(model)), generation, DecisionForm::automatic, patterns);
    if (!most) return std::unexpected(most.error());
    if (auto taken = take(*most, rules.widest); !taken) return taken;
  }
  rules.report = compiled->report;
  return take(*compiled, rules.compiled);
}

}  // namespace

Rules read_rules(Loaded loaded, std::int64_t now_s, std::uint64_t generation, Purpose purpose, Signatures signatures,
                 const Opening* opening) {
  Rules rules{check(std::move(loaded), now_s, purpose), std::nullopt, std::nullopt, {}, std::nullopt, now_s};
  if (!rules.checked.ok()) return rules;
  if (opening != nullptr) {
    auto model = opened(rules.checked.model, opening->allow, opening->until_s);
    WEIR_CHECK(model.has_value());
    rules.checked.model = std::move(*model);
  }
  std::vector<std::byte> patterns;
  if (signatures == Signatures::compiled && !rules.checked.model.pattern_sets.empty()) {
    auto made = compile_patterns(rules.checked.model.pattern_sets);
    if (!made) {
      const bool has_place = made.error().span.file != ~0u;
      rules.checked.diagnostics.add(has_place ? "E0421" : "E0621", made.error().span, made.error().sentence);
      return rules;
    }
    patterns = std::move(*made);
  }
  if (const auto made = compile_all(rules, generation, patterns); !made)
    add_capacity(made.error(), rules.checked.diagnostics);
  return rules;
}

}  // namespace weir::control
