// What the compiler promises beside right answers: the same bytes for the same rules, a way out of every expiry, ports
// by name, and a sentence for what an image cannot hold.
#include "control/check/rdma_words.hpp"
#include "control/compile/compile.hpp"
#include "dataplane/inspect/opening.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/image_memory.hpp"
#include "tests/property/random_model.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using control::DecisionForm;

namespace {

control::Segment segment(std::string name, u32 first, u32 last, std::vector<std::string> attach = {}) {
  control::Segment made;
  made.name = std::move(name);
  made.has_addresses = true;
  made.addresses.ipv4 = {{first, last}};
  made.attach = std::move(attach);
  return made;
}

control::Statement allow(std::string name, std::vector<u32> from, std::vector<u32> to) {
  control::Statement made;
  made.name = std::move(name);
  made.from = std::move(from);
  made.to = std::move(to);
  made.services.tcp = {{443, 443}};
  return made;
}

Question tcp(u32 source, u32 target, u16 port = 443) {
  return {Address::ipv4(swap(source)), Address::ipv4(swap(target)), 0, 0, 6, 0, 0, port};
}

struct Compiled {
  explicit Compiled(const control::Model& model, DecisionForm form = DecisionForm::automatic)
      : memory(control::compile(model, 7, form)->image), policy(*verify(memory.bytes())) {}
  ImageMemory memory;
  Policy policy;
};

}  // namespace

TEST_CASE("the same rules give the same bytes but for the generation") {
  for (u64 seed = 0; seed < 20; ++seed) {
    naive::Draw draw(seed), again(seed);
    const auto one = control::compile(naive::random_model(draw), 5)->image;
    const auto same = control::compile(naive::random_model(again), 5)->image;
    CHECK(one == same);
    auto next = control::compile(naive::random_model(again = naive::Draw(seed)), 6)->image;
    CHECK(one != next);
    image::Header header = load<image::Header>(next.data());
    header.generation = 5;
    header.checksum = load<image::Header>(one.data()).checksum;
    std::memcpy(next.data(), &header, sizeof header);
    CHECK(one == next);
  }
}

TEST_CASE("a policy of nothing denies everything") {
  const Compiled compiled(control::Model{});
  const Judgement judgement = compiled.policy.judge(tcp(1, 2), 0);
  CHECK(judgement.reason == Reason::no_allow);
  CHECK(judgement.rule == no_rule);
  CHECK(compiled.policy.generation() == 7);
  CHECK(compiled.policy.next_expiry(0) == ~Tick{0});
  CHECK(compiled.policy.port_class("anything") == 0);
  CHECK(compiled.policy.link().arp == false);
}

TEST_CASE("an allow that expires gives way to the next one that covers") {
  control::Model model;
  model.segments = {segment("a", 10, 20), segment("b", 30, 40), segment("wide", 0, 1000)};
  model.statements = {allow("wide", {2}, {2}), allow("x-middle", {0}, {2}), allow("z-narrow", {0}, {1})};
  model.statements[2].expires_s = 100;
  model.statements[1].expires_s = 200;
  model.statements[0].expires_s = 300;
  for (const DecisionForm form : {DecisionForm::matrix, DecisionForm::vectors}) {
    const Compiled compiled(model, form);
    const Policy& policy = compiled.policy;
    const auto name_at = [&](Tick now) {
      const Judgement judgement = policy.judge(tcp(15, 35), now);
      CHECK(policy.rule_of(judgement.decision) == judgement.rule);
      return std::string(policy.rule(judgement.rule).name) + " " + std::string(row(judgement.reason).name);
    };
    CHECK(name_at(100 * tick_second - 1) == "z-narrow flow_new");
    CHECK(name_at(100 * tick_second) == "x-middle flow_new");
    CHECK(policy.expires_at(policy.judge(tcp(15, 35), 100 * tick_second).decision) == 200 * tick_second);
    CHECK(name_at(200 * tick_second) == "wide flow_new");
    CHECK(name_at(300 * tick_second) == "z-narrow expired");
    CHECK(policy.next_expiry(0) == 100 * tick_second);
    CHECK(policy.next_expiry(100 * tick_second) == 200 * tick_second);
    CHECK(policy.next_expiry(300 * tick_second) == ~Tick{0});
  }
}

TEST_CASE("a forbid does not expire and an omitted target is every target") {
  control::Model model;
  model.segments = {segment("a", 10, 20)};
  model.statements = {allow("all", {}, {}), allow("never", {0}, {})};
  model.statements[0].from_any = model.statements[0].to_any = model.statements[1].to_any = true;
  model.statements[1].is_forbid = true;
  model.statements[1].expires_s = 1;
  const Compiled compiled(model);
  CHECK(compiled.policy.judge(tcp(15, 77), 2 * tick_second).reason == Reason::forbidden);
  CHECK(compiled.policy.judge(tcp(9, 77), 2 * tick_second).reason == Reason::flow_new);
}

