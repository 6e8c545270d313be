#include "control/diff/show.hpp"

#include "control/bound/show.hpp"
#include "control/check/rdma_words.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <iterator>

namespace weir::control {
namespace {

constexpr std::size_t shown_max = 6;

struct Text {
  std::string text;
  template <class... Parts>
  void put(fmt::format_string<Parts...> pattern, Parts&&... parts) {
    fmt::format_to(std::back_inserter(text), pattern, std::forward<Parts>(parts)...);
  }
};

template <class Words>
std::string listed(u64 bits, const Words& words) {
  std::string text;
  for (std::size_t i = 0; i < std::size(words); ++i)
    if (bits >> i & 1) text += fmt::format("{}{}", text.empty() ? "" : ", ", words[i]);
  return text.empty() ? "nothing" : text;
}

std::string operations_text(u8 operations) { return listed(operations, operation_words); }
std::string protocols_text(u16 protocols) { return listed(protocols, spoken_words); }

std::string last_day(std::int64_t until_s) {
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(static_cast<std::time_t>(until_s - 1)));
}

// What queue pairs may do, or what a connection must speak.
std::string terms_text(const FatePiece& piece) {
  if (piece.protocols != 0) return fmt::format("spoken {}", protocols_text(piece.protocols));
  if (piece.read_mtu == 0) return "";
  std::string out = operations_text(piece.operations);
  if (piece.read_unless_asset != 0) out += ", read of who holds no other asset";
  out += fmt::format("; READ at MTU {}, credit {}", piece.read_mtu, show_bytes(piece.read_credit));
  return piece.first_use == 0 ? out : out + fmt::format("; {} by first use", piece.first_use);
}

std::string place_of(const PolicySide& side, const Statement& statement) {
  const Model& model = side.model;
  return fmt::format("{}:{}", model.files[statement.span.file], model.line_of(statement.span));
}

// "allow `serve` at policy.toml:126", or the reason's sentence.
std::string decided_by(const PolicySide& side, const Judgement& judgement) {
  const ReasonRow& reason = row(judgement.reason);
  if (judgement.rule == no_rule) return fmt::format("denied: {}", reason.sentence);
  const RuleView rule = side.policy.rule(judgement.rule);
  const std::string which =
      fmt::format("{} `{}` at {}:{}", rule.is_forbid ? "forbid" : "allow", rule.name, rule.file, rule.line);
  if (judgement.reason == Reason::expired) return fmt::format("denied: {} has expired", which);
  return fmt::format("{} by {}", reason.verdict == Verdict::forward ? "allowed" : "denied", which);
}

std::string packet_of(const DiffExample& example) {
  std::string out = fmt::format("{} > {} {}", example.source, example.target, example.service);
  if (example.network) return out + fmt::format(", in network {}", *example.network);
  out += example.port.empty() ? ", in a tunnel without a number" : fmt::format(", in by {}", example.port);
  return example.out_port.empty() ? out : out + fmt::format(", out by {}", example.out_port);
}

std::string others_of(const PolicySide& side, const std::vector<u32>& statements, const Judgement& judgement) {
  std::vector<std::string> names;
  for (const u32 index : statements) {
    const Statement& statement = side.model.statements[index];
    const bool decides = judgement.rule != no_rule && side.policy.rule(judgement.rule).name == statement.name;
    if (!decides) names.push_back(fmt::format("`{}` at {}", statement.name, place_of(side, statement)));
  }
  if (names.empty()) return "";
  const std::size_t more = names.size() > shown_max ? names.size() - shown_max : 0;
  names.resize(names.size() - more);
  return fmt::format("; elsewhere in it also {}{}", fmt::join(names, ", "),
                     more != 0 ? fmt::format(" and {} more", more) : "");
}

void put_entry(Text& out, const Diff& diff, const Sides& sides, const DiffEntry& entry) {
  std::string where = entry.domain.empty() ? "" : fmt::format("inside {}", entry.domain);
  if (!entry.family.empty()) where = fmt::format("{} only{}{}", entry.family, where.empty() ? "" : ", ", where);
  out.put("  {} > {}: {}{}\n", entry.from, entry.to, entry.services, where.empty() ? "" : fmt::format(" ({})", where));
  constexpr std::string_view names[] = {"old", "new"};
  for (const u32 policy : {old_policy, new_policy}) {
    const Judgement& judgement = entry.example.judgements[policy];
    out.put("    {}      {}{}\n", names[policy], decided_by(sides[policy], judgement),
            others_of(sides[policy], entry.statements[policy], judgement));
    if (entry.kind == ChangeKind::treated_otherwise) out.put("             {}\n", show_fate(diff, entry.fates[policy]));
  }
  out.put("    example  {}\n", packet_of(entry.example));
}

std::string prefixes_of(const DiffClaim& claim) {
  std::vector<std::string> shown = claim.prefixes;
  const std::size_t more = shown.size() > shown_max ? shown.size() - shown_max : 0;
  shown.resize(shown.size() - more);
  return fmt::format("{}{}{}", claim.all_but ? "all but " : "", fmt::join(shown, ", "),
                     more != 0 ? fmt::format(" and {} more prefixes", more) : "");
}

void put_bounds(Text& out, const Diff& diff) {
  for (const DiffBound& one : diff.bounds) {
    if (!one.moved()) continue;
    out.put("  {}\n", one.asset);
    for (std::size_t i = 0; i < bound_labels.size(); ++i) {
      const auto figure = [&](u32 policy) { return one.figures[policy].empty() ? "none" : one.figures[policy][i]; };
      if (figure(0) != figure(1)) out.put("    {}: {} -> {}\n", bound_labels[i], figure(0), figure(1));
    }
  }
}

}  // namespace

