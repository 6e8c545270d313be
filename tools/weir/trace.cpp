// `weir trace SOCKET [FILTER]`: what a packet met on its way through a running dataplane, stage by stage, as the worker
// that judged it wrote it down. Nothing is simulated.
#include "control/see/eve.hpp"
#include "tools/weir/commands.hpp"
#include "tools/weir/rules.hpp"
#include "tools/weir/show.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

namespace weir {
namespace {

struct TraceOptions {
  ShowOptions show;
  std::string output = "table";
};

void print_trace(const Mirrored& packet, const see::MirrorNames& names) {
  fmt::print("{} {}, {} bytes\n", see::eve_time(packet.time), see::ends_text(packet, names), packet.frame_bytes);
  for (const auto& [stage, text] : see::stages_of(packet, names)) fmt::print("  {:<11}{}\n", stage, text);
  fmt::print("\n");
}

int trace(const TraceOptions& options) {
  auto wish = wish_of("trace", options.show);
  if (!wish) return exit_invalid;
  wish->wants_stages = 1;
  const Shown shown = [&](const Mirrored* packet, const see::MirrorNames& names) {
    if (packet != nullptr && options.output == "json") fmt::print("{}", text_of(see::trace_json(*packet, names), true));
    else if (packet != nullptr) print_trace(*packet, names);
    return std::fflush(stdout) == 0;
  };
  return show_packets("trace", options.show.door, *wish, [](const auto&) { return true; }, shown);
}

}  // namespace

void add_trace(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<TraceOptions>();
  CLI::App* command = app.add_subcommand("trace", "What a packet meets on its way through a running dataplane");
  add_show(*command, options->show);
  command->add_option("-o,--output", options->output, "table, or json: a line a packet")
      ->check(CLI::IsMember({"table", "json"}));
  command->callback([options, &exit_code] { exit_code = trace(*options); });
}

}  // namespace weir
