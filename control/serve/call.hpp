// A request to weir-control and its answer, over its UNIX socket, for commands. It waits as long as it is told, and
// knows nothing of what is asked.
#pragma once
#include "control/serve/route.hpp"

#include <expected>
#include <functional>
#include <string>

namespace weir::control {

struct CallFailure {
  bool is_not_permitted;  // the socket is there and may not be opened
  std::string sentence;
};

struct Calling {
  std::string socket;
  int wait_s = 600;  // a policy may take long to compile
};

std::expected<HttpAnswer, CallFailure> call(const Calling& calling, std::string_view method, std::string_view target,
                                            std::string_view body = {});

// An answer without an end: `each` gets what comes, as it comes, until it returns false or the answer ends.
std::expected<HttpAnswer, CallFailure> follow(const Calling& calling, std::string_view target,
                                              const std::function<bool(std::string_view)>& each);

}  // namespace weir::control
