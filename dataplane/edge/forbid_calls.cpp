// The system calls that end the process, by libseccomp. A list of what is forbidden and not of what is allowed: what
// drivers of ports and the C library call differs from machine to machine, and none of them calls these.
#include "dataplane/edge/confine.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace weir::edge {
namespace {

// Those that start programs, look into others or into the kernel, change what a process may do, whom it sees or the
// machine's clock, and io_uring, which does what others do without being asked here.
constexpr const char* never_called[] = {
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd",
    "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick",
    "mount_setattr", "unshare", "setns", "open_by_handle_at", "name_to_handle_at", "mknod", "mknodat", "fanotify_init",
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "perf_event_open", "userfaultfd",
    "keyctl", "add_key", "request_key", "io_uring_setup", "io_uring_enter", "io_uring_register", "setuid", "setgid",
    "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid", "capset", "personality",
    "ioperm", "iopl", "modify_ldt", "reboot", "swapon", "swapoff", "acct", "quotactl", "syslog", "vhangup",
    "lookup_dcookie", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname"};

using Filter = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;

// 0, or what the library says is wrong, negative.
int forbid(scmp_filter_ctx filter, const char* name) {
  const int number = seccomp_syscall_resolve_name(name);
  return number == __NR_SCMP_ERROR ? -ENOSYS : seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, number, 0);
}

// A new process, which a thread is not. clone3(2) keeps its flags where no filter sees them: without it the C library
// takes clone(2) for its threads.
int forbid_processes(scmp_filter_ctx filter) {
  const int result = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
                                      SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
  return result != 0 ? result : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

// Refused and not the end: a library that is loaded late says so, and does without.
int forbid_new_code(scmp_filter_ctx filter) {
  int result = 0;
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(pkey_mprotect)})
    if (result == 0)
      result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1,
                                SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
  return result;
}

}  // namespace

std::span<const char* const> forbidden_calls() { return never_called; }

std::expected<void, Error> forbid_calls(bool needs_bpf) {
  const auto wrong = [](const char* what, int result) {
    return std::unexpected(Error{fmt::format("system calls cannot be forbidden: {}: {}; --no-seccomp goes without",
                                             what, std::strerror(-result))});
  };
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  if (filter == nullptr) return wrong("libseccomp has no filter", -ENOMEM);
  int result = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  // All threads, those of EAL too; each then has no_new_privs as well (seccomp(2), SECCOMP_FILTER_FLAG_TSYNC).
  if (result == 0) result = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  if (result != 0) return wrong("libseccomp is too old", result);
  for (const char* const name : never_called)
    if (result = forbid(filter.get(), name); result != 0) return wrong(name, result);
  if (!needs_bpf && (result = forbid(filter.get(), "bpf")) != 0) return wrong("bpf", result);
  if (result = forbid_processes(filter.get()); result != 0) return wrong("clone", result);
  if (result = forbid_new_code(filter.get()); result != 0) return wrong("mmap", result);
  if (result = seccomp_load(filter.get()); result != 0) return wrong("the kernel does not take the filter", result);
  return {};
}

}  // namespace weir::edge
