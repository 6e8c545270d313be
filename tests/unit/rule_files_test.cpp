// Rule files from memory through load and check: traps of TOML, includes, lists, and the model that comes out. What
// people read stands in tests/golden.
#include "control/check/check.hpp"
#include "control/report/report.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace weir::control;

namespace {

constexpr std::int64_t today_s = 1'780'272'000;  // 2026-06-01

Checked check_files(std::map<std::string, std::string> files) {
  return check(load(memory(std::move(files)), "policy.toml", ""), today_s);
}
Checked check_text(const std::string& text) { return check_files({{"policy.toml", text}}); }

std::vector<std::string> errors(const Checked& checked) {
  std::vector<std::string> codes;
  for (const Diagnostic& one : checked.diagnostics.all)
    if (one.is_error()) codes.emplace_back(one.code);
  return codes;
}
using Codes = std::vector<std::string>;

const std::string two_segments = R"(version = 1
[segment.a]
cidr = ["10.0.0.0/8"]
[segment.b]
cidr = ["192.168.0.0/16", "fd00::/8"]
[service]
ssh = { tcp = [22] }
)";

}  // namespace

TEST_CASE("a byte-order mark and carriage returns change nothing") {
  std::string text = two_segments;
  std::string windows = "\xEF\xBB\xBF";
  for (const char c : text) windows += c == '\n' ? "\r\n" : std::string(1, c);
  const Checked checked = check_text(windows + "[[allow]]\r\nname = \"x\"\r\nfrom = \"a\"\r\nto = \"c\"\r\n");
  REQUIRE(errors(checked) == Codes{"E0201"});
  const Span span = checked.diagnostics.all.back().primary.span;
  CHECK(checked.sources.slice(span) == "\"c\"");
  CHECK(checked.sources.place(span.file, span.begin).line == 11);
}

TEST_CASE("keys know where they stand, however they were written") {
  const Checked checked = check_text(R"(version = 1
segment.a.cidr = ["10.0.0.0/8"]
segment."b".cidr = ["10.0.0.0/33"]
  [  segment . "c" ]
"cidr"   =   "10.0.0.1/8"
service = { x = { tcpp = [1] } }
)");
  std::vector<std::string> slices;
  for (const Diagnostic& one : checked.diagnostics.all)
    if (one.is_error()) slices.emplace_back(checked.sources.slice(one.primary.span));
  CHECK(slices == std::vector<std::string>{"\"10.0.0.0/33\"", "\"10.0.0.1/8\"", "service"});
}

TEST_CASE("columns count characters and the terminal is not steered") {
  const Checked checked = check_text("version = 1\n[policy]\nname = \"grün\"\nabout = \"\xC3\xA4\" \nabuot = \"x\"\n");
  REQUIRE(errors(checked) == Codes{"E0102"});
  CHECK(harmless("\xE0\x80\x80|\xED\xA0\x80").find_first_of("\xE0\xED") == std::string::npos);  // not for JSON
  CHECK(harmless("a\x1b[31m\xff\xC2\x9b\tb") == "a\xEF\xBF\xBD[31m\xEF\xBF\xBD\xEF\xBF\xBD b");
  const Checked hostile = check_text("version = 1\n[\"\\u001b[2J\"]\n");
  for (const Diagnostic& one : hostile.diagnostics.all)
    CHECK(human(one, hostile.sources, false).find('\x1b') == std::string::npos);
}

TEST_CASE("hostile TOML is refused, not crashed on") {
  CHECK(errors(check_text("a = " + std::string(20000, '['))) == Codes{"E0107"});
  std::string dotted = "a";
  for (int i = 0; i < 20000; ++i) dotted += ".a";
  CHECK(errors(check_text(dotted + " = 1")) == Codes{"E0107"});
  CHECK(errors(check_text("version = 99999999999999999999")) == Codes{"E0113"});
  CHECK(errors(check_text("version = 0x1ffffffffffffffffff")) == Codes{"E0113"});
  CHECK(errors(check_text(std::string("version = 1\n\0x", 14))) == Codes{"E0101"});
  CHECK(errors(check_text("version = \"\xff\xfe\"")) == Codes{"E0101"});
  CHECK(errors(check_text("x = 1e999\nversion = 1")) == Codes{"E0102"});
  const Checked large = check_text(std::string((16 << 20) + 1, '#'));
  CHECK(errors(large) == Codes{"E0105"});
}

TEST_CASE("unquoted ranges are told from dates and names") {
  CHECK(errors(check_text("version = 1\n[service]\nx = { tcp = [8000-8010] }\n")) == Codes{"E0111"});
  CHECK(errors(check_text("version = 1\n[service]\nx = { tcp = [80, 8000 - 8010] }\n")) == Codes{"E0111"});
  CHECK(errors(check_text("version = 1\n[service]\nx = { tcp = [80-90] }\n")) == Codes{"E0111"});
  CHECK(errors(check_text("version = 1\n[[test]]\nat = 2026-13-01\n")) == Codes{"E0101"});
}

TEST_CASE("includes stay below the root and merge as sets") {
  const Checked merged =
      check_files({{"policy.toml",
                    "include = [\"teams/*.toml\", \"./teams//x.toml\", \"teams/./x.toml\"]\n" + two_segments},
                   {"teams/x.toml", "[[allow]]\nname = \"x\"\nfrom = \"a\"\nto = \"b\"\n"},
                   {"teams/y.txt", "not toml ["},
                   {"policy.d/z.toml", "[[forbid]]\nname = \"z\"\nfrom = \"a\"\n"}});
  CHECK(errors(merged) == Codes{});
  REQUIRE(merged.model.statements.size() == 2);
  CHECK(merged.model.files[merged.model.statements[0].span.file] == "teams/x.toml");
  CHECK(merged.model.line_of(merged.model.statements[0].span) == 2);
  CHECK(merged.model.statements[1].is_forbid);
  CHECK(merged.model.statements[1].to_any);
  // One broken file hides nothing else, and makes no name unknown.
  const Checked broken = check_files({{"policy.toml", "include = [\"t/*.toml\"]\nbogus = 1\n" + two_segments},
                                      {"t/x.toml", "[service\n"},
                                      {"t/y.toml", "[[allow]]\nfrom = \"a\"\nto = \"b\"\nwith = [\"in-x\"]\n"}});
  CHECK(errors(broken) == Codes{"E0102", "E0101"});
}

