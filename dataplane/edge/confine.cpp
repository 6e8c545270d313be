#include "dataplane/edge/confine.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <tuple>
#include <vector>

namespace weir::edge {
namespace {

constexpr auto all_threads_wait_max = std::chrono::seconds(5);
constexpr auto look_again = std::chrono::milliseconds(1);

// capset(2) is one thread's, unlike setresuid(3): each makes the call itself, between two of its own instructions.
void drop_capabilities(int) {
  const int before = errno;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct nothing[_LINUX_CAPABILITY_U32S_3] = {};
  syscall(SYS_capset, &header, nothing);  // what is left is found by who looks
  errno = before;
}

std::vector<pid_t> threads_of_process() {
  std::vector<pid_t> threads;
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    const std::string name = task.path().filename();
    pid_t thread = 0;
    std::from_chars(name.data(), name.data() + name.size(), thread);
    threads.push_back(thread);
  }
  return threads;
}

// What a thread still has of what it should not have; empty: nothing, or it has ended.
std::string rest_of(pid_t thread, const Identity& identity) {
  std::ifstream status(fmt::format("/proc/self/task/{}/status", thread));
  std::string name;
  for (std::string word; status >> word;) {
    if (word == "Name:") status >> name;
    if (word == "CapInh:" || word == "CapPrm:" || word == "CapEff:" || word == "CapAmb:") {
      std::string held;
      status >> held;
      if (held.find_first_not_of('0') != held.npos) return fmt::format("thread {} has {} {}", name, word, held);
    }
    if (word != "Uid:" && word != "Gid:") continue;
    const u64 wanted = word == "Uid:" ? identity.user : identity.group;
    for (u64 id = 0, kind = 0; kind < 4 && status >> id; ++kind)
      if (id != wanted) return fmt::format("thread {} has {} {}", name, word, id);
  }
  return "";
}

// In every thread, those that are made meanwhile included.
std::expected<void, Error> drop_everywhere(const Identity& identity) {
  const int number = SIGRTMAX;
  struct sigaction action{}, before{};
  action.sa_handler = drop_capabilities;
  action.sa_flags = SA_RESTART;
  sigaction(number, &action, &before);
  const auto deadline = std::chrono::steady_clock::now() + all_threads_wait_max;
  std::string rest;
  do {
    rest.clear();
    for (const pid_t thread : threads_of_process()) {
      const std::string left = rest_of(thread, identity);
      if (left.empty()) continue;
      rest = left;
      syscall(SYS_tgkill, getpid(), thread, number);
    }
    if (!rest.empty()) std::this_thread::sleep_for(look_again);
  } while (!rest.empty() && std::chrono::steady_clock::now() < deadline);
  sigaction(number, &before, nullptr);
  if (rest.empty()) return {};
  return std::unexpected(Error{fmt::format("--user {}: {}: privileges are not all given up", identity.name, rest)});
}

// The folder itself, or where it would be made.
std::filesystem::path made_in(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return path;
  return path.has_parent_path() ? path.parent_path() : ".";
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : ".";
}

std::expected<void, Error> usable(const char* option, const std::filesystem::path& path, int how, const Options& as) {
  if (access(path.c_str(), how) == 0) return {};
  const char* const what = how == R_OK ? "read" : "write in";
  return std::unexpected(system_error(fmt::format("{}: {} cannot {} {}: give it to that user (chown), or name another",
                                                  option, as.user, what, path.string())));
}

}  // namespace

std::expected<Identity, Error> identity_of(const std::string& text) {
  const auto colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const passwd* const entry = getpwnam(name.c_str());
  if (entry == nullptr) return std::unexpected(Error{fmt::format("--user: no user `{}` here", name)});
  Identity identity{name, entry->pw_uid, entry->pw_gid};
  if (colon != text.npos) {
    const struct group* const group = getgrnam(text.substr(colon + 1).c_str());
    if (group == nullptr)
      return std::unexpected(Error{fmt::format("--user: no group `{}` here", text.substr(colon + 1))});
    identity.group = group->gr_gid;
  }
  if (identity.user == 0 || identity.group == 0)
    return std::unexpected(Error{fmt::format("--user: `{}` is root's: that gives up nothing", text)});
  return identity;
}

std::expected<void, Error> become(const Identity& identity) {
  const auto wrong = [&](const char* what) {
    return std::unexpected(system_error(fmt::format("--user {}: {}", identity.name, what)));
  };
  if (geteuid() != 0 && (getuid() != identity.user || getgid() != identity.group))
    return std::unexpected(
        Error{fmt::format("--user {}: only root becomes somebody else, and this is user {}, group {}: leave it out",
                          identity.name, getuid(), getgid())});
  if (geteuid() == 0) {
    if (initgroups(identity.name.c_str(), identity.group) != 0) return wrong("its groups cannot be taken");
    if (setresgid(identity.group, identity.group, identity.group) != 0) return wrong("its group cannot be taken");
    if (setresuid(identity.user, identity.user, identity.user) != 0) return wrong("cannot become it");
  }
  if (auto dropped = drop_everywhere(identity); !dropped) return dropped;
  if (setuid(0) == 0) return std::unexpected(Error{fmt::format("--user {}: root can be had back", identity.name)});
  return {};
}

std::expected<void, Error> check_usable(const Options& options) {
  constexpr int write_in = W_OK | X_OK;
  std::vector<std::tuple<const char*, std::filesystem::path, int>> uses;
  const auto use = [&](const char* option, const std::string& path, int how, auto place) {
    if (!path.empty()) uses.emplace_back(option, place(path), how);
  };
  const auto itself = [](const std::filesystem::path& path) { return path; };
  use("--policy", options.policy_path, R_OK, itself);
  use("--door", options.door_path, write_in, folder_of);
  use("--stats", options.stats_path, write_in, folder_of);
  use("--decisions", options.decisions_path, write_in, folder_of);
  use("--keep", options.keep_path, write_in, made_in);
  use("--evidence", options.evidence_path, write_in, made_in);
  use("--ledger", options.ledger_path, write_in, itself);
  use("--ledger-anchor", options.ledger_anchor_path, write_in, itself);
  use("--ledger-key", options.ledger_key_path, R_OK, itself);
  for (const auto& [job, path] : options.job_keys) use("--job-key", path, R_OK, itself);
  for (const auto& [option, path, how] : uses)
    if (auto can = usable(option, path, how, options); !can) return can;
  return {};
}

std::expected<void, Error> confine(const Options& options, bool needs_bpf) {
  if (!options.user.empty()) {
    const auto identity = identity_of(options.user);
    if (!identity) return std::unexpected(identity.error());
    if (auto done = become(*identity); !done) return done;
    if (auto can = check_usable(options); !can) return can;
  }
  return options.no_seccomp ? std::expected<void, Error>{} : forbid_calls(needs_bpf);
}

}  // namespace weir::edge