TEST_CASE("ports are known by their exact name, else by the longest prefix") {
  control::Model model;
  model.segments = {segment("a", 10, 20, {"vf*"}), segment("b", 30, 40, {"vf1", "vf1*"})};
  control::PortPin pin;
  pin.name = "vf1";
  pin.macs = {{2, 0, 0, 0, 0, 9}, {2, 0, 0, 0, 0, 1}};
  model.ports = {pin};
  const Compiled compiled(model);
  const Policy& policy = compiled.policy;
  const u16 exact = policy.port_class("vf1"), prefix = policy.port_class("vf12"), wide = policy.port_class("vf2");
  CHECK(exact != prefix);
  CHECK(prefix != wide);
  CHECK(wide != 0);
  CHECK(policy.port_class("pf0") == 0);
  CHECK(policy.port_class("vf") == wide);
  const u8 pinned[6] = {2, 0, 0, 0, 0, 1}, other[6] = {2, 0, 0, 0, 0, 2};
  CHECK(policy.pins_macs(exact));
  CHECK(policy.mac_allowed(exact, pinned));
  CHECK_FALSE(policy.mac_allowed(exact, other));
  CHECK(policy.mac_allowed(wide, other));
  CHECK(policy.source_allowed(wide, Address::ipv4(swap(u32{15}))));
  CHECK_FALSE(policy.source_allowed(wide, Address::ipv4(swap(u32{35}))));
}

TEST_CASE("rules keep their place and their logging") {
  control::Model model;
  model.files = {"policy.toml", "teams/a.toml"};
  model.line_starts = {{0}, {0, 7, 30}};
  model.segments = {segment("a", 10, 20)};
  model.statements = {allow("one", {0}, {0})};
  model.statements[0].span = {1, 8, 10};
  model.statements[0].log = control::Log::all;
  const Compiled compiled(model);
  const Judgement judgement = compiled.policy.judge(tcp(15, 16), 0);
  REQUIRE(judgement.reason == Reason::flow_new);
  const RuleView rule = compiled.policy.rule(judgement.rule);
  CHECK(rule.name == "one");
  CHECK(rule.file == "teams/a.toml");
  CHECK(rule.line == 2);
  CHECK(compiled.policy.log_of(judgement.decision) == Log::all);
}

TEST_CASE("declared queue pairs are found by both ends, and nothing else is") {
  control::Model model;
  const auto one = [](u32 ipv4) { return control::AddressSet{{{ipv4, ipv4}}, {}}; };
  for (u32 i = 0; i < 50; ++i) {
    control::QueuePair pair;
    pair.from = one(10 + i % 3);
    pair.to = one(20 + i % 2);
    if (i % 4 != 0) pair.from_qp = 100 + i;
    if (i % 4 != 1) pair.to_qp = 300 + i;
    model.queue_pairs.push_back(pair);
  }
  const Compiled compiled(model);
  u64 found = 0;
  for (u32 source = 9; source < 23; ++source)
    for (u32 target = 9; target < 23; ++target)
      for (u32 qp = 90; qp < 360; ++qp) {
        const image::StaticPair* pair =
            compiled.policy.static_pair(Address::ipv4(swap(source)), Address::ipv4(swap(target)), qp);
        const control::QueuePair* forth = nullptr;
        const control::QueuePair* back = nullptr;
        for (const control::QueuePair& stated : model.queue_pairs) {
          const u32 from = stated.from.ipv4[0].first, to = stated.to.ipv4[0].first;
          if (from == source && to == target && stated.to_qp == qp) forth = &stated;
          if (to == source && from == target && stated.from_qp == qp) back = &stated;
        }
        REQUIRE((pair != nullptr) == (forth != nullptr || back != nullptr));
        if (pair == nullptr) continue;
        ++found;
        REQUIRE(pair->answers == (back != nullptr));
        REQUIRE(pair->peer_qp == (back != nullptr ? back->to_qp : forth->from_qp).value_or(image::no_peer_qp));
      }
  CHECK(found == 74);
  CHECK(compiled.policy.view().static_pairs.size() == 74);
  CHECK_FALSE(compiled.policy.has_rdma());
}

