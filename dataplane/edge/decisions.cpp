#include "dataplane/edge/decisions.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace weir::edge {
namespace {

constexpr std::size_t lines_bytes = std::size_t{1} << 20;

}  // namespace

std::expected<Decisions, Error> Decisions::create(const std::string& path, u32 workers, u32 flows) {
  auto numbers = Mapping::sparse(std::size_t{workers} * flows * sizeof(u64));
  if (!numbers) return std::unexpected(numbers.error());
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return std::unexpected(system_error("cannot create " + path));
  return Decisions(fd, path, flows, std::move(*numbers));
}

Decisions::Decisions(int fd, std::string path, u32 flows, Mapping numbers)
    : fd_(fd), path_(std::move(path)), flows_(flows), numbers_(std::move(numbers)), lines_(lines_bytes) {}

Decisions::Decisions(Decisions&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      flows_(other.flows_),
      numbers_(std::move(other.numbers_)),
      next_number_(other.next_number_),
      lines_(std::move(other.lines_)),
      filled_bytes_(std::exchange(other.filled_bytes_, 0)),
      error_(std::move(other.error_)) {}

Decisions::~Decisions() {
  if (fd_ < 0) return;
  flush();
  close(fd_);
}

bool Decisions::write(u64 index, Tick time, u16 port, u32 worker, const Outcome& outcome, const Policy* policy) {
  if (lines_.size() - filled_bytes_ < decision_line_bytes_max && !flush()) return false;
  const std::span<char, decision_line_bytes_max> room(lines_.data() + filled_bytes_, decision_line_bytes_max);
  filled_bytes_ += format_decision(room, {index, time, port, number_of(worker, outcome)}, outcome, policy);
  return true;
}

u64 Decisions::number_of(u32 worker, const Outcome& outcome) {
  if (outcome.flow == no_flow) return no_flow_number;
  u64* const numbers = reinterpret_cast<u64*>(numbers_.bytes().data());
  u64& number = numbers[std::size_t{worker} * flows_ + outcome.flow];
  if (outcome.flow_is_new) number = next_number_++;
  return number;
}

bool Decisions::flush() {
  for (std::size_t done = 0; done < filled_bytes_ && error_.sentence.empty();) {
    const ssize_t written = ::write(fd_, lines_.data() + done, filled_bytes_ - done);
    if (written < 0 && errno != EINTR) error_ = system_error("cannot write " + path_);
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  filled_bytes_ = 0;
  return error_.sentence.empty();
}

}  // namespace weir::edge
