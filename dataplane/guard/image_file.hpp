// A policy image from a file, in memory of its own and verified: what weir-guard's commands begin with.
#pragma once
#include "dataplane/guard/tables.hpp"

#include <memory>
#include <optional>

namespace weir::guard {

class ImageFile {
 public:
  static std::expected<ImageFile, Error> read(const std::string& path);
  const Policy& policy() const { return *policy_; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };
  std::unique_ptr<std::byte, Free> bytes_;
  std::optional<Policy> policy_;
};

}  // namespace weir::guard
