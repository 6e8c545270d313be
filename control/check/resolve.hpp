// Names to what they mean. A Resolver walks the trees once for nouns and once for statements; a name that is unknown
// is reported where it stands, with the name that was probably meant.
#pragma once
#include "control/model/address.hpp"
#include "control/model/diagnostic.hpp"
#include "control/model/services.hpp"
#include "control/source/load.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::control {

enum class NounKind : std::uint8_t { segment, group, list };

struct Noun {
  NounKind kind;
  Span span;
  std::vector<std::uint32_t> segments;  // indices in Model::segments, sorted; of a segment or list: itself
  bool used = false;
};

struct Service {
  Span span;
  ServiceSet set;
  bool used = false;
  std::uint16_t spoken = 0;  // bits of spoken_words: what its connections must speak
};

struct Names {
  std::map<std::string, Noun, std::less<>> nouns;
  std::map<std::string, Service, std::less<>> services;
};

// Who a test or a question names: segments, or a prefix, never both.
struct Party {
  std::string text;
  std::vector<std::uint32_t> segments;
  std::optional<Prefix> prefix;
};

// One string of a test: every combination must end alike.
struct Claim {
  Span span;
  bool allow;
  Party target;
  std::string service_text;
  ServiceSet services;
};

struct Test {
  std::string name;
  Span span;
  std::vector<Party> from;
  std::vector<Claim> claims;
  std::optional<std::int64_t> at_s;       // noon of the day on which it is judged
  std::optional<std::int64_t> expires_s;  // first second at which it is no longer run
};

// Facts of a statement that compile does not need and lints do; parallel to Model::statements.
struct StatementFacts {
  Span header;
  bool default_services = false;  // `with` omitted
  std::optional<Span> terms_span{};  // the first key about queue pairs
};

struct Resolved {
  Model model;
  Names names;
  std::vector<Test> tests;
  std::vector<StatementFacts> facts;
  bool pins_optional = false;      // [policy] pins
};

// Fills everything; adds errors to `out`. Reads the files of lists through `loaded`.
Resolved resolve(Loaded& loaded, std::int64_t now_s, Diagnostics& out);

// "tcp/443", "udp/53-60", "rdma/20049", "rdma/nccl", "icmp/echo", "protocol/47", "esp", or a service's name.
// nullopt when it is none of these; `sentence` then says why.
std::optional<ServiceSet> parse_service(const Names& names, std::string_view text, std::string& sentence);
// A name, an address or a prefix.
std::optional<Party> parse_party(const Names& names, std::string_view text, std::string& sentence);

// Names of every segment, group and list; of every service.
std::vector<std::string_view> noun_names(const Names& names);
std::vector<std::string_view> service_names(const Names& names);

}  // namespace weir::control
