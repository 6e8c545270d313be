#include "dataplane/edge/lesson_records.hpp"

#include <fmt/format.h>

#include <cstring>

namespace weir::edge {
namespace {

constexpr char purpose[] = "queue pairs of a job";
constexpr u32 qp_least = 2, qp_most = 0xff'ffff;

ledger::Tag tag_of(std::span<const std::byte> bytes, const ledger::Key& key) {
  return key.tag_of({std::as_bytes(std::span(purpose)), bytes});
}

// Takes as long whatever it finds.
bool same(const ledger::Tag& one, std::span<const std::byte> other) {
  u8 differs = 0;
  for (std::size_t i = 0; i < one.size(); ++i)
    differs = static_cast<u8>(differs | (one[i] ^ static_cast<u8>(other[i])));
  return differs == 0;
}

bool is_pair(const LessonRecord& one) {
  const Address opener{one.opener[0], one.opener[1]}, replier{one.replier[0], one.replier[1]};
  return opener.is_ipv4() == replier.is_ipv4() && !(opener == replier) && (opener.high | opener.low) != 0 &&
         (replier.high | replier.low) != 0 && one.opener_qp >= qp_least && one.opener_qp <= qp_most &&
         one.replier_qp >= qp_least && one.replier_qp <= qp_most && one.age_us < Lessons::patience_us;
}

}  // namespace

std::vector<std::byte> write_lessons(const Lecture& lecture, const ledger::Key& key) {
  LessonHead head{lessons_magic, {lecture.exporter[0], lecture.exporter[1]}, lecture.number, lecture.time_us, {},
                  lecture.pairs.size()};
  lecture.job.copy(head.job, sizeof head.job - 1);
  std::vector<std::byte> bytes(sizeof head);
  std::memcpy(bytes.data(), &head, sizeof head);
  for (const LearnedPair& pair : lecture.pairs) {
    const LessonRecord record{{pair.opener.high, pair.opener.low}, {pair.replier.high, pair.replier.low},
                              pair.opener_qp, pair.replier_qp, pair.tag, pair.learned_at};
    const auto raw = std::as_bytes(std::span(&record, 1));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  }
  const ledger::Tag tag = tag_of(bytes, key);
  const auto raw = std::as_bytes(std::span(tag));
  bytes.insert(bytes.end(), raw.begin(), raw.end());
  return bytes;
}

std::expected<Lecture, std::string> read_lessons(std::span<const std::byte> bytes, std::string_view job,
                                                 const ledger::Key& key) {
  LessonHead head;
  if (bytes.size() < sizeof head + sizeof(ledger::Tag) || bytes.size() > lessons_bytes_most)
    return std::unexpected(fmt::format("{} bytes are no export", bytes.size()));
  const auto covered = bytes.first(bytes.size() - sizeof(ledger::Tag));
  // The tag first: nothing else that stands there is believed before.
  if (!same(tag_of(covered, key), bytes.last(sizeof(ledger::Tag))))
    return std::unexpected("its tag is not of this job's key");
  std::memcpy(&head, covered.data(), sizeof head);
  const auto records = covered.subspan(sizeof head);
  if (head.magic != lessons_magic || records.size() != head.count * sizeof(LessonRecord) ||
      head.count > lessons_most || head.job[sizeof head.job - 1] != '\0')
    return std::unexpected("it is an export of another version");
  Lecture lecture{{head.exporter[0], head.exporter[1]}, head.number, head.time_us, head.job, {}};
  if (lecture.job != job) return std::unexpected(fmt::format("it is of job `{}`", lecture.job));
  for (std::size_t at = 0; at < records.size(); at += sizeof(LessonRecord)) {
    LessonRecord record;
    std::memcpy(&record, records.data() + at, sizeof record);
    if (!is_pair(record)) return std::unexpected("a record in it is no queue pair");
    lecture.pairs.push_back({{record.opener[0], record.opener[1]}, {record.replier[0], record.replier[1]},
                             record.opener_qp, record.replier_qp, record.tag, record.age_us});
  }
  return lecture;
}

std::string Freshness::use(const Lecture& lecture, u64 now_us) {
  const u64 apart = now_us > lecture.time_us ? now_us - lecture.time_us : lecture.time_us - now_us;
  constexpr u64 second = 1'000'000;
  if (apart > slack_us)
    return fmt::format("it was made {} s from now: at most {} s", apart / second, slack_us / second);
  // What is older than that is refused by its time.
  std::erase_if(last_, [&](const auto& one) { return one.second.time_us + 2 * slack_us < now_us; });
  const std::array<u64, 2> exporter{lecture.exporter[0], lecture.exporter[1]};
  const auto found = last_.find(exporter);
  if (found != last_.end() && lecture.number <= found->second.number)
    return "it has been taken before, or a later one of the same instance";
  if (found == last_.end() && last_.size() == exporters_most) return "too many instances have taught within minutes";
  last_[exporter] = {lecture.number, std::max(lecture.time_us, now_us)};
  return {};
}

}  // namespace weir::edge
