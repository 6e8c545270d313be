// The state that resolving shares between its two passes: nouns (nouns.cpp), then statements (statements.cpp);
// [state] and [flood] name nothing (tracking.cpp); budgets and limits (budgets.cpp), and what is judged by them
// (assets.cpp); RDMA and jobs (rdma.cpp); what packets carry (covert.cpp). Private to control/check.
#pragma once
#include "control/check/resolve.hpp"

#include <span>
#include <tuple>

namespace weir::control {

// A named table under [segment], [group], [service], [list] or [port].
struct NamedTable {
  std::uint32_t file;
  const Entry* entry;
};

class Resolver {
 public:
  Resolver(Loaded& loaded, std::int64_t now_s, Diagnostics& out) : loaded_(loaded), now_s_(now_s), out_(out) {}
  Resolved run();

 private:
  // nouns.cpp
  std::vector<NamedTable> tables(std::string_view kind) const;
  void collect_nouns();
  void add_segment(const NamedTable& table);
  void add_list(const NamedTable& table);
  void read_list(Segment& segment, std::uint32_t file);
  void add_port_pin(const NamedTable& table);
  void add_macs(PortPin& pin, const Node& macs);
  void add_services();
  void resolve_groups();
  // False when groups nest deeper than is followed: then nothing may be concluded from what was found.
  bool expand_group(const std::string& name, std::vector<std::string>& path);
  bool claim_name(const std::string& name, NounKind kind, Span span);
  AddressSet addresses(const Node& node);
  std::optional<Class> class_of(const Entry& table, Span& span) const;
  void check_shared_ports();

  // tracking.cpp
  void read_tracking(const Document& root);
  void read_segment_shares(Segment& segment, const Node& table);

  // statements.cpp
  void policy_and_link();
  void add_statements();
  void add_statement(const Node& node, bool is_forbid);
  std::string statement_name(const Node& node, Span& span, std::string_view kind);
  void check_governance(const Node& node, Span span);
  // breakglass.cpp: after all else of an allow has been read
  void read_breakglass(const Node& node, Statement& statement);
  bool segments_of(const Node* node, std::vector<std::uint32_t>& out);
  bool services_of(const Node* node, ServiceSet& out);
  // Whether the table is in monitor mode today, and until when.
  bool monitors(const Node& node, std::optional<std::int64_t>& until_s);
  void add_test(const Node& node);
  void add_claims(Test& test, const Node& node, bool allow);
  void unknown(std::string_view code, std::string_view kind, const Node& at,
               const std::vector<std::string_view>& known);
  void unknown_noun(const Node& at);

  // budgets.cpp
  void add_budget(const Node& node);
  bool add_windows(const Node& node, Budget& budget);
  bool add_window(Span span, const Entry* length, const Entry& bytes, Budget& budget);
  bool add_exceed(const Node& node, Budget& budget);
  void add_reserves(const Node& node, Budget& budget);
  void add_alerts(const Node& node, Budget& budget);
  void add_limit(const Node& node);
  void check_accounts();

  // rdma.cpp
  std::optional<std::uint8_t> words_of(const Node& table, std::string_view key, std::string_view kind,
                                       std::span<const std::string_view> words);
  void read_rdma(const Document& root);
  void read_terms(const Node& node, Statement& statement, StatementFacts& facts);
  void read_spoken_of(const Node& node, Statement& statement);
  void add_job(const NamedTable& table);
  void read_watch(const Node& node, Job& job);
  void add_queue_pair(const Node& node);
  void check_declared_once(const QueuePair& pair);

  // inspect.cpp
  void add_inspection(const NamedTable& table);
  void read_inspection(const Node& node, Inspection& made);
  std::optional<Pattern> own_pattern(const Node& node, const Inspection& inspection);
  void check_expressions(const PatternSet& set);
  bool use_set(const Node& item);
  bool read_set_file(const Node& item);
  void use_inspections(const Node& node, Statement& statement);
  void finish_inspections();

  // covert.cpp
  void add_dns_terms(const NamedTable& table);
  // `has_services`: every service that the allow names is there.
  void read_covert(const Node& node, Statement& statement, bool has_services);
  void finish_dns_terms();

  // assets.cpp
  void read_capacity(Segment& segment, const Node& table);
  void read_fleet(const Document& root);
  void add_asset(const NamedTable& table);
  void add_invariant(const Node& node);
  void check_pins_of_assets();

  struct NamedDnsTerms {
    DnsTerms made;
    bool used = false;
  };

  Loaded& loaded_;
  std::int64_t now_s_;
  Diagnostics& out_;
  Resolved made_;
  std::vector<Segment> segments_;                          // in the order found, before sorting
  std::map<std::string, const Entry*, std::less<>> groups_;
  std::vector<std::string> require_;
  std::vector<std::pair<Span, std::uint32_t>> reserves_;   // by place
  struct FoundInspection {
    Inspection made;
    std::vector<std::string> sets;  // by name, of pattern_sets_
    bool used = false;              // some allow names it
  };
  std::map<std::string, FoundInspection, std::less<>> inspections_;
  std::map<std::string, PatternSet, std::less<>> pattern_sets_;  // that some inspection names
  std::map<std::string, NamedDnsTerms, std::less<>> dns_terms_;
  std::map<std::tuple<bool, Ipv6Number, Ipv6Number, std::uint32_t>, Span> declared_;  // by family, source, target, qp
  std::size_t guesses_ = 0;                                // names looked for that are not there
  std::map<std::string, Span, std::less<>> statement_names_;  // "allow:read-shards"
  std::vector<std::pair<Statement, StatementFacts>> statements_;
};

}  // namespace weir::control
