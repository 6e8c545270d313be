#include "dataplane/guard/image_file.hpp"

#include "dataplane/policy/verify.hpp"

#include <cstdlib>
#include <fstream>

namespace weir::guard {

void ImageFile::Free::operator()(std::byte* bytes) const { std::free(bytes); }

std::expected<ImageFile, Error> ImageFile::read(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file.tellg();
  if (!file || size <= 0) return std::unexpected(Error{path + ": cannot be read"});
  const auto bytes = static_cast<std::size_t>(size);
  ImageFile made;
  made.bytes_.reset(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)));
  file.seekg(0);
  if (!made.bytes_ || !file.read(reinterpret_cast<char*>(made.bytes_.get()), size))
    return std::unexpected(Error{path + ": cannot be read"});
  const auto policy = verify({made.bytes_.get(), bytes});
  if (!policy)
    return std::unexpected(Error{path + ": no policy image that holds: " + std::string(policy.error().section) + ": " +
                                 std::string(policy.error().sentence)});
  made.policy_ = *policy;
  return made;
}

}  // namespace weir::guard
