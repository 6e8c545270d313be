#include "tools/weir/replay_summary.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

fmt::string_view shown(std::string_view text) { return {text.data(), text.size()}; }

std::string address_text(const Address& address) {
  char text[INET6_ADDRSTRLEN];
  u64 words[] = {address.high, address.low};
  if (address.is_ipv4()) return inet_ntop(AF_INET, &address.low, text, sizeof text);
  return inet_ntop(AF_INET6, words, text, sizeof text);
}

// RFC 3339, in UTC.
std::string time_text(Tick time) {
  const auto seconds = static_cast<std::time_t>(time / tick_second);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t bytes = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:06}Z", fmt::string_view(text, bytes), time % tick_second);
}

bool has_ports(u8 protocol) { return protocol == 6 || protocol == 17 || protocol == 132; }

// The endpoint with its segment; the port only where one is given.
std::string endpoint_text(std::string_view segment, const Address& address, u16 port) {
  std::string text = segment.empty() ? std::string{} : std::string(segment) + ' ';
  if (port == 0) return text + address_text(address);
  return text + (address.is_ipv4() ? fmt::format("{}:{}", address_text(address), port)
                                   : fmt::format("[{}]:{}", address_text(address), port));
}

std::string service_text(const Headers& headers) {
  if (!headers.well_formed()) return "-";
  switch (headers.kind) {
    case PacketKind::arp: return "arp";
    case PacketKind::nd: return "nd";
    case PacketKind::ra: return "ra";
    case PacketKind::dhcp: return "dhcp";
    case PacketKind::fragment: return fmt::format("fragment of protocol {}", headers.protocol);
    case PacketKind::flow:
    case PacketKind::icmp_error: break;
  }
  switch (headers.protocol) {
    case 6: return fmt::format("tcp/{}", headers.target_port);
    case 17: return fmt::format("udp/{}", headers.target_port);
    case 132: return fmt::format("sctp/{}", headers.target_port);
    case 1: return fmt::format("icmp4 {}/{}", headers.icmp_type, headers.icmp_code);
    case 58: return fmt::format("icmp6 {}/{}", headers.icmp_type, headers.icmp_code);
    default: return fmt::format("protocol {}", headers.protocol);
  }
}

template <class T>
void append_raw(std::string& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// What makes two packets one line. Replies carry their flow's number, so that both directions meet.
std::string conversation_key(const Decided& decided, const Headers& headers) {
  const Outcome& outcome = *decided.outcome;
  std::string key;
  append_raw(key, outcome.verdict);
  if (outcome.verdict == Verdict::drop) append_raw(key, outcome.reason), append_raw(key, outcome.rule);
  append_raw(key, decided.flow_number);
  if (decided.flow_number != no_flow_number) return key;
  append_raw(key, decided.port);
  if (!headers.well_formed()) return key;
  append_raw(key, headers.source), append_raw(key, headers.target);
  append_raw(key, headers.kind), append_raw(key, headers.protocol);
  append_raw(key, headers.target_port);
  append_raw(key, headers.icmp_type);
  return key;
}

}  // namespace

void ReplaySummary::add(const Decided& decided, const Policy* policy) {
  if (decided.outcome->verdict == Verdict::hold) return;  // its end counts
  const Outcome& outcome = *decided.outcome;
  Tally& tally = reasons_[static_cast<u8>(outcome.reason)];
  ++tally.packets;
  tally.bytes += decided.frame.size();
  if (packets_++ == 0) first_ = decided.time;
  last_ = decided.time;
  flows_ += outcome.flow_is_new;
  generation_ = std::max(generation_, outcome.generation);
  if (!by_flow_) return;
  const Headers headers = parse(decided.frame, {HashKey{}, 0});
  std::string key = conversation_key(decided, headers);
  auto at = line_of_.find(key);
  if (at == line_of_.end()) {
    if (lines_.size() == conversations_max) {
      ++untold_;
      return;
    }
    at = line_of_.emplace(std::move(key), lines_.size()).first;
    lines_.push_back(describe(decided, headers, policy));
  }
  ConversationLine& line = lines_[at->second];
  ++line.packets;
  line.bytes += decided.frame.size();
}

ConversationLine ReplaySummary::describe(const Decided& decided, const Headers& headers, const Policy* policy) const {
  const Outcome& outcome = *decided.outcome;
  const DecisionNames names = names_of(outcome, policy);
  ConversationLine line{outcome.verdict,       outcome.reason, std::string(names.rule), "", "-", "-",
                        service_text(headers), decided.time};
  if (!names.rule.empty()) {
    const RuleView rule = policy->rule(outcome.rule);
    line.place = fmt::format("{}{}:{}", rule_directory_, shown(rule.file), rule.line);
  }
  if (!headers.well_formed()) return line;
  line.source = endpoint_text(names.from, headers.source, has_ports(headers.protocol) ? headers.source_port : 0);
  line.target = endpoint_text(names.to, headers.target, 0);
  return line;
}

std::string ReplaySummary::table(bool colour) const {
  std::string text = by_flow_ ? flow_table(colour) : reason_table(colour);
  const auto total = [&](Verdict verdict) {
    u64 packets = 0;
    for (std::size_t reason = 0; reason < reasons_count; ++reason)
      if (reason_rows[reason].verdict == verdict) packets += reasons_[reason].packets;
    return packets;
  };
  if (untold_ != 0)
    text += fmt::format("... and {} packets of further conversations than the first {}\n", untold_, conversations_max);
  const u64 answered = total(Verdict::answer);
  text += fmt::format("\n{} packets in {}.{:03} s: {} forwarded, {}{} dropped; {} flows; generation {}\n", packets_,
                      (last_ - first_) / tick_second, (last_ - first_) % tick_second / 1000,
                      total(Verdict::forward) + total(Verdict::rewrite),
                      answered == 0 ? "" : fmt::format("{} answered, ", answered), total(Verdict::drop), flows_,
                      generation_);
  return text;
}

nlohmann::json ReplaySummary::json() const {
  nlohmann::json out{{"packets", packets_},           {"flows", flows_},
                     {"generation", generation_},     {"first_time", time_text(first_)},
                     {"last_time", time_text(last_)}, {"reasons", nlohmann::json::array()}};
  for (std::size_t reason = 0; reason < reasons_count; ++reason)
    if (reasons_[reason].packets != 0)
      out["reasons"].push_back({{"verdict", verdict_name(reason_rows[reason].verdict)},
                                {"reason", reason_rows[reason].name},
                                {"packets", reasons_[reason].packets},
                                {"bytes", reasons_[reason].bytes}});
  if (!by_flow_) return out;
  out["packets_untold"] = untold_;
  out["conversations"] = nlohmann::json::array();
  for (const ConversationLine& line : lines_) {
    const auto or_null = [](const std::string& text) { return text.empty() ? nlohmann::json() : nlohmann::json(text); };
    out["conversations"].push_back({{"verdict", verdict_name(line.verdict)},
                                    {"reason", row(line.reason).name},
                                    {"rule", or_null(line.rule)},
                                    {"place", or_null(line.place)},
                                    {"source", line.source},
                                    {"target", line.target},
                                    {"service", line.service},
                                    {"first_time", time_text(line.first)},
                                    {"packets", line.packets},
                                    {"bytes", line.bytes}});
  }
  return out;
}

}  // namespace weir
