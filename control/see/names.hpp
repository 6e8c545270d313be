// What the numbers of an event are called: rules, segments, signatures, from the image of the policy that judged it.
// An event of a generation whose image is not at hand keeps its numbers; it is never given another policy's names.
//
// Threads: one. A view lives as long as the PolicyNames that gave it.
#pragma once
#include "dataplane/policy/policy.hpp"
#include "dataplane/share/events.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::see {

// "10.0.0.1" or "2001:db8::1".
std::string text_of(const Address& address);
// "tcp", "udp", "icmp"; the number of a protocol that has no name here.
std::string protocol_text(u8 protocol);
// The event's word in logs: "flow_opened".
std::string_view kind_name(EventKind kind);
// Whether kind and reason are in this program's tables; what is not is counted and not shown.
bool is_sound(const Event& event);

// Of who asks by address: the place it was met in and the port it came in by.
struct Segments {
  std::string_view from, to;  // "" where there is none
};

// The shadow's side of a disagreement.
struct ShadowNames {
  bool known = false;  // its image is at hand
  std::string_view rule, file;
  u32 line = 0;
  bool is_forbid = false;
};

struct EventNames {
  bool known = false;  // an image of this generation is at hand
  std::string_view rule, file, from, to, found;
  u32 line = 0;
  bool is_forbid = false;
  ShadowNames shadow = {};
};

// One policy and the ports that it was bound to.
class PolicyNames {
 public:
  static std::expected<std::unique_ptr<PolicyNames>, std::string> read(const std::string& path,
                                                                       const std::vector<std::string>& port_names);
  // Of a policy whose image outlives it.
  static std::unique_ptr<PolicyNames> over(const Policy& policy, const std::vector<std::string>& port_names);
  u64 generation() const { return policy_->generation(); }
  const Policy& policy() const { return *policy_; }
  EventNames of(const Event& event) const;
  // Of the shadow that the event names, which this must be.
  ShadowNames of_shadow(const Event& event) const;
  // By the port that `source` sends by (Event::port).
  Segments segments(const Address& source, const Address& target, u32 port, u32 place) const;

 private:
  void bind(const Policy& policy, const std::vector<std::string>& port_names);

  std::unique_ptr<std::byte, void (*)(void*)> image_{nullptr, nullptr};
  std::optional<Policy> policy_;
  std::array<u16, ports_max> classes_{};
};

// Images by generation. A path is an image, or a folder: then the images in it and those that stand as policy.img one
// folder below (the history of weir-control). Only what is asked for is read; what was not found is looked for again
// after a second.
class Names {
 public:
  enum class Whose : u8 { in_force, shadow };
  // Gives the names of the policy in force or of its shadow, or a sentence.
  using Ask =
      std::function<std::expected<std::unique_ptr<PolicyNames>, std::string>(const std::vector<std::string>&, Whose)>;
  Names(std::vector<std::string> paths, std::vector<std::string> port_names, Ask ask = {});

  // By the low half of a generation, as events have it; null where no image says.
  const PolicyNames* of(u32 generation);
  // By the last 16 bits of a shadow's.
  const PolicyNames* of_shadow(u16 generation);
  EventNames of(const Event& event);
  // Sentences about images that could not be read since the last call, each once.
  std::vector<std::string> complaints() { return std::exchange(complaints_, {}); }
  bool empty() const { return paths_.empty() && !ask_; }

 private:
  using Key = std::pair<Whose, u32>;
  struct Wanted {
    Whose whose;
    u32 generation, mask;
    bool is(u64 other) const { return (static_cast<u32>(other) & mask) == generation; }
  };
  const PolicyNames* find(const Wanted& wanted);
  void look_for(const Wanted& wanted);
  bool ask(const Wanted& wanted);
  bool look_in_files(const Wanted& wanted);
  bool read(const std::string& path, const Wanted& wanted);
  void keep(Whose whose, std::unique_ptr<PolicyNames> names);
  void complain(const std::string& sentence);

  std::vector<std::string> paths_, port_names_;
  Ask ask_;
  std::map<Key, std::unique_ptr<PolicyNames>> known_;
  std::map<Key, std::int64_t> missed_;  // when it was looked for last
  std::set<std::string> complained_;
  std::vector<std::string> complaints_;
};

}  // namespace weir::see
