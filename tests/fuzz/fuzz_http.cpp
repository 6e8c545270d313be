// Fuzzes requests of weir-control: bytes, in pieces that their first byte chooses, give the same requests as in one
// piece; what a request holds keeps to its bounds and can be asked of the table of routes.
#include "control/serve/route.hpp"

#include <cstdlib>

using namespace weir::control;

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

struct Heard {
  std::vector<HttpRequest> requests;
  int status = 0;
};

Heard hear(std::string_view text, std::size_t piece) {
  Heard heard;
  HttpReader reader;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    std::string_view bytes = text.substr(at, piece);
    for (bool again = true; again && (!bytes.empty() || heard.status == 0);) {
      const HttpReader::State state = reader.take(bytes);
      again = state == HttpReader::State::whole || state == HttpReader::State::head_read;
      if (state == HttpReader::State::whole) heard.requests.push_back(reader.finish());
      if (state == HttpReader::State::whole && bytes.empty()) break;
      if (state != HttpReader::State::broken) continue;
      heard.status = reader.fault().status;
      must(heard.status >= 400 && !reader.fault().sentence.empty());
      return heard;
    }
  }
  return heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Heard whole = hear(text, size), parts = hear(text, 1u + data[0] % 64);
  must(whole.status == parts.status && whole.requests.size() == parts.requests.size());
  const auto none = [](const Call&) { return HttpAnswer{}; };
  const std::vector<Route> routes = {{"GET", "/v1/history/*", Right::read, Where::loop, none},
                                     {"POST", "/v1/apply", Right::change, Where::slow, none}};
  for (std::size_t i = 0; i < whole.requests.size(); ++i) {
    const HttpRequest& request = whole.requests[i];
    const HttpRequest& other = parts.requests[i];
    must(request.path == other.path && request.query == other.query && request.body == other.body);
    must(request.path.starts_with('/') && request.path.size() <= head_bytes_max && request.body.size() <= size);
    for (const char c : request.path) must(static_cast<unsigned char>(c) >= ' ' && c != 0x7f);
    (void)query_value(request.query, "n");
    const Found found = find_route(routes, request, {1, 1, true, false});
    must((found.route == nullptr) == (found.refusal.status != 200));
    if (found.route != nullptr) must(found.route->right == Right::read && request.method == "GET");
  }
  return 0;
}
