// What `weir capture` and `weir trace` have in common: which packets are meant, for how long, and how a dataplane is
// asked to show them. Names come from the image of the policy in force, which the dataplane hands over.
#pragma once
#include "control/see/filter.hpp"
#include "control/see/mirror_text.hpp"
#include "control/see/mirror_view.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace weir {

struct ShowOptions {
  std::string door, from, to, within = "1m";
  std::vector<std::string> filter, reasons;
  u32 count = 1;
};

void add_show(CLI::App& command, ShowOptions& options);

// Says on stderr what is wrong with the options, and then there is none.
std::optional<MirrorWish> wish_of(const std::string& command, const ShowOptions& options);

// Each packet, and now and then null: nothing has come for a while. False: it is enough.
using Shown = std::function<bool(const Mirrored* packet, const see::MirrorNames& names)>;

// Until it is over, or a signal comes; tells on stderr how it ended. The exit code: 1 where no packet was shown.
// `begun` is told the names of the ports, before the first packet; false: it cannot go on.
int show_packets(const std::string& command, const std::string& door, const MirrorWish& wish,
                 const std::function<bool(const std::vector<std::string>&)>& begun, const Shown& shown);

}  // namespace weir
