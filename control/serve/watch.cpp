#include "control/serve/watch.hpp"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <ctime>

namespace weir::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto tick_period = std::chrono::milliseconds(50);
constexpr std::uint32_t moves =
    IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF;

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

}  // namespace

Watch::Watch(Server& server, Publisher& publisher, WatchReport& report, const ServeOptions& options)
    : server_(server),
      publisher_(publisher),
      report_(report),
      options_(options),
      directory_(directory_of(options.rules)),
      inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  server_.when_readable(inotify_, [this] { heard(); });
  server_.every(tick_period, [this] { tick(); });
  follow({directory_});
  moved_at_ = Clock::now();  // what stands there now may be new
}

Watch::~Watch() { close(inotify_); }

void Watch::heard() {
  alignas(inotify_event) char room[16 << 10];
  while (read(inotify_, room, sizeof room) > 0) moved_at_ = Clock::now();
}

void Watch::tick() {
  if (!moved_at_ || is_looking_ || Clock::now() - *moved_at_ < std::chrono::milliseconds(options_.settle_ms)) return;
  moved_at_.reset();
  is_looking_ = server_.give(Where::slow, [this] { look(); });
  if (!is_looking_) moved_at_ = Clock::now();
}

void Watch::follow(const std::set<std::string>& folders) {
  for (const std::string& folder : folders)  // anew each time: the folder may be another by the same name
    if (inotify_add_watch(inotify_, folder.c_str(), moves | IN_ONLYDIR) >= 0) followed_.insert(folder);
}

std::set<std::string> Watch::folders_of(const Bundle& bundle) const {
  std::set<std::string> folders{directory_};
  for (const auto& [name, text] : bundle.files)
    for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
      folders.insert(directory_ + "/" + name.substr(0, slash));
  return folders;
}

void Watch::look() {
  const auto bundle = bundle_from_disk(options_.rules);
  Json told = {{"rules", options_.rules}, {"at", std::time(nullptr)}, {"result", "unchanged"}};
  std::set<std::string> folders{directory_};
  if (!bundle) {
    told["result"] = "refused";
    told["why"] = bundle.error();
  } else {
    folders = folders_of(*bundle);
    const std::string now = digest(*bundle);
    if (now == last_) {
      server_.post([this, folders] { follow(folders), is_looking_ = false; });
      return;
    }
    last_ = now;
    Proposal change{.bundle = *bundle};
    change.kind = "watch";
    change.uid = geteuid();
    change.user = "watch";
    change.replaces_trial = true;
    change.confirm_within_ms = options_.watch_confirm_ms;
    const bool only_stages = options_.watch == "stage" || publisher_.asks_signatures() || publisher_.is_locked_down() ||
                             publisher_.is_open();
    const bool is_known = publisher_.has_texts(now);
    const Published done = is_known      ? Published(Json::object())
                           : only_stages ? publisher_.stage(change)
                                         : publisher_.apply(change);
    if (!is_known) told["result"] = !done ? "refused" : only_stages ? "staged" : "applied";
    if (!done) {
      told["why"] = done.error().sentence;
      if (done.error().details.contains("diagnostics")) told["diagnostics"] = done.error().details["diagnostics"];
      // What the dataplane or the disk refused may pass later: look again.
      if (done.error().status != 422) last_.clear();
      if (said_ != done.error().sentence)  // once, however often it is tried again
        fmt::print(stderr, "weir-control: the rules were not taken: {}\n", done.error().sentence);
      said_ = done.error().sentence;
    } else if (said_.clear(); !is_known) {
      told["generation"] = only_stages ? (*done)["staged"] : (*done)["generation"];
    }
  }
  const bool again = last_.empty() && bundle.has_value();
  report_.set(told);
  server_.post([this, folders, again] {
    follow(folders);
    is_looking_ = false;
    if (again) moved_at_ = Clock::now() + std::chrono::seconds(2);
  });
}

}  // namespace weir::control
