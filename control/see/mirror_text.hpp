// A packet that a dataplane has shown, as text: the comment beside it in a capture, a line for people, and what it met
// stage by stage. Only what its worker wrote down is told, with the names of the policy that judged it.
#pragma once
#include "control/see/names.hpp"
#include "dataplane/share/mirror.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace weir::see {

// `names` is of the packet's generation, or null: then numbers are told. `ports` are the dataplane's by index.
struct MirrorNames {
  const PolicyNames* names;
  const std::vector<std::string>& ports;
};

// "tcp 10.0.1.5:2000 (trainers) > 10.1.1.5:443 (store)"; of what could not be parsed "a frame of 60 bytes".
std::string ends_text(const Mirrored& packet, const MirrorNames& names);
// "drop no_allow: no allow covers it | trainers > store | generation 7 | ..."
std::string comment_text(const Mirrored& packet, const MirrorNames& names);
// "cut to 54 of 1500 bytes: its sender holds an asset, or may"; empty where it is whole.
std::string cut_text(const Mirrored& packet);

// What it met, in order: the stage's name and what there is to say of it. A stage that it did not come to says so.
using Stages = std::vector<std::pair<std::string, std::string>>;
Stages stages_of(const Mirrored& packet, const MirrorNames& names);
nlohmann::ordered_json trace_json(const Mirrored& packet, const MirrorNames& names);

}  // namespace weir::see
