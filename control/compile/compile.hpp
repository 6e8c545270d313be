// Model to policy image: overlapping segments to disjoint zones, port sets to service atoms, statements to a decision
// table. Deterministic: the same model gives the same bytes but for the generation. The image's shape is in
// dataplane/policy/image.hpp; what it means is in docs/image.md.
#pragma once
#include "control/model/diagnostic.hpp"

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <vector>

namespace weir::control {

struct CompileReport {
  std::size_t zones, services, decisions, rules;
  std::size_t image_bytes;
  std::string decision_form;   // "matrix" or "vectors"
  std::size_t decision_bytes;
};

struct Compiled {
  std::vector<std::byte> image;  // a multiple of 64 bytes
  CompileReport report;
};

// A capacity of the image format exceeded (E06xx): which, how much, the limit.
struct CapacityError {
  std::string code;      // "E0601" ...
  std::string sentence;
  std::vector<Label> causes{};  // statements that it comes from, the first of them foremost
  std::string note{};
};

// The form is the compiler's choice, by size and cost, unless a test or a bench wants one of them.
enum class DecisionForm { automatic, matrix, vectors };

// `patterns`: the model's pattern sets as control/inspect compiles them. Without them the image of a model that has any
// is to be asked: it says what is looked for, and no dataplane takes it.
std::expected<Compiled, CapacityError> compile(const Model& model, std::uint64_t generation,
                                               DecisionForm form = DecisionForm::automatic,
                                               std::span<const std::byte> patterns = {});

}  // namespace weir::control
