// SipHash-2-4: a keyed hash whose outputs an adversary may see, many of them, without learning the key or the output
// for another message. For what leaves on the wire (SYN cookies); the flow table's hash is faster and shows nothing.
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). Messages are whole 64-bit words.
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir {

struct SipKey {
  u64 words[2];
};

// One message on its way in. A copy goes on by itself, so that messages with a common beginning share its cost.
class SipHash {
 public:
  explicit SipHash(const SipKey& key)
      : v0_(key.words[0] ^ 0x736f'6d65'7073'6575),
        v1_(key.words[1] ^ 0x646f'7261'6e64'6f6d),
        v2_(key.words[0] ^ 0x6c79'6765'6e65'7261),
        v3_(key.words[1] ^ 0x7465'6462'7974'6573) {}

  SipHash& add(u64 word) {
    bytes_ += sizeof word;
    compress(word);
    return *this;
  }

  u64 finish() const {
    SipHash last = *this;
    last.compress(bytes_ << 56);
    last.v2_ ^= 0xff;
    for (int i = 0; i < 4; ++i) last.round();
    return last.v0_ ^ last.v1_ ^ last.v2_ ^ last.v3_;
  }

 private:
  void compress(u64 word) {
    v3_ ^= word;
    round();
    round();
    v0_ ^= word;
  }

  void round() {
    v0_ += v1_, v1_ = std::rotl(v1_, 13) ^ v0_, v0_ = std::rotl(v0_, 32);
    v2_ += v3_, v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_, v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_, v1_ = std::rotl(v1_, 17) ^ v2_, v2_ = std::rotl(v2_, 32);
  }

  u64 v0_, v1_, v2_, v3_;
  u64 bytes_ = 0;
};

}  // namespace weir
