// The watch over process()'s contract must itself be able to find fault, with each verdict.
#include "tests/property/contract.hpp"

#include <catch2/catch.hpp>

using namespace weir;

namespace {

struct Watched {
  std::vector<std::byte> frame = std::vector<std::byte>(60, std::byte{7});
  std::vector<std::byte> room = std::vector<std::byte>(32, ContractWatch::untouched);
  ContractWatch watch;
  Watched() { watch.enter({frame.data(), 56, 0, 0, 1, room, 60}); }
  std::string streamed(Verdict verdict, u16 answer_bytes = 0, u32 frame_bytes = 0) {
    Outcome outcome;
    outcome.frame_bytes = frame_bytes;
    outcome.token = 1, outcome.verdict = verdict, outcome.answer_bytes = answer_bytes;
    return watch.check_stream(outcome).value_or("");
  }
  std::string told(Reason reason, Verdict verdict, u16 answer_bytes = 0, u64 token = 1) {
    Outcome outcome;
    outcome.token = token, outcome.reason = reason, outcome.verdict = verdict, outcome.answer_bytes = answer_bytes;
    return watch.check(outcome).value_or("");
  }
};

}  // namespace

TEST_CASE("a token ends once") {
  Watched w;
  CHECK(w.told(Reason::no_allow, Verdict::drop, 0, 2) == "an outcome for a token that is not inside");
  CHECK(w.told(Reason::no_allow, Verdict::drop) == "");
  CHECK(w.watch.inside() == 0);
  CHECK(w.told(Reason::no_allow, Verdict::drop) == "an outcome for a token that is not inside");
}

TEST_CASE("a verdict is the one its reason's row names") {
  Watched w;
  CHECK(w.told(Reason::no_allow, Verdict::forward) == "the verdict is not the reason's");
  CHECK(w.told(Reason::flow_new, Verdict::hold) == "the verdict is not the reason's");
}

TEST_CASE("bytes change only where the verdict says so") {
  Watched changed;
  changed.frame[3] = std::byte{9};
  CHECK(changed.told(Reason::flow_new, Verdict::forward) == "a frame was changed without a rewrite");
  Watched written;
  written.room[0] = std::byte{0};
  CHECK(written.told(Reason::flow_new, Verdict::forward) == "the answer room was written");
  Watched length;
  CHECK(length.told(Reason::flow_new, Verdict::forward, 4) == "an answer's length without an answer");
}

TEST_CASE("a held frame is held once and ends later") {
  Watched w;
  CHECK(w.streamed(Verdict::hold) == "");
  CHECK(w.watch.inside() == 1);
  CHECK(w.streamed(Verdict::hold) == "held twice");
  CHECK(w.streamed(Verdict::forward) == "");
  CHECK(w.watch.inside() == 0);
}

TEST_CASE("a rewrite may change the frame, an answer must fit its room") {
  Watched rewritten;
  rewritten.frame[3] = std::byte{9};
  CHECK(rewritten.streamed(Verdict::rewrite, 0, 56) == "");
  Watched grown;
  grown.frame[57] = std::byte{9};
  CHECK(grown.streamed(Verdict::rewrite, 0, 58) == "");
  Watched beyond;
  beyond.frame[58] = std::byte{9};
  CHECK(beyond.streamed(Verdict::rewrite, 0, 58) == "more was changed than the frame");
  for (const u32 bytes : {0u, 55u, 61u})
    CHECK(Watched().streamed(Verdict::rewrite, 0, bytes) == "a frame's length that no rewrite may give it");
  CHECK(Watched().streamed(Verdict::forward, 0, 56) == "a frame's length that no rewrite may give it");
  CHECK(Watched().streamed(Verdict::rewrite, 32, 56) == "");
  CHECK(Watched().streamed(Verdict::rewrite, 33, 56) == "an answer that does not fit its room");
  CHECK(Watched().streamed(Verdict::answer, 32) == "");
  CHECK(Watched().streamed(Verdict::answer, 33) == "an answer that does not fit its room");
  CHECK(Watched().streamed(Verdict::answer, 0) == "an answer that does not fit its room");
}
