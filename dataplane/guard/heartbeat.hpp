// Whether the dataplane's workers beat: read from its stats segment, which it maps and nobody else writes. A dataplane
// that was started anew has a new file under the same name, and is found again.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <string>
#include <vector>

namespace weir::guard {

class Heartbeat {
 public:
  explicit Heartbeat(std::string path) : path_(std::move(path)) {}
  ~Heartbeat() { forget(); }
  Heartbeat(const Heartbeat&) = delete;

  // Whether every worker has gone on since the last call; to be asked some times within the silence that is allowed.
  bool goes_on();

 private:
  bool open();
  void forget();

  const std::string path_;
  const std::byte* at_ = nullptr;
  std::size_t bytes_ = 0;
  std::vector<u64> last_;
};

}  // namespace weir::guard
