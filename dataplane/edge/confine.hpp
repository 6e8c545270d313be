// What the process may still do once its ports are up. Who it was is given up in all of its threads, EAL's included,
// and with that every capability; then the system calls that a dataplane has no use for end it, whoever makes them.
// What the options name is opened afterwards, as whom it has become. It opens nothing itself, and nobody's files are
// changed: what the user cannot use is refused with a sentence.
//
// Threads: main's, before Weir has made any thread. It holds for all that there are and will be.
#pragma once
#include "dataplane/edge/error.hpp"
#include "dataplane/edge/options.hpp"

#include <sys/types.h>

#include <expected>
#include <span>
#include <string>

namespace weir::edge {

struct Identity {
  std::string name;
  uid_t user;
  gid_t group;
};

// Whom `text`, NAME or NAME:GROUP, means on this machine. An error: nobody, or root.
std::expected<Identity, Error> identity_of(const std::string& text);

// All threads become `identity`, with its groups (setresuid(2), initgroups(3)), and lose all capabilities; as who they
// are already they lose the capabilities alone, as under a service manager that lends some. Checked in /proc/self/task,
// thread by thread (capabilities(7)). An error: something is left, and nobody may go on.
std::expected<void, Error> become(const Identity& identity);

// What the options name can be used as who this is now: folders be written, files be read.
std::expected<void, Error> check_usable(const Options& options);

// From now on no thread gains privileges (PR_SET_NO_NEW_PRIVS), and the process ends with a call of what no dataplane
// has a use for; memory cannot be made executable. `needs_bpf`: a port that takes its program off the interface.
std::expected<void, Error> forbid_calls(bool needs_bpf);

// Names of the calls that end the process, for who wants to look.
std::span<const char* const> forbidden_calls();

// All of the above, as the options ask.
std::expected<void, Error> confine(const Options& options, bool needs_bpf);

}  // namespace weir::edge
