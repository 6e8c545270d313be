// The other end of the door: asks a running dataplane (dataplane/share/door.hpp) and takes its answer apart. It
// connects, sends, and receives within a bounded time; it opens no image and decides nothing.
//
// Threads: one at a time; each ask() is a request and its whole answer.
#pragma once
#include "control/source/descriptor.hpp"
#include "dataplane/share/door.hpp"

#include <nlohmann/json.hpp>

#include <expected>
#include <span>
#include <string>
#include <vector>

namespace weir::control {

struct DoorFailure {
  enum class Kind {
    usage,          // the path or a name cannot be one
    unreachable,    // nobody serves it, it does not answer, or it speaks another version
    not_permitted,  // the socket is another user's
    refused,        // the dataplane says why
  } kind;
  std::string sentence;
};

// An answer with all the messages that follow it. What `answer.result` says of the act is not a failure of the door.
struct DoorAnswer {
  door::Answer answer;
  std::vector<door::WorkerStatus> workers;
  std::vector<door::BudgetStatus> budgets;
  std::vector<door::PairStatus> pairs;

  bool is_done() const { return answer.result == door::Result::done; }
};

// A request of this version; `name` is a job's or a port's.
std::expected<door::Request, DoorFailure> door_request(door::Act act, std::string_view name = {});

// "90s", "5m", "2h", "1d" as a trial has it; the error is a sentence.
std::expected<u32, std::string> trial_ms(std::string_view text);

class Door {
 public:
  // Each step waits so long; longer than the dataplane waits for its workers, where nothing else is said.
  static std::expected<Door, DoorFailure> reach(const std::string& path, int wait_s = 30);

  // The same on a socket that is connected already.
  static Door over(Descriptor socket, std::string path) { return Door(std::move(socket), std::move(path)); }

  // For what comes after an answer: its owner is this.
  int descriptor() const { return socket_.get(); }

  // `descriptors` travel with the request and stay the caller's.
  std::expected<DoorAnswer, DoorFailure> ask(const door::Request& request, std::span<const int> descriptors = {});

 private:
  Door(Descriptor socket, std::string path) : socket_(std::move(socket)), path_(std::move(path)) {}
  std::expected<void, DoorFailure> receive_status(DoorAnswer& told);
  std::expected<void, DoorFailure> receive_pairs(DoorAnswer& told);

  Descriptor socket_;
  std::string path_;
};

// Text of an answer, of which names in an image are a part: ASCII; what is not, is not repeated.
std::string door_text(std::span<const char> room);

// What is asked beside the policy in force, and what came of it; null where nothing is.
nlohmann::ordered_json shadow_json(const door::Answer& answer);

// "busy: workers have not …", "refused: header: …": why an act that is not done is not.
std::string refusal_text(const door::Answer& answer);

}  // namespace weir::control
