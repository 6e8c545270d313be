// Compiled policies against their naive twin: random models, random packets, every reason, rule and segment name, in
// both decision forms. Default: 60 models and 500 packets each; WEIR_PROPERTY_SCALE multiplies the packets, and
// WEIR_PROPERTY_MODELS sets the models (100,000 packets x 200 models: SCALE=200 MODELS=200).
#include "control/compile/compile.hpp"
#include "control/compile/monitor.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/image_memory.hpp"
#include "tests/property/random_model.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>

using namespace weir;

namespace {

u64 from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

naive::Answer answer_of(const Policy& policy, const Question& question, const Judgement& judgement) {
  const u16 from = policy.source_segment(question.source_class, question.source);
  const u16 to = policy.target_segment(question.target_class, question.target);
  return {judgement.reason, judgement.rule == no_rule ? "" : std::string(policy.rule(judgement.rule).name),
          std::string(policy.segment_name(from)), std::string(policy.segment_name(to))};
}

naive::Facts facts_of(const Policy& policy, const Judgement& judgement) {
  const auto whose = [&](u8 reserve) {
    return reserve == 0 ? "" : std::string(policy.segment_name(policy.tracking().reserve_segment[reserve]));
  };
  if (judgement.reason == Reason::spoofed) return {};
  std::vector<u64> terms;
  if (judgement.rule != no_rule && !policy.rule(judgement.rule).is_forbid) {
    const image::RdmaRule& one = policy.rdma_rule(judgement.rule);
    terms = {one.operations, one.read_unless_asset, one.read_mtu, one.read_credit, one.first_use,
             policy.look(judgement.rule).protocols};
  }
  return {whose(policy.reserve_of_source(judgement.source_zone)),
          whose(policy.reserve_of_target(judgement.target_zone)),
          policy.wants_reject(judgement), policy.wants_syn_proxy(judgement.decision),
          policy.assets_of_source(judgement.source_zone), policy.assets_of_target(judgement.target_zone),
          policy.jobs_of_source(judgement.source_zone), policy.jobs_of_target(judgement.target_zone), terms};
}

bool same(const Judgement& a, const Judgement& b) {
  return a.reason == b.reason && a.decision == b.decision && a.rule == b.rule && a.source_zone == b.source_zone &&
         a.target_zone == b.target_zone;
}

std::string shown(const naive::Packet& packet, const naive::Answer& naive, const naive::Answer& compiled) {
  return packet.in_port + " to " + packet.out_port + " protocol " + std::to_string(packet.protocol) + ": naive " +
         std::string(row(naive.reason).name) + " " + naive.rule + " " + naive.from + " > " + naive.to + ", compiled " +
         std::string(row(compiled.reason).name) + " " + compiled.rule + " " + compiled.from + " > " + compiled.to;
}

// One burst of packets at one time, asked one by one and all at once.
void compare(u64 seed, naive::Draw& draw, const control::Model& model, const naive::Policy& twin, const Policy& policy,
             u64 count, std::map<Reason, u64>& seen, u64& seen_facts, u64& seen_watched) {
  const Tick now = naive::random_time(draw);
  std::vector<Question> questions;
  std::vector<Judgement> judgements(count);
  for (u64 i = 0; i < count; ++i) {
    const naive::Packet packet = naive::random_packet(draw, model);
    questions.push_back(naive::question_of(packet, policy));
    const naive::Answer expected = twin.judge(packet, now);
    ++seen[expected.reason];
    seen_watched += expected.reason == Reason::flow_new && expected.rule == control::monitor_rule;
    judgements[i] = policy.judge(questions[i], now);
    const naive::Answer answer = answer_of(policy, questions[i], judgements[i]);
    if (answer != expected) FAIL("seed " << seed << ": " << shown(packet, expected, answer));
    const naive::Facts facts = twin.facts(packet, expected), compiled = facts_of(policy, judgements[i]);
    if (facts != compiled) FAIL("seed " << seed << ": other facts of " << shown(packet, expected, answer));
    seen_facts += facts.rejects && !facts.source_reserve.empty() && !facts.target_reserve.empty();
  }
  std::vector<Judgement> at_once(count);
  policy.judge(questions, now, at_once);
  for (u64 i = 0; i < count; ++i)
    if (!same(at_once[i], judgements[i])) FAIL("seed " << seed << ": a burst of " << count << " is judged otherwise");
}

}  // namespace

TEST_CASE("compiled policies answer as their naive twin") {
  const u64 models = from_environment("WEIR_PROPERTY_MODELS", 60);
  const u64 packets = 500 * from_environment("WEIR_PROPERTY_SCALE", 1);
  std::map<Reason, u64> seen;
  u64 seen_facts = 0, seen_watched = 0;
  bool wide_sources = false, many_groups = false;
  for (u64 seed = 0; seed < models; ++seed) {
    naive::Draw draw(seed);
    control::Model model = naive::random_model(draw);
    model.monitor = draw.one_in(5);
    if (draw.one_in(2)) model.monitor_until_s = static_cast<std::int64_t>(naive::random_time(draw) / tick_second);
    const naive::Policy twin(model);
    const ImageMemory matrix(control::compile(model, 1, control::DecisionForm::matrix)->image);
    const ImageMemory vectors(control::compile(model, 1, control::DecisionForm::vectors)->image);
    const auto by_matrix = verify(matrix.bytes()), by_vectors = verify(vectors.bytes());
    if (!by_matrix) FAIL(seed << " matrix: " << by_matrix.error().section << " " << by_matrix.error().sentence);
    if (!by_vectors) FAIL(seed << " vectors: " << by_vectors.error().section << " " << by_vectors.error().sentence);
    const image::View& view = by_vectors->view();
    wide_sources |= view.list_words.size() > 2;
    many_groups |= view.groups_count > 1;
    for (u64 done = 0; done < packets;) {
      const u64 count = std::min(1 + draw.below(90), packets - done);
      compare(seed, draw, model, twin, *by_matrix, count, seen, seen_facts, seen_watched);
      compare(seed, draw, model, twin, *by_vectors, count, seen, seen_facts, seen_watched);
      done += count;
    }
  }
  CHECK((wide_sources && many_groups));
  CHECK(seen_facts > packets / 20);
  // The draw reaches every answer often enough to mean something.
  CHECK(seen_watched > packets / 20);
  for (const Reason reason :
       {Reason::flow_new, Reason::forbidden, Reason::no_allow, Reason::spoofed, Reason::expired}) {
    INFO(row(reason).name << " " << seen[reason]);
    CHECK(seen[reason] * 200 > models * packets);
  }
}
