// Any text as a filter: an error with a place inside the text, or a filter that answers and that asking twice answers
// alike.
#include "control/see/filter.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  using namespace weir;
  const std::string_view text(reinterpret_cast<const char*>(data), bytes);
  const auto filter = see::Filter::parse(text);
  if (!filter) {
    if (filter.error().at > text.size() || filter.error().sentence.empty()) std::abort();
    if (see::show(filter.error(), text).empty()) std::abort();
    return 0;
  }
  const see::Facts facts{Address::ipv4(0x0100000a), Address::ipv4(0x0200000a), 1000, 443, 6, "a", "b", "c",
                         "no_allow", "packet_dropped"};
  if (filter->matches(facts) != filter->matches(facts)) std::abort();
  return 0;
}