TEST_CASE("a directory that cannot be read is not taken for an empty one") {
  for (const char* hidden : {"policy.d/", "teams/"}) {
    FileAccess access = memory({{"policy.toml", "include = [\"teams/*.toml\"]\n" + two_segments},
                                {"policy.d/x.toml", "[[forbid]]\nname = \"x\"\nfrom = \"a\"\n"},
                                {"teams/y.toml", ""}});
    const auto whole = access.list;
    access.list = [hidden, whole](const std::string& path) -> decltype(whole(path)) {
      if (path == hidden) return std::unexpected("cannot open " + path + ": Permission denied");
      return whole(path);
    };
    CHECK(errors(check(load(access, "policy.toml", ""), today_s)) == Codes{"E0105"});
  }
}

TEST_CASE("lists: one prefix a line, comments, exact places of faults") {
  const std::string policy = two_segments + "[list.bad]\nfile = \"lists/bad.txt\"\n[[forbid]]\nfrom = \"bad\"\n";
  const Checked good =
      check_files({{"policy.toml", policy}, {"lists/bad.txt", "# x\n 10.1.0.0/16 # y\r\n\nfd00::1\n"}});
  CHECK(errors(good) == Codes{});
  const Segment& list = good.model.segments[2];
  CHECK(list.is_list);
  CHECK(list.addresses.ipv4.size() == 1);
  CHECK(list.addresses.ipv6.size() == 1);
  const Checked bad = check_files({{"policy.toml", policy}, {"lists/bad.txt", "10.1.0.0/16\n  10.1.2.3/16\n"}});
  REQUIRE(errors(bad) == Codes{"E0404"});
  const Span span = bad.diagnostics.all.back().primary.span;
  CHECK(bad.sources.files[span.file].name == "lists/bad.txt");
  CHECK(bad.sources.slice(span) == "10.1.2.3/16");
  CHECK(errors(check_files({{"policy.toml", policy}})) == Codes{"E0105"});
}

TEST_CASE("the model holds what was written") {
  const Checked checked = check_text(two_segments + R"([group.all]
members = ["b", "a"]
[link]
nd = true
[port.pf0]
addresses = "10.0.0.7"
macs = ["02-00-5E-00-00-07"]
[[allow]]
from = "all"
to = ["b"]
expires = 2026-12-31
log = "opened"
[[forbid]]
name = "f"
to = "a"
)");
  REQUIRE(errors(checked) == Codes{});
  const Model& model = checked.model;
  CHECK(model.link.nd);
  CHECK_FALSE(model.link.arp);
  REQUIRE(model.statements.size() == 2);
  const Statement& forbid = model.statements[0];
  CHECK(forbid.name == "f");
  CHECK(forbid.from_any);
  CHECK(forbid.services.protocols.size() == 253);
  const Statement& allow = model.statements[1];
  CHECK(allow.name == "policy.toml:15");
  CHECK(allow.from == std::vector<std::uint32_t>{0, 1});
  CHECK(allow.to == std::vector<std::uint32_t>{1});
  CHECK(allow.expires_s == 1'798'761'600);  // 2027-01-01T00:00:00Z
  CHECK(allow.log == Log::opened);
  CHECK(allow.services.udp.size() == 6);
  REQUIRE(model.ports.size() == 1);
  CHECK(model.ports[0].macs[0] == std::array<std::uint8_t, 6>{2, 0, 0x5e, 0, 0, 7});
}

TEST_CASE("statement order and file order change nothing") {
  const std::string one = "[[allow]]\nname = \"x\"\nfrom = \"a\"\nto = \"b\"\n";
  const std::string two = "[[forbid]]\nname = \"y\"\nfrom = \"b\"\nto = \"a\"\n";
  const Checked first = check_text(two_segments + one + two), second = check_text(two_segments + two + one);
  REQUIRE(first.ok());
  REQUIRE(first.model.statements.size() == second.model.statements.size());
  for (std::size_t i = 0; i < first.model.statements.size(); ++i)
    CHECK(first.model.statements[i].name == second.model.statements[i].name);
}

TEST_CASE("JSON and SARIF carry every diagnostic with its place") {
  const Checked checked = check_text(two_segments + "[[allow]]\nfrom = \"a\"\nto = \"nobody\"\nwiht = [\"ssh\"]\n");
  const auto made = nlohmann::json::parse(json(checked.diagnostics, checked.sources));
  REQUIRE(made["diagnostics"].size() == checked.diagnostics.all.size());
  CHECK(made["errors"] == 2);
  CHECK(made["diagnostics"][0]["place"]["line"] == 10);
  CHECK(made["diagnostics"][1]["help"][0] == "did you mean `with`?");
  const auto run = nlohmann::json::parse(sarif(checked.diagnostics, checked.sources, "1"))["runs"][0];
  REQUIRE(run["results"].size() == 2);
  CHECK(run["results"][0]["ruleId"] == "E0201");
  CHECK(run["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 10);
  CHECK(run["tool"]["driver"]["rules"].size() == 2);
}
