// Frames through the guard's programs without any device: the kernel's own test run of a program (BPF_PROG_TEST_RUN),
// in which the frame is as it would be on the loopback interface.
#pragma once
#include "dataplane/guard/kernel.hpp"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cerrno>
#include <span>

namespace weir::guard {

inline constexpr u32 loopback = 1;  // the interface that a test run's frames are on

struct TestRun {
  bool passes;
  u32 nanoseconds;  // a frame
};

// Runs one program on a frame, `repeat` times.
inline TestRun test_run(const Kernel& kernel, Program program, std::span<const std::byte> frame, int repeat = 1) {
  std::byte out[4096];
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = out,
              .data_size_in = static_cast<__u32>(frame.size()), .data_size_out = sizeof out, .repeat = repeat);
  if (bpf_prog_test_run_opts(kernel.program(program), &options) != 0) return {false, static_cast<u32>(errno)};
  const bool is_xdp = program == Program::guard_in_xdp;
  return {is_xdp ? options.retval == XDP_PASS : options.retval == ~0u, options.duration};
}

inline void forget_flows(const Kernel& kernel) {
  guard_key key{}, next{};
  for (int error = bpf_map_get_next_key(kernel.map(Map::flows), nullptr, &next); error == 0;) {
    key = next;
    error = bpf_map_get_next_key(kernel.map(Map::flows), &key, &next);
    bpf_map_delete_elem(kernel.map(Map::flows), &key);
  }
}

}  // namespace weir::guard
