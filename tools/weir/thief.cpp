// `weir thief`: every way out that tools/thief knows, tried on a policy with synthetic weights, in process; what left,
// what caught the rest, and whether that is within what the policy bounds. It sends nothing anywhere.
#include "tools/weir/thief.hpp"

#include "control/bound/show.hpp"
#include "tools/weir/commands.hpp"
#include "tools/weir/thief_run.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

using control::show_bytes;
using control::unlimited;
using Json = nlohmann::ordered_json;

enum class Finding : u8 { caught, within, unbounded, beyond };
constexpr const char* finding_words[] = {"caught", "within", "UNBOUNDED", "BEYOND"};

Finding judge(const WayResult& result, control::Bytes bound) {
  if (result.left_bytes == 0) return Finding::caught;
  if (bound >= unlimited) return result.stolen_bytes == 0 ? Finding::within : Finding::unbounded;
  return result.left_bytes <= bound ? Finding::within : Finding::beyond;
}

std::string caught_by(const WayResult& result) {
  std::vector<std::pair<u64, Reason>> most;
  for (const auto& [reason, frames] : result.caught) most.emplace_back(frames, reason);
  std::ranges::sort(most, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text;
  for (const auto& [frames, reason] : most) text += fmt::format("{}{}", text.empty() ? "" : ", ", row(reason).name);
  return text;
}

struct Tried {
  std::string name;
  WayResult result;
  control::Bytes bound;
  Finding finding;
};

void print_pair(const ThiefPair& pair, const std::vector<thief::Door>& doors, const std::vector<Tried>& all) {
  fmt::print("{} to {}\n", pair.holder_name, pair.accomplice_name);
  std::string open;
  for (const thief::Door& door : doors)
    open += fmt::format("{}{}/{}{}", open.empty() ? "" : ", ", door.protocol == 6 ? "tcp" : "udp", door.port,
                        door.holder_dials ? "" : " (dialled outside)");
  fmt::print("  open: {}\n\n", open.empty() ? "nothing" : open);
  fmt::print("  {:<52} {:>8} {:>8} {:>10} {:>11}  {:<9}  {}\n", "", "tried", "passed", "left", "bound", "",
             "caught by");
  for (const Tried& one : all)
    fmt::print("  {:<52} {:>8} {:>8} {:>10} {:>11}  {:<9}  {}\n", one.name, one.result.tried, one.result.passed,
               show_bytes(one.result.left_bytes), show_bytes(one.bound), finding_words[static_cast<u8>(one.finding)],
               caught_by(one.result));
  fmt::print("\n");
}

Json json_of(const Tried& one) {
  Json caught = Json::object();
  for (const auto& [reason, frames] : one.result.caught) caught[std::string(row(reason).name)] = frames;
  Json bound = nullptr;
  if (one.bound < unlimited)
    bound = one.bound >> 53 == 0 ? Json(static_cast<u64>(one.bound)) : Json(show_bytes(one.bound));
  return {{"way", one.name},
          {"tried", one.result.tried},
          {"passed", one.result.passed},
          {"left_bytes", one.result.left_bytes},
          {"stolen_bytes", one.result.stolen_bytes},
          {"bound_bytes", bound},
          {"finding", finding_words[static_cast<u8>(one.finding)]},
          {"caught", caught}};
}

int fail(const std::string& sentence) {
  fmt::print(stderr, "weir thief: {}\n", sentence);
  return exit_invalid;
}

std::array<std::string, 2> names_of(const ThiefOptions& options, const ThiefPair& pair) {
  const auto or_else = [](const std::string& given, const std::string& own, const char* otherwise) {
    return !given.empty() ? given : !own.empty() ? own : std::string(otherwise);
  };
  return {or_else(options.inside, pair.holder_port, "inside"),
          or_else(options.outside, pair.accomplice_port, "outside")};
}

// Tries all ways of one pair; the bounds are the pair's, or the one that was given.
std::expected<std::vector<Tried>, std::string> try_pair(const ThiefOptions& options, const ThiefTargets& targets,
                                                        const ThiefPair& pair, thief::Scene& scene) {
  std::string directory = options.write_directory;
  if (!directory.empty()) directory += "/" + pair.holder_name + "-to-" + pair.accomplice_name;
  std::ranges::replace(directory, ' ', '-');
  ThiefRun run(targets.policy(), names_of(options, pair), directory);
  auto doors = run.find_doors(scene, targets.candidates());
  if (!doors) return std::unexpected(doors.error());
  scene.doors = *doors;
  std::vector<Tried> all;
  for (const thief::Way& way : thief::ways(scene)) {
    auto result = run.run(scene, way);
    if (!result) return std::unexpected(result.error());
    const control::Bytes bound =
        options.most ? control::Bytes{*options.most} : targets.bound(pair, way.leaves_by_any, way.lasts_s);
    all.push_back({way.name, std::move(*result), bound, Finding::caught});
    all.back().finding = judge(all.back().result, bound);
  }
  return all;
}

int run_thief(const ThiefOptions& options) {
  auto targets = ThiefTargets::open(options);
  if (!targets) return fail(targets.error());
  u64 found[4]{};
  Json pairs = Json::array();
  for (const ThiefPair& pair : targets->pairs()) {
    thief::Scene scene = pair.scene;
    scene.bytes = options.bytes;
    const auto all = try_pair(options, *targets, pair, scene);
    if (!all) return fail(all.error());
    Json rows = Json::array();
    for (const Tried& one : *all) {
      ++found[static_cast<u8>(one.finding)];
      if (options.output == "json") rows.push_back(json_of(one));
    }
    if (options.output == "json")
      pairs.push_back({{"from", pair.holder_name}, {"to", pair.accomplice_name}, {"ways", rows}});
    else print_pair(pair, scene.doors, *all);
  }
  const u64 bad = found[static_cast<u8>(Finding::unbounded)] + found[static_cast<u8>(Finding::beyond)];
  if (options.output == "json") {
    fmt::print("{}\n", Json{{"pairs", pairs}, {"beyond_the_bound", bad}}.dump(2));
  } else {
    fmt::print("{} ways tried: {} caught, {} within the bound, {} without a bound, {} beyond it\n",
               found[0] + found[1] + found[2] + found[3], found[0], found[1], found[2], found[3]);
  }
  return bad == 0 ? exit_yes : exit_no;
}

}  // namespace

void add_thief(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ThiefOptions>();
  CLI::App* command = app.add_subcommand(
      "thief", "Try every way out with synthetic weights, in a replay: what would leave, and what catches the rest");
  command->add_option("policy", options->policy, "A rule file or a compiled image")->required();
  command->add_option("--from", options->from, "Who steals: a segment or an address; without it, who holds an asset");
  command->add_option("--to", options->to, "For whom: a segment or an address; without it, every exit of the asset");
  command->add_option("--bytes", options->bytes, "Of weights that each way tries to bring out (4MB)")
      ->transform(CLI::AsSizeValue(true));
  command->add_option("--most", options->most, "What may leave by one way, instead of the policy's bound: 10GB")
      ->transform(CLI::AsSizeValue(true));
  command->add_option("--inside", options->inside, "What `attach` and [port] call the holder's port");
  command->add_option("--outside", options->outside, "What they call the other");
  command->add_option("--write", options->write_directory,
                      "Directory for two captures of every way, as weir replay takes");
  command->add_option("--at", options->at, "YYYY-MM-DD: as if today were that day");
  command->add_option("-o,--output", options->output, "table or json")->check(CLI::IsMember({"table", "json"}));
  command->callback([options, &exit_code] { exit_code = run_thief(*options); });
}

}  // namespace weir
