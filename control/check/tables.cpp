// The rows of tables and of kinds of values; those of keys are in keys.cpp.
#include "control/check/keys.hpp"

#include <algorithm>

namespace weir::control {
namespace {

using enum Shape;

constexpr KeyTypeRow type_rows[] = {
    {"true or false", "true"},
    {"an integer", "1"},
    {"a number", "1"},
    {"a list of integers", "[50, 80, 95]"},
    {"a date", "2027-03-31"},
    {"text", "\"...\""},
    {"one of a few words", "\"...\""},
    {"a name", "\"trainers\""},
    {"a name or a list of names", "[\"trainers\", \"ci\"]"},
    {"a list of texts", "[\"teams/*.toml\"]"},
    {"a list of prefixes", "[\"10.20.0.0/18\", \"fd20:a::/48\"]"},
    {"a list of ports and port ranges", "[443, \"8000-8010\"]"},
    {"a list of ICMP types", "[\"echo\"]"},
    {"a protocol or a list of them", "[\"esp\", 47]"},
    {"a list of MAC addresses", "[\"02:00:5e:00:00:07\"]"},
    {"a size with its unit", "\"64 KiB\""},
    {"a rate with its unit", "\"20 Mbit/s\""},
    {"a number per time", "\"10/min\""},
    {"a time with its unit", "\"1d\""},
    {"a percentage", "\"10%\""},
    {"a time with its unit", "\"90d\""},
    {"a table", "{ }"},
    {"a list of tables", "[{ }]"},
    {"a table", "{ }"},
};

constexpr TableRow tables_[] = {
    {"policy", single, true, true, "The policy as a whole."},
    {"segment", named, true, true,
     "A named set of addresses, ports, or both. Segments may overlap; an address may be in several."},
    {"group", named, true, true, "A named union of segments, groups and lists."},
    {"service", named, false, true, "A named set of ports, ICMP types and protocols; what `with` names."},
    {"list", named, false, true,
     "Prefixes from a text file, one a line, `#` begins a comment; usable wherever a segment is."},
    {"link", single, true, true, "What hosts on one wire need of each other. What is not switched on is dropped."},
    {"state", single, true, true, "How flows are followed. Every key has a value without being stated."},
    {"state.timeouts", inner, true, true, "How long a flow may be idle, by what is known of it: 1 s to 4 h."},
    {"flood", single, true, true,
     "Ceilings on what opens flows. They never touch an established flow. Without a key: no ceiling."},
    {"rdma", single, true, true, "How queue pairs are followed. Every key has a value without being stated."},
    {"port", named, true, true, "What one port may claim to be: its pin."},
    {"allow", array, false, true, "`from` may open connections to `to`; replies follow by state."},
    {"forbid", array, false, true, "Beats every allow, in any file."},
    {"test", array, false, true, "A claim about the policy that `check` and `test` verify on the compiled image."},
    {"limit", array, false, true, "How fast: a token bucket over the connections that `from` dials."},
    {"budget", array, false, true, "How much: a hard cap on the bytes that leave `from` for `to`."},
    {"asset", named, true, true, "Something whose copying out is measured: a model's weights, a data set."},
    {"invariant", array, true, true, "A property of the whole policy that must hold."},
    {"inspect", named, false, true, "What traffic may look like: signatures and tensor tests."},
    {"inspect.pattern", inner, false, true, "One signature."},
    {"dns", named, false, true, "What DNS may carry, and how often it is asked: terms that allows name."},
    {"job", named, false, true, "A training job: a closed set of members that learn their queue pairs, then seal."},
    {"queue_pair", array, false, true, "A queue pair that no handshake teaches: numbers at two hosts."},
    {"fleet", single, true, true, "How many enforcement points share the policy's budgets."},
    {"delegate", named, true, false, "Limits a team's files to statements inside its own segments."},
    {"invariant.never", inner, false, true, "A pair of which no packet may be forwarded."},
};

}  // namespace

const KeyTypeRow& row(KeyType type) { return type_rows[static_cast<std::size_t>(type)]; }
std::span<const TableRow> table_rows() { return tables_; }

const TableRow* find_table(std::string_view wanted) {
  const auto found = std::ranges::find(tables_, wanted, &TableRow::name);
  return found == std::end(tables_) ? nullptr : found;
}

}  // namespace weir::control
