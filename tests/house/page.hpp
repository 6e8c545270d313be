// A page of docs that a table makes: writes it, or says whether the one that is there still is what the table makes.
#pragma once
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

namespace weir {

// The main of a page's program. usage: PROGRAM PAGE [--write]
inline int keep_page(const std::string& text, int count, char** arguments) {
  if (count < 2) {
    std::cerr << "usage: " << arguments[0] << " PAGE [--write]\n";
    return 2;
  }
  if (count > 2 && std::string_view(arguments[2]) == "--write") return !(std::ofstream(arguments[1]) << text).flush();
  std::ifstream stream(arguments[1]);
  const std::string there{std::istreambuf_iterator<char>(stream), {}};
  if (there == text) return 0;
  std::cerr << arguments[1] << " is not what its table makes: " << arguments[0] << " " << arguments[1] << " --write\n";
  return 1;
}

}  // namespace weir
