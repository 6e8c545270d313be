#include "control/serve/route.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace weir::control {
namespace {

// Whether `path` is what the row means; fills what stands for `*`.
bool fits(std::string_view pattern, std::string_view path, std::string& rest) {
  if (!pattern.ends_with("/*")) return pattern == path;
  pattern.remove_suffix(1);
  if (!path.starts_with(pattern)) return false;
  path.remove_prefix(pattern.size());
  if (path.empty() || path.find('/') != std::string_view::npos) return false;
  rest = path;
  return true;
}

}  // namespace

HttpAnswer error_answer(int status, std::string_view sentence) {
  const nlohmann::ordered_json body = {{"error", sentence}};
  return {status, body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n"};
}

Found find_route(std::span<const Route> routes, const HttpRequest& request, const Peer& peer) {
  if (!peer.may_read) return {nullptr, "", error_answer(403, "neither of the groups that may read or change")};
  bool is_known = false;
  for (const Route& route : routes) {
    std::string rest;
    if (!fits(route.path, request.path, rest) || (peer.by_tcp && !route.over_tcp)) continue;
    is_known = true;
    if (route.method != request.method) continue;
    if (route.right == Right::change && !peer.may_change)
      return {nullptr, "", error_answer(403, "who asks may read, and not change")};
    return {&route, std::move(rest)};
  }
  if (is_known) return {nullptr, "", error_answer(405, fmt::format("{} is not for this path", request.method))};
  return {nullptr, "", error_answer(404, "there is no such path")};
}

}  // namespace weir::control
