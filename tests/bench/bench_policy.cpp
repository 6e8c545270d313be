// P7 and P8 of docs/performance.md: the decision of a first packet, and the making of the tables, against rte_acl with
// the best instruction set of the machine on the same order-free policies. Both sides' answers are compared on every
// header before anything is measured.
// usage: bench_policy [LARGEST_SET, default 100000] [ROUNDS, default 7]
#include "control/compile/compile.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/bench/class_sets.hpp"
#include "tests/bench/flow_rivals.hpp"
#include "tests/bench/pages.hpp"
#include "tests/bench/rounds.hpp"

#include <array>
#include <cmath>
#include <memory>

using namespace weir;
using namespace weir::bench;

namespace {

constexpr u32 headers_count = 65536;
constexpr u32 batch = 256;

struct Size {
  u32 rules;       // as rte_acl counts them, about
  u32 statements;
  bool groups;
};
// Statements with up to three prefixes on each side are about 3.6 rules of rte_acl.
constexpr Size sizes[] = {{1'000, 1'000, false}, {10'000, 10'000, false}, {100'000, 27'000, true}};
constexpr const char* style_names[] = {"access list", "chain", "firewall"};

struct Bench {
  ClassSet set;
  std::unique_ptr<Pages> memory;
  std::unique_ptr<Policy> policy;
  std::unique_ptr<Acl> acl;
  std::string instructions;
  std::vector<Question> questions;
  std::vector<AclHeader> headers;
  std::vector<const u8*> pointers;
  std::vector<Judgement> judgements = std::vector<Judgement>(headers_count);
  std::vector<u32> answers = std::vector<u32>(headers_count);
  double compile_ns = 0, build_ns = 0;

  double judge() {
    return timed_ns([&] {
      for (u32 at = 0; at < headers_count; at += batch)
        policy->judge({questions.data() + at, batch}, 0, {judgements.data() + at, batch});
    }) / headers_count;
  }
  double classify() {
    return timed_ns([&] {
      for (u32 at = 0; at < headers_count; at += batch) acl->classify(&pointers[at], &answers[at], batch);
    }) / headers_count;
  }
};

// The fastest of those that the machine has, measured on the set itself.
void choose_instructions(Bench& bench) {
  double best = 0;
  for (const char* name : {"avx512x32", "avx512x16", "avx2", "sse"}) {
    if (!bench.acl->use(name)) continue;
    bench.classify();
    const double cost = std::min(bench.classify(), bench.classify());
    if (!bench.instructions.empty() && cost >= best) continue;
    best = cost;
    bench.instructions = name;
  }
  bench.acl->use(bench.instructions.c_str());
}

void check_answers(Bench& bench) {
  bench.judge();
  bench.classify();
  u64 allowed = 0, forbidden = 0;
  for (u32 i = 0; i < headers_count; ++i) {
    const u32 ours = bench.judgements[i].rule == no_rule ? 0 : bench.judgements[i].rule + 1;
    allowed += bench.judgements[i].reason == Reason::flow_new;
    forbidden += bench.judgements[i].reason == Reason::forbidden;
    if (ours == bench.answers[i]) continue;
    std::fprintf(stderr, "bench: header %u: rule %u here, %u by rte_acl\n", i, ours, bench.answers[i]);
    std::exit(1);
  }
  std::printf("  equal answers on %u headers (%llu allowed, %llu forbidden)\n", headers_count,
              static_cast<unsigned long long>(allowed), static_cast<unsigned long long>(forbidden));
}

void fill_headers(Bench& bench) {
  bench.questions = make_headers(bench.set.model, headers_count);
  for (const Question& question : bench.questions)
    bench.headers.push_back({question.protocol, {}, static_cast<u32>(question.source.low),
                             static_cast<u32>(question.target.low), 0, swap(question.target_port)});
  for (const AclHeader& header : bench.headers) bench.pointers.push_back(reinterpret_cast<const u8*>(&header));
}

bool prepare(Bench& bench, Style style, const Size& size, bool huge) {
  bench.set = make_set(style, size.statements, size.groups);
  std::expected<control::Compiled, control::CapacityError> compiled;
  bench.compile_ns = 1e300;
  for (int i = 0; i < 3; ++i)
    bench.compile_ns = std::min(bench.compile_ns, timed_ns([&] { compiled = control::compile(bench.set.model, 1); }));
  if (!compiled) {
    std::fprintf(stderr, "bench: %s\n", compiled.error().sentence.c_str());
    return false;
  }
  bench.memory = std::make_unique<Pages>(compiled->image.size(), huge);
  std::memcpy(bench.memory->span().data(), compiled->image.data(), compiled->image.size());
  bench.policy = std::make_unique<Policy>(*verify(bench.memory->span().first(compiled->image.size())));
  const std::vector<AclRule> rules = acl_rules(bench.set.model, *bench.policy);
  bench.acl = std::make_unique<Acl>("rival", rules);
  bool built = false;
  bench.build_ns = timed_ns([&] { built = bench.acl->build(); });
  const control::CompileReport& report = compiled->report;
  std::printf("%s, %zu prefixes, %zu statements, %zu rules of rte_acl: %s, %zu zones, %zu services, image %.1f MB\n",
              style_names[static_cast<u32>(style)], bench.set.prefixes, report.rules, rules.size(),
              report.decision_form.c_str(), report.zones, report.services,
              static_cast<double>(report.image_bytes) / 1e6);
  if (!built) std::printf("  rte_acl cannot be built in the memory it has\n");
  return built;
}

}  // namespace

int main(int count, char** arguments) {
  const u32 largest = count > 1 ? static_cast<u32>(std::strtoul(arguments[1], nullptr, 10)) : 100'000;
  const u32 rounds = count > 2 ? static_cast<u32>(std::strtoul(arguments[2], nullptr, 10)) : 7;
  const PageReserve reserve(u64{3} << 30);
  start_eal(reserve.enough(), 2048);
  std::printf("%s pages; headers in batches of %u\n", reserve.enough() ? "2 MiB" : "4 KiB", batch);
  double logs = 0, worst_build = 0;
  u32 sets = 0;
  for (const Size& size : sizes)
    for (const Style style : {Style::access_list, Style::chain, Style::firewall}) {
      if (size.rules > largest) continue;
      Bench bench;
      if (!prepare(bench, style, size, reserve.enough())) continue;
      fill_headers(bench);
      choose_instructions(bench);
      check_answers(bench);
      const Rounds result({{"decide", [&] { return bench.judge(); }},
                           {"rte_acl, " + bench.instructions, [&] { return bench.classify(); }}}, rounds);
      result.print_costs();
      result.print_ratio("decide / rte_acl", 0, 1, "");
      std::printf("  compile %.1f ms, rte_acl build %.1f ms: %.3f\n", bench.compile_ns / 1e6, bench.build_ns / 1e6,
                  bench.compile_ns / bench.build_ns);
      logs += std::log(result.ratio(0, 1).median);
      ++sets;
      if (size.rules == 10'000) worst_build = std::max(worst_build, bench.compile_ns / bench.build_ns);
    }
  std::printf("P7 decide / rte_acl, geometric mean of %u sets: %.3f   gate <= 1.0, aim <= 0.5\n", sets,
              std::exp(logs / sets));
  std::printf("P8 compile / rte_acl build, 10k rules, worst set: %.3f   gate <= 0.1, aim <= 0.03\n", worst_build);
}
