// A stream, a sender that cuts, repeats, reorders and sometimes changes it, a receiver that loses segments, and between
// them a StreamReader and its naive twin, which keeps every byte. Throws std::runtime_error where the two differ, or
// where the receiver gets what the reader did not see. Shared by a random test and a fuzzer.
#pragma once
#include "dataplane/inspect/reader.hpp"
#include "tests/property/choices.hpp"

#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace weir {

// All that was said, byte by byte, by its place in the stream.
struct NaiveReader {
  using Answer = StreamReader::Answer;
  std::int64_t window, history;
  std::vector<u8> said;
  std::int64_t acknowledged = 0, uncompared = 0;

  bool is_remembered(std::int64_t place) const {
    return place >= 0 && place >= static_cast<std::int64_t>(said.size()) - history;
  }

  Answer offer(std::int64_t place, std::span<const u8> bytes, std::vector<u8>& fresh) {
    const Answer answer = judge(place, bytes, fresh);
    if (answer != Answer::fresh) fresh.clear();
    return answer;
  }

  Answer judge(std::int64_t place, std::span<const u8> bytes, std::vector<u8>& fresh) {
    const auto next = static_cast<std::int64_t>(said.size());
    if (bytes.empty()) return Answer::again;
    if (place > next) return next == window ? Answer::past : Answer::ahead;
    std::int64_t strange = 0;
    bool differs = false, goes_on = false;
    for (const u8 byte : bytes) {
      const std::int64_t at = place++;
      if (at >= window) goes_on = true;
      else if (at >= next) fresh.push_back(byte);
      else if (!is_remembered(at)) ++strange;
      else if (said[static_cast<std::size_t>(at)] != byte) differs = true;
    }
    if (differs) {
      if (bytes.size() != 1 || place != next || acknowledged != next) return Answer::differs;
      strange = 1;
    }
    if (uncompared + strange > window) return Answer::forgotten;
    if (!fresh.empty() && next + static_cast<std::int64_t>(fresh.size()) - acknowledged > history) return Answer::waits;
    uncompared += strange;
    if (fresh.empty()) return goes_on ? Answer::past : strange != 0 ? Answer::old : Answer::again;
    said.insert(said.end(), fresh.begin(), fresh.end());
    return Answer::fresh;
  }

  void acknowledge(std::int64_t place) {
    const auto next = static_cast<std::int64_t>(said.size());
    if (place > next && next == window) place = next;
    if (place <= next && place > acknowledged) acknowledged = place;
  }
};

// Takes whatever passes, the last of two different copies as well, until it has acknowledged it.
struct LossyReceiver {
  std::vector<std::optional<u8>> has;
  std::int64_t next = 0;

  void take(std::int64_t place, std::span<const u8> bytes) {
    for (const u8 byte : bytes) {
      if (place >= next && place < static_cast<std::int64_t>(has.size())) has[static_cast<std::size_t>(place)] = byte;
      ++place;
    }
  }
  // Acknowledges all that it has from the beginning.
  std::int64_t acknowledge() {
    while (next < static_cast<std::int64_t>(has.size()) && has[static_cast<std::size_t>(next)]) ++next;
    return next;
  }
};

class ReaderWorld {
 public:
  explicit ReaderWorld(Choices choices) : choices_(choices) {
    const u32 window = number(700);
    history_.resize(1 + (choices_.below(3) == 0 ? window : number(200)));
    twin_ = {window, static_cast<std::int64_t>(history_.size()), {}};
    begin_ = choices_.below(2) ? 0u - number(900) : choices_.below(256) * 0x01010101u;
    reader_ = StreamReader(begin_, window);
    stream_.resize(window + 300);
    const u32 letters = 1 + choices_.below(4), seed = choices_.below(256);
    for (std::size_t i = 0; i < stream_.size(); ++i)
      stream_[i] = static_cast<u8>((i * 2654435761u + seed) % 1021 % letters);
    receiver_.has.resize(window);
    honest_ = choices_.below(4) != 0;
  }

  void run(std::array<u64, StreamReader::answers>& answers) {
    while (choices_.left()) {
      const u32 what = choices_.below(8);
      if (what == 0) acknowledge(receiver_.acknowledge());
      else if (what == 1 && !honest_) acknowledge(static_cast<std::int64_t>(number(1100)) - 50);
      else ++answers[static_cast<u32>(send(what))];
    }
  }

 private:
  u32 number(u32 bound) { return (choices_.below(256) << 8 | choices_.below(256)) % bound; }
  static void must(bool holds, const char* what) {
    if (!holds) throw std::runtime_error(what);
  }

  void acknowledge(std::int64_t place) {
    reader_.acknowledge(begin_ + static_cast<u32>(place));
    twin_.acknowledge(place);
    must(reader_.is_over() == (reader_.is_complete() && twin_.acknowledged == twin_.window), "over");
  }

  StreamReader::Answer send(u32 what) {
    const auto next = static_cast<std::int64_t>(twin_.said.size());
    // Mostly about where the stream is; else anywhere, also before its beginning.
    const std::int64_t place = what < 5   ? next
                               : what < 7 ? next - 40 + choices_.below(60)
                                          : static_cast<std::int64_t>(number(1100)) - 50;
    std::vector<u8> bytes(choices_.below(48));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const std::int64_t at = place + static_cast<std::int64_t>(i);
      bytes[i] = at >= 0 && at < static_cast<std::int64_t>(stream_.size()) ? stream_[static_cast<std::size_t>(at)] : 0;
    }
    if (choices_.below(8) == 0 && !bytes.empty()) bytes[choices_.below(static_cast<u32>(bytes.size()))] ^= 1;

    const auto [answer, fresh] = reader_.offer(begin_ + static_cast<u32>(place), bytes, history_);
    std::vector<u8> expected;
    must(answer == twin_.offer(place, bytes, expected), "another answer than the twin's");
    must(std::vector<u8>(fresh.begin(), fresh.end()) == expected, "other bytes than the twin's");
    must((answer == StreamReader::Answer::fresh) == !fresh.empty(), "fresh, and nothing is");
    must(reader_.delivered_bytes() == twin_.said.size(), "delivered");
    if (StreamReader::may_pass(answer) && choices_.below(4) != 0) receiver_.take(place, bytes);
    if (honest_)
      for (std::size_t i = 0; i < receiver_.has.size(); ++i)
        must(!receiver_.has[i] || (i < twin_.said.size() && *receiver_.has[i] == twin_.said[i]),
             "the receiver has what the reader did not see");
    return answer;
  }

  Choices choices_;
  std::vector<u8> history_, stream_;
  NaiveReader twin_;
  StreamReader reader_;
  LossyReceiver receiver_;
  u32 begin_ = 0;
  bool honest_ = true;
};

}  // namespace weir