// "allowed until 2027-03-31, then denied", with what else is asked of the packets.
std::string show_fate(const Diff& diff, const std::vector<FatePiece>& fate) {
  constexpr std::string_view logs[] = {"", "log opened", "log all"};
  std::string out;
  for (const FatePiece& piece : fate) {
    std::vector<std::string> traits;
    if (piece.log != 0) traits.emplace_back(logs[piece.log]);
    if (piece.syn_proxy != 0) traits.emplace_back("syn_proxy");
    if (piece.rejects != 0) traits.emplace_back("answered");
    if (const std::string terms = terms_text(piece); !terms.empty()) traits.push_back(terms);
    if (piece.inspections != 0) traits.push_back(fmt::format("inspected by {}", diff.inspections[piece.inspections]));
    out += out.empty() ? "" : ", then ";
    out += piece.allowed != 0 ? "allowed" : "denied";
    if (!traits.empty()) out += fmt::format(" ({})", fmt::join(traits, ", "));
    if (piece.until_s != no_end) out += fmt::format(" until {}", last_day(piece.until_s));
  }
  return out;
}

std::string show_diff(const Diff& diff, const Sides& sides, const std::vector<std::string>& not_compared) {
  Text out;
  constexpr std::string_view titles[] = {"Newly allowed", "Newly denied", "Treated otherwise"};
  bool first = true;
  const auto section = [&](std::string_view title) {
    out.put("{}{}\n", first ? "" : "\n", title);
    first = false;
  };
  std::optional<ChangeKind> last;
  for (const DiffEntry& entry : diff.entries) {
    if (last != entry.kind) section(titles[static_cast<std::size_t>(entry.kind)]);
    last = entry.kind;
    put_entry(out, diff, sides, entry);
  }
  if (!diff.claims.empty()) section("Addresses that ports may claim");
  for (const auto& claim : diff.claims)
    out.put("  {}: {} {}\n", fmt::join(claim.ports, ", "), claim.accepted ? "newly" : "no longer", prefixes_of(claim));
  if (std::ranges::any_of(diff.bounds, &DiffBound::moved))
    section("Most that can leave, and the shortest time for a copy");
  put_bounds(out, diff);
  if (!diff.settings.empty()) section("Settings");
  for (const auto& [key, before, after] : diff.settings) out.put("  {}: {} -> {}\n", key, before, after);
  for (const auto& [before, after] : diff.renamed) out.put("renamed, which changes nothing: {} -> {}\n", before, after);
  if (!not_compared.empty())
    out.put("not compared, since this version does not enforce it: {}\n", fmt::join(not_compared, ", "));
  if (diff.same()) out.put("the policies behave the same\n");
  return std::move(out.text);
}

}  // namespace weir::control
