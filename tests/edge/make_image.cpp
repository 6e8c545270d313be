// Writes one of the two flip policies as an image, for tests of the real binary: make_image a|b GENERATION FILE.
#include "tests/property/flip_policies.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: make_image a|b GENERATION FILE\n";
    return 2;
  }
  const auto side = std::string_view(argv[1]) == "a" ? weir::FlipSide::a : weir::FlipSide::b;
  const auto image = weir::flip_image(side, std::strtoull(argv[2], nullptr, 10));
  std::ofstream file(argv[3], std::ios::binary);
  file.write(reinterpret_cast<const char*>(image.data()), static_cast<std::streamsize>(image.size()));
  return file.good() ? 0 : 1;
}
