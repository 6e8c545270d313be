// What outcomes say of rules beside what the engine counted of them: flows that a rule let begin, packets that a forbid
// denied or that an allow covers and something else refused. Each sequence has rows of its own.
#pragma once
#include "dataplane/pipeline/burst.hpp"
#include "tests/property/sequence_policies.hpp"

#include <array>
#include <deque>
#include <vector>

namespace weir {

class HitsWatch {
 public:
  HitsWatch(const Policies& policies, u32 workers) {
    for (u32 i = 0; i < Policies::count; ++i) {
      Book& book = books_.emplace_back(Book{*policies[i].installed, {}, {}});
      const u32 rules = book.installed.policy.rules_count();
      book.rows = std::vector<RuleHits>(hits_stride(rules) * workers);
      book.due.resize(rules);
      book.installed.hits = book.rows;
    }
  }

  const InstalledPolicy* of(u32 policy) const { return &books_[policy].installed; }

  void see(u32 policy, const Outcome& outcome) {
    if (outcome.rule == no_rule) return;
    Book& book = books_[policy];
    Due& due = book.due.at(outcome.rule);
    const bool rejected = outcome.verdict == Verdict::answer && book.installed.policy.rule(outcome.rule).is_forbid;
    const bool denied = outcome.verdict == Verdict::drop || rejected;
    due.opened += outcome.flow_is_new;
    due.dropped += denied && !outcome.flow_is_new;
  }

  // Null, or what does not hold.
  const char* fault() const {
    for (const Book& book : books_) {
      const u32 rules = static_cast<u32>(book.due.size());
      for (u32 rule = 0; rule < rules; ++rule) {
        u64 opened = 0, dropped = 0, any = 0;
        bool has_time = false;
        for (std::size_t at = rule; at < book.rows.size(); at += hits_stride(rules)) {
          opened += book.rows[at].opened.read(), dropped += book.rows[at].dropped.read();
          any += book.rows[at].opened.read() + book.rows[at].dropped.read() + book.rows[at].kept.read();
          has_time |= book.rows[at].last.read() != 0;
        }
        if (opened != book.due[rule].opened) return "flows that a rule let begin are counted";
        if (dropped != book.due[rule].dropped) return "packets that a rule denied are counted";
        if (has_time != (any != 0)) return "the last hit has a time";
      }
    }
    return nullptr;
  }

 private:
  struct Due {
    u64 opened = 0, dropped = 0;
  };
  struct Book {
    InstalledPolicy installed;
    std::vector<RuleHits> rows;
    std::vector<Due> due;
  };
  std::deque<Book> books_;
};

}  // namespace weir