TEST_CASE("UDP to RoCE's port and a queue pair are two services") {
  control::Model model;
  model.segments = {segment("a", 10, 20)};
  model.statements = {allow("udp", {0}, {0}), allow("rdma", {0}, {0})};
  model.statements[0].services = {};
  model.statements[0].services.udp = {{4791, 4791}};
  model.statements[1].services = {};
  model.statements[1].services.rdma = {{20049, 20049}};
  model.statements[1].rdma.first_use = 7;
  for (const DecisionForm form : {DecisionForm::matrix, DecisionForm::vectors}) {
    const Compiled compiled(model, form);
    Question question = tcp(15, 16, 4791);
    question.protocol = 17;
    CHECK(compiled.policy.rule(compiled.policy.judge(question, 0).rule).name == "udp");
    question.is_rdma = true;
    CHECK(compiled.policy.judge(question, 0).reason == Reason::no_allow);
    question.target_port = 20049;
    const Judgement judgement = compiled.policy.judge(question, 0);
    REQUIRE(compiled.policy.rule(judgement.rule).name == "rdma");
    CHECK(compiled.policy.rdma_rule(judgement.rule).first_use == 7);
    CHECK(compiled.policy.rdma_rule(judgement.rule).operations == image::rdma_default_operations);
    CHECK(compiled.policy.has_rdma());
  }
}

TEST_CASE("READ takes from nobody what the reader does not hold") {
  control::Model model;
  model.segments = {segment("trainers", 10, 19), segment("storage", 20, 29), segment("proxy", 30, 39)};
  for (const auto& held : {std::vector<u32>{0, 1}, std::vector<u32>{1}}) {
    control::Asset& asset = model.assets.emplace_back();
    asset.name = "a" + std::to_string(model.assets.size());
    asset.held = held;
  }
  model.statements = {allow("all", {0, 1, 2}, {0, 1, 2}), allow("said", {2}, {1})};
  for (control::Statement& one : model.statements) one.services.rdma = {{0, 0}};
  model.statements[1].services.rdma = {{20049, 20049}};
  model.statements[1].rdma.operations = u8{4 | 16};
  control::Job& job = model.jobs.emplace_back();
  job.name = "llama";
  job.members = {0, 2};
  job.transports = image::transport_roce;
  const Compiled compiled(model);
  const Policy& policy = compiled.policy;
  const u64 held_by[] = {0b01, 0b11, 0};
  for (u32 from = 0; from < 3; ++from)
    for (u32 to = 0; to < 3; ++to) {
      Question question = tcp(15 + 10 * from, 16 + 10 * to, 0);
      question.protocol = 17;
      question.is_rdma = true;
      const Judgement judgement = policy.judge(question, 0);
      REQUIRE(judgement.reason == Reason::flow_new);
      CHECK(policy.assets_of_source(judgement.source_zone) == held_by[from]);
      CHECK(policy.assets_of_target(judgement.target_zone) == held_by[to]);
      CHECK(policy.jobs_of_source(judgement.source_zone) == (from != 1));
      const bool reads = (held_by[to] & ~held_by[from]) == 0, is_read = (held_by[from] & ~held_by[to]) == 0;
      CHECK(policy.operations_of(judgement, false) == (reads ? 0x7f : 0x7b));
      CHECK(policy.operations_of(judgement, true) == (is_read ? 0x7f : 0x7b));
      question.target_port = 20049;
      const Judgement said = policy.judge(question, 0);
      REQUIRE((said.reason == Reason::flow_new) == (from == 2 && to == 1));
      if (said.reason == Reason::flow_new) CHECK(policy.operations_of(said, false) == (4 | 16));
    }
}

TEST_CASE("what rules call a protocol is what its recogniser calls it") {
  static_assert(std::size(control::spoken_words) == image::spoken_protocols);
  static_assert(static_cast<u32>(Opening::nccl) == image::spoken_protocols);
  for (u32 bit = 0; bit < image::spoken_protocols; ++bit)
    CHECK(name_of(static_cast<Opening>(bit + 1)) == control::spoken_words[bit]);
}

TEST_CASE("what an image cannot hold is refused by a sentence") {
  control::Model model;
  model.segments.resize(70'000);
  const auto segments = control::compile(model, 1);
  REQUIRE_FALSE(segments);
  CHECK(segments.error().code == "E0601");
  CHECK(segments.error().sentence == "the policy needs 70000 segments; an image holds at most 65534");

  model.segments.resize(300);
  for (u32 i = 0; i < 300; ++i) model.segments[i].attach = {std::string("p").append(std::to_string(i))};
  const auto ports = control::compile(model, 1);
  REQUIRE_FALSE(ports);
  CHECK(ports.error().code == "E0605");

  model.segments.clear();
  model.statements.resize(70'000);
  const auto statements = control::compile(model, 1);
  REQUIRE_FALSE(statements);
  CHECK(statements.error().code == "E0602");

  model.segments = {segment("a", 10, 20)};
  model.statements = {allow("one", {0}, {0})};
  model.assets.resize(65);
  CHECK(control::compile(model, 1));
  model.statements[0].services.rdma = {{0, 0}};
  CHECK(control::compile(model, 1).error().code == "E0617");
  model.assets.clear();
  model.jobs.resize(65);
  CHECK(control::compile(model, 1).error().code == "E0618");
}
