// Which system calls end a process that has forbidden them as weir-dataplane does: each forbidden one, also in a thread
// that was there before. Threads and plain calls go on; memory does not become executable.
#include "dataplane/edge/confine.hpp"

#include <errno.h>
#include <fmt/format.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

namespace {

int failures = 0;

void expect(bool holds, const std::string& what) {
  if (holds) return;
  fmt::print(stderr, "FAILED: {}\n", what);
  ++failures;
}

// How a child ends that forbids calls and then does this: its wait status.
int ended(const std::function<int()>& act, bool needs_bpf = false) {
  const pid_t child = fork();
  if (child == 0) {
    if (const auto done = weir::edge::forbid_calls(needs_bpf); !done) {
      fmt::print(stderr, "{}\n", done.error().sentence);
      _exit(100);
    }
    _exit(act());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

bool is_killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS; }

int call(long number) { return static_cast<int>(syscall(number, -1, -1, -1, -1, -1, -1)); }
int clone_with(unsigned long flags) { return static_cast<int>(syscall(SYS_clone, flags, 0, 0, 0, 0)); }

void forbidden_ones_end_it() {
  for (const char* const name : weir::edge::forbidden_calls()) {
    const int number = seccomp_syscall_resolve_name(name);
    expect(number != __NR_SCMP_ERROR, fmt::format("{} is no system call", name));
    if (number < 0) continue;  // not on this processor
    expect(is_killed(ended([number] { return call(number), 0; })), fmt::format("{} does not end it", name));
  }
  expect(is_killed(ended([] { return call(SYS_bpf), 0; })), "bpf does not end it");
  expect(ended([] { return call(SYS_bpf), 0; }, true) == 0, "bpf ends it where a port needs it");
  expect(is_killed(ended([] { return clone_with(SIGCHLD), 0; })),
         "a new process does not end it");
  expect(is_killed(ended([] { return clone_with(CLONE_NEWUSER | SIGCHLD), 0; })),
         "a new user namespace does not end it");
}

void the_rest_goes_on() {
  expect(ended([] {
           std::atomic<int> sum = 0;
           std::jthread([&] { sum += getpid() > 0; }).join();
           return sum == 1 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1;
         }) == 0,
         "a thread cannot be made, or may gain privileges");
  expect(ended([] {
           void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
           const bool is_refused = mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0 && errno == EPERM;
           void* const code = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
           return page != MAP_FAILED && is_refused && code == MAP_FAILED && errno == EPERM ? 0 : 1;
         }) == 0,
         "memory becomes executable");
}

// EAL has made its threads long before.
void threads_from_before_are_no_way_out() {
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<bool> go = false;
    std::thread before([&] {
      go.wait(false);
      call(SYS_execve);
      _exit(0);
    });
    if (!weir::edge::forbid_calls(false)) _exit(100);
    go = true;
    go.notify_all();
    before.join();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  expect(is_killed(status), "a thread from before may start a program");
}

}  // namespace

int main() {
  forbidden_ones_end_it();
  the_rest_goes_on();
  threads_from_before_are_no_way_out();
  fmt::print("{} calls end it\n", weir::edge::forbidden_calls().size() + 2);
  return failures == 0 ? 0 : 1;
}
