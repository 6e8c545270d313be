// `weir-guard run`: what the guard needs a process for, and nothing that it enforces by. It lends on budgets, where no
// dataplane holds the ledger, and passes on the dataplane's heartbeat. When it ends, or is killed, leases end with
// their time and interfaces that need a heartbeat close.
#include "dataplane/guard/acts.hpp"
#include "dataplane/guard/heartbeat.hpp"
#include "dataplane/guard/lender.hpp"

#include <csignal>
#include <cstdio>
#include <optional>
#include <thread>

namespace weir::guard {
namespace {

constexpr auto pause = std::chrono::milliseconds(2);
volatile std::sig_atomic_t is_over = 0;

int refuse(const std::string& sentence) {
  std::fprintf(stderr, "weir-guard: %s\n", sentence.c_str());
  return 1;
}

void say(const std::string& sentence) {
  std::printf("%s\n", sentence.c_str());
  std::fflush(stdout);
}

// Beats as often as the silence that is allowed needs.
class Relay {
 public:
  Relay(const std::string& stats, Kernel& kernel)
      : kernel_(kernel), every_ns_(std::max<u64>(kernel.settings().silence_ns / 8, 1'000'000)) {
    if (!stats.empty()) heartbeat_.emplace(stats);
  }
  void round(u64 now_ns) {
    if (!heartbeat_ || now_ns - asked_ns_ < every_ns_) return;
    asked_ns_ = now_ns;
    const bool goes_on = heartbeat_->goes_on();
    if (goes_on != went_on_) say(goes_on ? "the dataplane beats" : "the dataplane does not beat");
    went_on_ = goes_on;
    if (!goes_on) return;
    guard_settings own = kernel_.settings();
    own.beat_ns = now_ns;
    (void)kernel_.set_settings(own);
  }

 private:
  Kernel& kernel_;
  const u64 every_ns_;
  std::optional<Heartbeat> heartbeat_;
  u64 asked_ns_ = 0;
  bool went_on_ = false;
};

// Lends by the policy in force as long as it is the one in the file.
class Lending {
 public:
  Lending(Kernel& kernel, const RunTerms& terms) : kernel_(kernel), terms_(terms) {}

  std::expected<void, Error> open() {
    if (terms_.places.folder.empty()) return {};
    auto lender = Lender::open(kernel_, terms_.places, terms_.lease_ms * 1'000'000);
    if (!lender) return std::unexpected(lender.error());
    lender_ = std::move(*lender);
    return {};
  }

  void round(u64 now_ns) {
    if (!lender_ || closed_) return;
    if (now_ns - looked_ns_ > 100'000'000) looked_ns_ = now_ns, follow();
    const auto done = lender_->round();
    for (const ledger::Notice& notice : lender_->notices()) say(notice.sentence);
    if (done) return;
    say("LEDGER CLOSED: all that a budget covers is denied: " + done.error().sentence);
    closed_ = true;
  }
  void finish() { lender_.reset(); }

 private:
  void follow() {
    const guard_policy head = kernel_.head().value_or(guard_policy{});
    const u64 serial = head.serial, generation = head.generation;
    if (serial == lends_by_ || serial == missed_) return;
    auto image = ImageFile::read(terms_.policy);
    if (!image || image->policy().generation() != generation) {
      missed_ = serial;
      return say("generation " + std::to_string(generation) + " is in force, and " + terms_.policy +
                 " is another: nothing is lent");
    }
    image_.emplace(std::move(*image));
    const auto closed = lender_->take_over(image_->policy(), serial);
    if (!closed) return say("nothing is lent: " + closed.error().sentence), void(missed_ = serial);
    for (const std::string& line : *closed) say("not kept here: " + line);
    lends_by_ = serial;
    say("lends by generation " + std::to_string(generation));
  }

  Kernel& kernel_;
  const RunTerms& terms_;
  std::unique_ptr<Lender> lender_;
  std::optional<ImageFile> image_;
  u64 lends_by_ = 0, missed_ = 0, looked_ns_ = 0;  // the first two: serials
  bool closed_ = false;
};

}  // namespace

int act_run(const RunTerms& terms) {
  auto kernel = Kernel::open(terms.folder);
  if (!kernel) return refuse(kernel.error().sentence);
  Lending lending(*kernel, terms);
  if (auto done = lending.open(); !done) return refuse(done.error().sentence);
  Relay relay(terms.stats, *kernel);
  for (const int number : {SIGTERM, SIGINT}) std::signal(number, [](int) { is_over = 1; });
  while (is_over == 0) {
    const u64 now_ns = boot_ns();
    lending.round(now_ns);
    relay.round(now_ns);
    std::this_thread::sleep_for(pause);
  }
  lending.finish();
  return 0;
}

}  // namespace weir::guard
