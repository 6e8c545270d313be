// Who speaks on a UNIX socket, as the kernel says (SO_PEERCRED, SO_PEERGROUPS), and what that entitles to. Groups are
// those the process had when it connected: no name service is asked, which could take its time.
#pragma once
#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace weir::control {

struct Peer {
  uid_t uid = static_cast<uid_t>(-1);
  pid_t pid = 0;
  bool may_read = false, may_change = false;
  bool by_tcp = false;  // nobody knows who: reads what is for everybody
};

// Groups by name or number; root and the user of this process may do everything.
class Rights {
 public:
  // A group that does not exist entitles nobody; its name comes back so that it can be said.
  Rights(const std::string& read_group, const std::string& change_group);

  // nullopt where the kernel does not say.
  std::optional<Peer> peer_of(int socket) const;
  Peer judge(uid_t uid, pid_t pid, const std::vector<gid_t>& groups) const;

  const std::vector<std::string>& unknown() const { return unknown_; }

 private:
  std::optional<gid_t> group(const std::string& name);

  std::vector<std::string> unknown_;
  std::optional<gid_t> read_, change_;
};

// The user's name, or its number. May ask a name service.
std::string user_name(uid_t uid);

}  // namespace weir::control
