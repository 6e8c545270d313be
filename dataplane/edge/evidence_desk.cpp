#include "dataplane/edge/evidence_desk.hpp"

#include "dataplane/edge/dataplane.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <ctime>

namespace weir::edge {
namespace {

constexpr std::size_t packets_per_ring = 2048;  // 4 MiB
constexpr auto pause = std::chrono::milliseconds(20);

// The classic format of libpcap, in microseconds, Ethernet: draft-ietf-opsawg-pcap, sections 4 and 5.
struct PcapFileHeader {
  u32 magic = 0xa1b2'c3d4;
  u16 major = 2, minor = 4;
  u32 zone = 0, accuracy = 0, snap_bytes = Evidence::bytes_max, link = 1;
};
struct PcapPacketHeader {
  u32 seconds, microseconds, kept_bytes, frame_bytes;
};

}  // namespace

std::expected<std::unique_ptr<EvidenceDesk>, Error> EvidenceDesk::open(const Options& options, const Ports& ports) {
  if (mkdir(options.evidence_path.c_str(), 0700) != 0 && errno != EEXIST)
    return std::unexpected(system_error("cannot make " + options.evidence_path));
  const std::string base = fmt::format("{}/evidence-{}", options.evidence_path, std::time(nullptr));
  const auto create = [](const std::string& path) -> std::expected<File, Error> {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    std::FILE* const file = fd < 0 ? nullptr : fdopen(fd, "w");
    if (file == nullptr) return std::unexpected(system_error("cannot create " + path));
    return File(file, std::fclose);
  };
  auto packets = create(base + ".pcap"), lines = create(base + ".jsonl");
  for (const auto* file : {&packets, &lines})
    if (!*file) return std::unexpected(file->error());
  const PcapFileHeader header;
  std::fwrite(&header, sizeof header, 1, packets->get());
  if (!options.evidence_whole.empty())
    fmt::print(lines->get(), "{}\n", nlohmann::json{{"keeps_whole", options.evidence_whole}}.dump());
  return std::unique_ptr<EvidenceDesk>(new EvidenceDesk(options, ports, std::move(*packets), std::move(*lines)));
}

EvidenceDesk::EvidenceDesk(const Options& options, const Ports& ports, File packets, File lines)
    : bytes_max_(u64{options.evidence_mib} << 20), packets_(std::move(packets)), lines_(std::move(lines)) {
  for (const Port& port : ports.all()) port_names_.push_back(port.name);
  slots_.resize(options.workers);
  for (auto& slots : slots_) {
    slots.resize(packets_per_ring);
    rings_.push_back(std::make_unique<EvidenceRing>(slots, !options.evidence_whole.empty()));
  }
  thread_ = std::thread([this] { run(); });
}

void EvidenceDesk::run() {
  while (!stop_.load(std::memory_order_relaxed)) {
    drain();
    std::this_thread::sleep_for(pause);
  }
}

void EvidenceDesk::close() {
  if (!thread_.joinable()) return;
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
  drain();
  u64 lost = 0;
  for (const auto& ring : rings_) lost += ring->lost.read();
  const bool failed = (std::ferror(packets_.get()) | std::ferror(lines_.get())) != 0;
  say(fmt::format("evidence: {} packets kept, {} beyond what may be kept, {} came too fast{}", written_, left_out_,
                  lost, failed ? "; WRITING FAILED" : ""));
}

void EvidenceDesk::drain() {
  const u64 before = written_;
  Evidence one;
  for (const auto& ring : rings_)
    while (ring->packets.take(one)) write(one);
  if (written_ == before) return;
  std::fflush(packets_.get());
  std::fflush(lines_.get());
}

void EvidenceDesk::write(const Evidence& one) {
  bytes_ += sizeof(PcapPacketHeader) + one.bytes;
  if (bytes_ > bytes_max_) {
    if (left_out_++ == 0) say("evidence: as much is kept as may be (--evidence-mib); no more is written");
    return;
  }
  const PcapPacketHeader header{static_cast<u32>(one.time / tick_second), static_cast<u32>(one.time % tick_second),
                                one.bytes, one.frame_bytes};
  std::fwrite(&header, sizeof header, 1, packets_.get());
  std::fwrite(one.frame, one.bytes, 1, packets_.get());
  nlohmann::ordered_json line{{"packet", ++written_},
                              {"time", fmt::format("{}.{:06}", one.time / tick_second, one.time % tick_second)},
                              {"port", one.port < port_names_.size() ? port_names_[one.port] : ""},
                              {"reason", row(one.reason).name},
                              {"rule", std::string(one.rule)}};
  if (one.found[0] != '\0') line["found"] = std::string(one.found);
  line["after"] = one.after;
  line["frame_bytes"] = one.frame_bytes;
  line["kept_bytes"] = one.bytes;
  line["generation"] = one.generation;
  fmt::print(lines_.get(), "{}\n", line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace weir::edge
