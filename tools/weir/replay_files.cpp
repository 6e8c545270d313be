#include "tools/weir/replay_files.hpp"

#include <fmt/format.h>
#include <filesystem>

namespace weir {

std::string in_words(const Decided& decided, const Policy* policy) {
  const Outcome& outcome = *decided.outcome;
  const DecisionNames names = names_of(outcome, policy);
  const auto piece = [](std::string_view text) { return fmt::string_view(text.data(), text.size()); };
  std::string words = fmt::format("{} {}", piece(verdict_name(outcome.verdict)), piece(row(outcome.reason).name));
  if (!names.rule.empty()) {
    const RuleView rule = policy->rule(outcome.rule);
    words += fmt::format(" by {} ({}:{})", piece(names.rule), piece(rule.file), rule.line);
  }
  if (outcome.source_segment != no_segment || outcome.target_segment != no_segment)
    words += fmt::format(", {} > {}", piece(names.from.empty() ? "?" : names.from),
                         piece(names.to.empty() ? "?" : names.to));
  if (decided.flow_number != no_flow_number) words += fmt::format(", flow {}", decided.flow_number);
  return words;
}

std::size_t decision_line(std::span<char, decision_line_bytes_max> line, const Decided& decided, const Policy* policy) {
  return format_decision(line, {decided.index, decided.time, decided.port, decided.flow_number}, *decided.outcome,
                         policy);
}

std::expected<ReplayFiles, std::string> ReplayFiles::create(const std::string& directory,
                                                            const std::string& annotated) {
  ReplayFiles files;
  if (!directory.empty()) {
    std::error_code failure;
    std::filesystem::create_directories(directory, failure);
    if (failure) return std::unexpected(directory + ": cannot be made: " + failure.message());
    auto inside = capture::PcapWriter::create(directory + "/inside.pcap");
    if (!inside) return std::unexpected(inside.error());
    auto outside = capture::PcapWriter::create(directory + "/outside.pcap");
    if (!outside) return std::unexpected(outside.error());
    auto decisions = capture::OutputFile::create(directory + "/decisions.jsonl");
    if (!decisions) return std::unexpected(decisions.error());
    files.directory_.emplace(Directory{{std::move(*inside), std::move(*outside)}, std::move(*decisions)});
  }
  if (!annotated.empty()) {
    const std::string ports[] = {"inside", "outside"};
    auto writer = capture::PcapngWriter::create(annotated, ports);
    if (!writer) return std::unexpected(writer.error());
    files.annotated_.emplace(std::move(*writer));
  }
  return files;
}

void ReplayFiles::add(const Decided& decided, const Policy* policy) {
  const Outcome& outcome = *decided.outcome;
  if (directory_) {
    if (outcome.verdict == Verdict::forward || outcome.verdict == Verdict::rewrite)
      directory_->ports[decided.port ^ 1].write(decided.ended, decided.frame, decided.original_bytes);
    if (outcome.answer_bytes != 0)
      directory_->ports[decided.port].write(decided.time, decided.answer, outcome.answer_bytes);
    char line[decision_line_bytes_max];
    directory_->decisions.write({line, decision_line(line, decided, policy)});
  }
  if (annotated_ && outcome.verdict != Verdict::hold)
    annotated_->write(decided.port, decided.time, decided.frame, decided.original_bytes, in_words(decided, policy));
}

std::expected<void, std::string> ReplayFiles::close() {
  std::expected<void, std::string> first;
  const auto keep = [&](std::expected<void, std::string> closed) {
    if (first && !closed) first = closed;
  };
  if (directory_) {
    for (auto& port : directory_->ports) keep(port.close());
    keep(directory_->decisions.close());
  }
  if (annotated_) keep(annotated_->close());
  return first;
}

}  // namespace weir
