#include "control/serve/peer.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace weir::control {

Rights::Rights(const std::string& read_group, const std::string& change_group)
    : read_(group(read_group)), change_(group(change_group)) {}

std::optional<gid_t> Rights::group(const std::string& name) {
  gid_t number = 0;
  const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (fault == std::errc() && end == name.data() + name.size()) return number;
  if (const ::group* const found = getgrnam(name.c_str())) return found->gr_gid;
  unknown_.push_back(name);
  return std::nullopt;
}

Peer Rights::judge(uid_t uid, pid_t pid, const std::vector<gid_t>& groups) const {
  const auto has = [&](const std::optional<gid_t>& wanted) {
    return wanted && std::ranges::find(groups, *wanted) != groups.end();
  };
  Peer peer{uid, pid, false, false};
  peer.may_change = uid == 0 || uid == geteuid() || has(change_);
  peer.may_read = peer.may_change || has(read_);
  return peer;
}

std::optional<Peer> Rights::peer_of(int socket) const {
  ucred who{};
  socklen_t bytes = sizeof who;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &bytes) != 0 || bytes != sizeof who) return std::nullopt;
  std::vector<gid_t> groups(64);
  for (;;) {
    bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) == 0) break;
    if (errno != ERANGE) return std::nullopt;
    groups.resize(bytes / sizeof(gid_t));
  }
  groups.resize(bytes / sizeof(gid_t));
  groups.push_back(who.gid);
  return judge(who.uid, who.pid, groups);
}

std::string user_name(uid_t uid) {
  const passwd* const found = getpwuid(uid);
  return found == nullptr ? std::to_string(uid) : found->pw_name;
}

}  // namespace weir::control
