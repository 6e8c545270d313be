#include "control/see/flow_line.hpp"

#include <fmt/format.h>

namespace weir::see {

nlohmann::ordered_json flow_json(const door::FlowRow& row, const Facts& facts, const PolicyNames* names) {
  nlohmann::ordered_json made = {{"source", text_of(facts.source)}, {"target", text_of(facts.target)}};
  made["protocol"] = protocol_text(facts.protocol);
  if (facts.source_port != 0) made["source_port"] = facts.source_port;
  if (facts.target_port != 0) made["target_port"] = facts.target_port;
  if (row.flow_class() == FlowClass::rdma) {
    made["queue_pair"] = row.qp;
    made["queue_pair_of"] = row.qp_is_of_source != 0 ? "source" : "target";
  }
  if (!facts.from.empty()) made["from"] = facts.from;
  if (!facts.to.empty()) made["to"] = facts.to;
  if (!facts.rule.empty()) {
    const RuleView rule = names->policy().rule(row.rule);
    made["rule"] = rule.name;
    made["at"] = fmt::format("{}:{}", rule.file, rule.line);
  }
  constexpr const char* judged[] = {"now", "before", "revoked"};
  made["judged"] = judged[static_cast<u32>(row.judged) % std::size(judged)];
  made["state"] = state_name(row);
  made["idle_s"] = row.idle_ms / 1000.0;
  made["left_s"] = row.left_ms / 1000.0;
  if (in_network(row.place())) made["network"] = network_of(row.place());
  made["worker"] = row.worker;
  return made;
}

}  // namespace weir::see
