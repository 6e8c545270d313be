// [rdma], [[queue_pair]], [job.NAME], and what an allow says of its queue pairs. What is legal and odd is told in
// rdma_lints.cpp.
#include "control/check/names.hpp"
#include "control/check/reading.hpp"
#include "control/check/resolver.hpp"
#include "control/check/rdma_words.hpp"
#include "dataplane/policy/image.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <bit>
#include <charconv>

namespace weir::control {
namespace {

std::uint32_t mtu_of(const Node& table, const Reading& values, std::uint32_t otherwise) {
  std::uint32_t mtu = otherwise;
  values.count("read_mtu", mtu, 0, ~0u);
  if (mtu == otherwise || (std::has_single_bit(mtu) && mtu >= rdma_mtu_least && mtu <= rdma_mtu_most))
    return mtu;
  values.out_of_bounds("read_mtu", *value_of(table, "read_mtu"), "256, 512, 1024, 2048 or 4096");
  return otherwise;
}

// NCCL's magic, or a JobID: hexadecimal digits after 0x, of so many at most.
std::optional<std::uint64_t> tag_of(std::string_view text, std::size_t digits) {
  if (!text.starts_with("0x") || text.size() < 3 || text.size() > 2 + digits) return std::nullopt;
  std::uint64_t tag = 0;
  const auto [end, fault] = std::from_chars(text.data() + 2, text.data() + text.size(), tag, 16);
  return fault == std::errc{} && end == text.data() + text.size() ? std::optional(tag) : std::nullopt;
}

std::optional<AddressSet> one_address(const Node* node) {
  if (node == nullptr || node->kind != NodeKind::string) return std::nullopt;
  const Prefix prefix = parse_prefix(node->text);
  if (prefix.fault != PrefixFault::none || prefix.length != (prefix.is_ipv4 ? 32 : 128)) return std::nullopt;
  AddressSet set;
  add(set, prefix);
  return set;
}

bool same_family(const AddressSet& a, const AddressSet& b) { return a.ipv4.empty() == b.ipv4.empty(); }

bool equal(const AddressSet& a, const AddressSet& b) {
  if (!same_family(a, b)) return false;
  return a.ipv4.empty() ? a.ipv6[0].first == b.ipv6[0].first : a.ipv4[0].first == b.ipv4[0].first;
}

}  // namespace

// Bits of words, each told when it is none; nothing when the key is not there.
std::optional<std::uint8_t> Resolver::words_of(const Node& table, std::string_view key, std::string_view kind,
                                               std::span<const std::string_view> words) {
  const Node* node = value_of(table, key);
  if (node == nullptr || node->kind != NodeKind::array) return std::nullopt;
  std::uint8_t bits = 0;
  for (const Node& item : node->items) {
    if (item.kind != NodeKind::string) continue;
    const auto found = std::ranges::find(words, item.text);
    if (found == words.end()) unknown("E0112", kind, item, {words.begin(), words.end()});
    else bits |= static_cast<std::uint8_t>(1u << (found - words.begin()));
  }
  return bits;
}

void Resolver::read_rdma(const Document& root) {
  const Node* rdma = value_of(root.tree, "rdma");
  if (rdma == nullptr || rdma->kind != NodeKind::table) return;
  RdmaSettings& made = made_.model.rdma;
  const Reading values(*rdma, out_);
  made.check_icrc = values.says("icrc", "check");
  values.rate("cnp", made.cnp);
  values.rate("cm", made.cm);
  values.time_ms("nak_penalty", made.nak_penalty_ms, 1, image::nak_penalty_ms_max);
}

void Resolver::read_terms(const Node& node, Statement& statement, StatementFacts& facts) {
  for (const Entry& entry : node.entries)
    if (entry.key == "operations" || entry.key == "read_mtu" || entry.key == "read_credit" || entry.key == "first_use")
      if (!facts.terms_span) facts.terms_span = entry.key_span;
  RdmaTerms& terms = statement.rdma;
  const Reading values(node, out_);
  terms.operations = words_of(node, "operations", "operation", operation_words);
  terms.read_mtu = mtu_of(node, values, terms.read_mtu);
  values.amount("read_credit", KeyType::size, terms.read_credit, image::read_credit_max);
  values.count("first_use", terms.first_use, 1, image::first_use_max);
}

// What connections of an allow must speak. A connection does not say which of the allow's services it is of, so that
// services that are recognised stand in an allow of their own.
void Resolver::read_spoken_of(const Node& node, Statement& statement) {
  const Node* with = value_of(node, "with");
  if (with == nullptr) return;
  std::optional<std::uint16_t> first;
  const auto look = [&](const Node& item) {
    const auto found = made_.names.services.find(item.text);
    if (item.kind != NodeKind::string || found == made_.names.services.end()) return;
    if (first && *first != found->second.spoken)
      out_.add("E0212", item.span,
               fmt::format("`{}` is recognised by another protocol than the services beside it", item.text),
               "in an allow with others")
          .with(found->second.span, "defined here")
          .helped("give each of them an [[allow]] of its own");
    first = first.value_or(found->second.spoken);
  };
  look(*with);
  for (const Node& item : with->items) look(item);
  statement.rdma.protocols = first.value_or(0);
}

void Resolver::add_job(const NamedTable& table) {
  const Entry& entry = *table.entry;
  Job job;
  job.name = entry.key;
  job.span = entry.key_span;
  const auto same = std::ranges::find(made_.model.jobs, job.name, &Job::name);
  if (same != made_.model.jobs.end()) {
    out_.add("E0203", job.span, fmt::format("job `{}` is defined twice", job.name), "again here")
        .with(same->span, "first here");
    return;
  }
  const Node& node = entry.value;
  const bool whole = segments_of(value_of(node, "members"), job.members);
  job.transports = words_of(node, "transport", "transport", transport_words).value_or(image::transport_every);
  job.operations = words_of(node, "operations", "operation", operation_words).value_or(rdma_operations_all);
  if (const Node* tag = value_of(node, "tag"); tag != nullptr && tag->kind == NodeKind::string) {
    job.tag = tag_of(tag->text, 16);
    if (!job.tag)
      out_.add("E0418", tag->span, fmt::format("`{}` is not a tag", tag->text), "64 bits in hexadecimal")
          .helped("as NCCL has it: tag = \"0x0123456789abcdef\"");
  }
  if (const Node* uet = value_of(node, "uet_job"); uet != nullptr && uet->kind == NodeKind::string) {
    if (const auto id = tag_of(uet->text, 6)) job.uet = static_cast<std::uint32_t>(*id);
    else
      out_.add("E0418", uet->span, fmt::format("`{}` is not a JobID", uet->text), "24 bits in hexadecimal")
          .helped("for example uet_job = \"0x00abcd\"");
  }
  const Reading values(node, out_);
  std::uint32_t seal_ms = 0;
  constexpr std::uint32_t seal_ms_most = static_cast<std::uint32_t>(image::seal_after_us_max / 1000);
  if (values.time_ms("seal_after", seal_ms, 1'000, seal_ms_most)) job.seal_after_us = std::uint64_t{seal_ms} * 1000;
  job.read_mtu = mtu_of(node, values, 0);
  values.amount("read_credit", KeyType::size, job.read_credit, image::read_credit_max);
  read_watch(node, job);
  if (whole && job.transports != 0) made_.model.jobs.push_back(std::move(job));
}

void Resolver::read_watch(const Node& node, Job& job) {
  const Reading values(node, out_);
  values.amount("burst", KeyType::size, job.burst, image::burst_bytes_max);
  std::uint32_t window_ms = 0;
  constexpr std::uint32_t window_ms_most = static_cast<std::uint32_t>(image::watch_window_us_max / 1000);
  if (values.time_ms("window", window_ms, 1'000, window_ms_most)) job.window_us = std::uint64_t{window_ms} * 1000;
  values.count("ratio", job.ratio, 2, image::watch_ratio_most);
  if (node.find("burst") != nullptr) return;
  for (const std::string_view key : {"window", "ratio"})
    if (const Entry* const entry = node.find(key); entry != nullptr)
      out_.add("E0104", entry->key_span, fmt::format("`{}` without `burst`", key), "of a watch that nothing asks for")
          .helped("for example burst = \"10 GB\"");
}

void Resolver::add_queue_pair(const Node& node) {
  QueuePair pair;
  pair.span = node.span;
  const Node *from = value_of(node, "from"), *to = value_of(node, "to");
  const auto from_set = one_address(from), to_set = one_address(to);
  for (const auto& [text, set] : {std::pair(from, &from_set), std::pair(to, &to_set)})
    if (text != nullptr && text->kind == NodeKind::string && !*set)
      out_.add("E0419", text->span, fmt::format("`{}` is not one address", text->text), "a queue pair is of two hosts")
          .helped("for example from = \"10.0.0.1\"");
  const auto number = [&](std::string_view key) -> std::optional<std::uint32_t> {
    std::uint32_t qp = ~0u;
    Reading(node, out_).count(key, qp, 2, image::qp_max);
    return qp == ~0u ? std::nullopt : std::optional(qp);
  };
  pair.from_qp = number("from_qp");
  pair.to_qp = number("to_qp");
  if (node.find("from_qp") == nullptr && node.find("to_qp") == nullptr)
    out_.add("E0419", node.span, "this declaration names no queue pair", "needs `from_qp`, `to_qp` or both")
        .helped("to_qp is the number at `to`: packets to it pass; from_qp is the number at `from`");
  if (!from_set || !to_set || (!pair.from_qp && !pair.to_qp)) return;
  if (!same_family(*from_set, *to_set) || equal(*from_set, *to_set)) {
    out_.add("E0419", to->span, fmt::format("no queue pair joins `{}` and `{}`", from->text, to->text),
             equal(*from_set, *to_set) ? "the same host" : "of another family");
    return;
  }
  pair.from = *from_set;
  pair.to = *to_set;
  check_declared_once(pair);
  made_.model.queue_pairs.push_back(std::move(pair));
}

// A number at a host is one end of one pair; toward it from one other host it can be declared once.
void Resolver::check_declared_once(const QueuePair& pair) {
  const auto first = [](const AddressSet& one) {
    return one.ipv4.empty() ? one.ipv6.front().first : Ipv6Number{one.ipv4.front().first};
  };
  const Ipv6Number from = first(pair.from), to = first(pair.to);
  const bool is_ipv4 = !pair.from.ipv4.empty();
  for (const bool answers : {false, true}) {
    const auto qp = answers ? pair.from_qp : pair.to_qp;
    if (!qp) continue;
    const auto [at, fresh] = declared_.try_emplace({is_ipv4, answers ? to : from, answers ? from : to, *qp}, pair.span);
    if (fresh) continue;
    out_.add("E0419", pair.span, fmt::format("queue pair {:#x} is declared twice", *qp), "again here")
        .with(at->second, "first here");
    return;
  }
}

}  // namespace weir::control
