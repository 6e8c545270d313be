#include "control/model/breakglass.hpp"

#include <algorithm>
#include <iterator>

namespace weir::control {
namespace {

void move_all(std::vector<Statement>& from, std::vector<Statement>& into) {
  into.insert(into.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  from.clear();
  std::ranges::sort(into, {}, &Statement::name);
}

}  // namespace

Model closed(Model model) {
  std::vector<Statement> aside;
  for (Statement& one : model.statements)
    if (one.breakglass_s != 0) aside.push_back(one);
  std::erase_if(model.statements, [](const Statement& one) { return one.breakglass_s != 0; });
  move_all(aside, model.breakglass);
  return model;
}

Model all_open(Model model) {
  move_all(model.breakglass, model.statements);
  return model;
}

std::optional<Model> opened(Model model, std::string_view name, std::int64_t until_s) {
  const auto found = std::ranges::find(model.breakglass, name, &Statement::name);
  if (found == model.breakglass.end()) return std::nullopt;
  std::vector<Statement> one{std::move(*found)};
  model.breakglass.erase(found);
  one[0].expires_s = std::min(one[0].expires_s.value_or(until_s), until_s);
  move_all(one, model.statements);
  return model;
}

const Statement* find_breakglass(const Model& model, std::string_view name) {
  const auto found = std::ranges::find(model.breakglass, name, &Statement::name);
  return found == model.breakglass.end() ? nullptr : &*found;
}

}  // namespace weir::control
