// `weir capture SOCKET [FILTER]`: packets themselves, as a running dataplane judges them, into a pcapng file with what
// became of each beside it, or a line for each. Of what a holder of an asset sends the dataplane gives headers and 32
// bytes.
#include "control/see/eve.hpp"
#include "tools/capture/writer.hpp"
#include "tools/weir/commands.hpp"
#include "tools/weir/rules.hpp"
#include "tools/weir/show.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

namespace weir {
namespace {

struct CaptureOptions {
  ShowOptions show;
  std::string path, output = "table";
};

void print_packet(const CaptureOptions& options, const Mirrored& packet, const see::MirrorNames& names) {
  if (options.output == "json") fmt::print("{}", text_of(see::trace_json(packet, names), true));
  else
    fmt::print("{} {}  {}\n", see::eve_time(packet.time).substr(11, 15), see::ends_text(packet, names),
               see::comment_text(packet, names));
}

int print_packets(const CaptureOptions& options, const MirrorWish& wish) {
  const Shown shown = [&](const Mirrored* packet, const see::MirrorNames& names) {
    if (packet != nullptr) print_packet(options, *packet, names);
    return std::fflush(stdout) == 0;
  };
  return show_packets("capture", options.show.door, wish, [](const auto&) { return true; }, shown);
}

int write_packets(const CaptureOptions& options, const MirrorWish& wish) {
  std::optional<capture::PcapngWriter> writer;
  const auto begun = [&](const std::vector<std::string>& ports) {
    umask(0077);  // packets are for their owner alone
    auto created = capture::PcapngWriter::create(options.path, ports);
    if (!created) fmt::print(stderr, "weir capture: {}\n", created.error());
    if (created) writer.emplace(std::move(*created));
    return writer.has_value();
  };
  const Shown shown = [&](const Mirrored* packet, const see::MirrorNames& names) {
    if (packet != nullptr)
      writer->write(packet->port, packet->time, {packet->frame, packet->bytes}, packet->frame_bytes,
                    see::comment_text(*packet, names));
    else writer->flush();
    return writer->is_well();
  };
  const int code = show_packets("capture", options.show.door, wish, begun, shown);
  if (!writer) return code;
  const auto closed = writer->close();
  if (!closed) fmt::print(stderr, "weir capture: {}\n", closed.error());
  return closed ? code : exit_invalid;
}

}  // namespace

void add_capture(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<CaptureOptions>();
  options->show.count = 100;
  CLI::App* command =
      app.add_subcommand("capture", "Packets as a running dataplane judges them, with what became of each");
  add_show(*command, options->show);
  command->add_option("-w,--write", options->path, "A pcapng file with a comment on each packet; - is standard output");
  command->add_option("-o,--output", options->output, "Without -w: table or json, a line a packet")
      ->check(CLI::IsMember({"table", "json"}));
  command->callback([options, &exit_code] {
    const auto wish = wish_of("capture", options->show);
    exit_code = !wish                   ? exit_invalid
                : options->path.empty() ? print_packets(*options, *wish)
                                        : write_packets(*options, *wish);
  });
}

}  // namespace weir
