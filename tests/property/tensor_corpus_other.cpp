// What networks carry besides weights: numbers of other sizes, text and its like, sound and pictures, opaque data.
#include "tests/property/tensor_corpus.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace weir::corpus {

namespace {

void put16(std::vector<u8>& out, u32 value) {
  out.push_back(static_cast<u8>(value));
  out.push_back(static_cast<u8>(value >> 8));
}
void put_bf16(std::vector<u8>& out, float value) { put16(out, (std::bit_cast<u32>(value) + 0x8000) >> 16); }
void put_fp16(std::vector<u8>& out, float value) { put16(out, std::bit_cast<u16>(static_cast<_Float16>(value))); }
void put_fp32(std::vector<u8>& out, float value) {
  put16(out, std::bit_cast<u32>(value));
  put16(out, std::bit_cast<u32>(value) >> 16);
}

// What layers hand on: around one or wider, heavy-tailed, a few channels tens of times larger.
More activations(u64 seed, void (*put)(std::vector<u8>&, float)) {
  Random random(seed);
  const float sigma = std::exp(random.between(0, 2.5f));
  std::vector<float> channels(1024u << random.below(4));
  for (float& channel : channels)
    channel = sigma * std::exp(0.3f * random.normal()) * (random.below(200) == 0 ? 30.0f : 1.0f);
  return [=](std::vector<u8>& out) mutable {
    for (const float channel : channels) put(out, channel * random.student());
  };
}

// Mean squares of 1e-8 to 1e-4, a scale to each row.
More gradients(u64 seed, void (*put)(std::vector<u8>&, float)) {
  Random random(seed);
  const float sigma = std::pow(10.0f, random.between(-8, -4));
  return [=](std::vector<u8>& out) mutable {
    const float row = sigma * std::exp(0.7f * random.normal());
    for (int i = 0; i < 2048; ++i) put(out, row * random.student());
  };
}

More doubles(u64 seed) {
  Random random(seed);
  const float sigma = std::exp(random.between(-4, 4));
  return [=](std::vector<u8>& out) mutable {
    for (int i = 0; i < 512; ++i) {
      const u64 bits = std::bit_cast<u64>(double{sigma * random.normal()} * (1 + 0x1p-30 * random.below(1 << 30)));
      for (int byte = 0; byte < 8; ++byte) out.push_back(static_cast<u8>(bits >> 8 * byte));
    }
  };
}

// Token numbers of a language model, rank by Zipf's law.
More tokens(u64 seed) {
  Random random(seed);
  return [=](std::vector<u8>& out) mutable {
    for (int i = 0; i < 1024; ++i) {
      const u32 rank = static_cast<u32>(std::exp(random.unit() * std::log(128000.0f)));
      put16(out, rank * 7919 % 128256), put16(out, rank * 7919 % 128256 >> 16);
    }
  };
}

void add(std::vector<u8>& out, const std::string& words) { out.insert(out.end(), words.begin(), words.end()); }

std::string word(Random& random) {
  static const char* const parts[] = {"the", "of", "and", "to", "in", "er",  "ing",  "ation", "con", "re",
                                      "st",  "al", "ent", "is", "a",  "net", "work", "tion",  "ly",  "pro"};
  std::string made = parts[random.below(20)];
  for (u32 i = random.below(3); i != 0; --i) made += parts[random.below(20)];
  return made;
}

More text(u64 seed) {
  Random random(seed);
  return [=](std::vector<u8>& out) mutable {
    for (int i = 0; i < 200; ++i) add(out, word(random) + (random.below(12) == 0 ? ".\n" : " "));
  };
}

More logs(u64 seed) {
  Random random(seed);
  u64 second = 1700000000;
  return [=](std::vector<u8>& out) mutable {
    for (int i = 0; i < 40; ++i)
      add(out, std::to_string(second += random.below(3)) + "." + std::to_string(random.below(1000000)) + " node" +
                   std::to_string(random.below(256)) + " trainer[" + std::to_string(random.below(65536)) +
                   "]: step=" + std::to_string(random.below(900000)) + " loss=" + std::to_string(random.unit()) + " " +
                   word(random) + "\n");
  };
}

More json(u64 seed) {
  Random random(seed);
  return [=](std::vector<u8>& out) mutable {
    for (int i = 0; i < 40; ++i)
      add(out, "data: {\"id\":\"" + std::to_string(random.bits()) + "\",\"delta\":{\"content\":\"" + word(random) +
                   "\"},\"logprob\":" + std::to_string(-random.unit() * 9) + "}\n\n");
  };
}

More csv(u64 seed) {
  Random random(seed);
  return [=](std::vector<u8>& out) mutable {
    for (int i = 0; i < 200; ++i) add(out, std::to_string(random.normal()) + (random.below(8) == 0 ? "\n" : ","));
  };
}

More hexadecimal(u64 seed) {
  Random random(seed);
  return [=](std::vector<u8>& out) mutable {
    for (int i = 0; i < 2048; ++i) out.push_back(static_cast<u8>("0123456789abcdef"[random.below(16)]));
  };
}

// Of anything without order, or of weights: both are flat enough to look alike. Lines of 76, or none.
More base64(u64 seed, const char* of) {
  static const char* const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  More inner;
  for (const Kind& kind : of == nullptr ? std::vector<Kind>{} : tensor_kinds())
    if (kind.name == of) inner = kind.open(seed);
  Random random(seed);
  const bool has_lines = random.below(2) != 0;
  return [=, held = std::vector<u8>(), column = 0](std::vector<u8>& out) mutable {
    while (held.size() < 3072)
      if (inner) inner(held);
      else held.push_back(static_cast<u8>(random.bits()));
    for (std::size_t i = 0; i < 3072; i += 3) {
      const u32 group = u32{held[i]} << 16 | u32{held[i + 1]} << 8 | held[i + 2];
      for (int shift = 18; shift >= 0; shift -= 6) out.push_back(static_cast<u8>(digits[group >> shift & 63]));
      if (has_lines && (column += 4) == 76) out.push_back('\n'), column = 0;
    }
    held.erase(held.begin(), held.begin() + 3072);
  };
}

More uniform(u64 seed) {
  Random random(seed);
  return [=](std::vector<u8>& out) mutable {
    for (int i = 0; i < 256; ++i)
      for (u64 bits = random.bits(), left = 8; left != 0; --left, bits >>= 8) out.push_back(static_cast<u8>(bits));
  };
}

More zeros(u64) {
  return [](std::vector<u8>& out) { out.resize(out.size() + 4096); };
}

// Two channels of tones that come and go, with noise; 16 bits, 8 bits around 128, or 8 bits by G.711's mu-law.
More sound(u64 seed, int form) {
  Random random(seed);
  float phase[4]{}, step[4], loud = 0.1f;
  for (float& each : step) each = random.between(0.01f, 0.8f);
  const float noise = random.between(0.001f, 0.05f);
  return [=](std::vector<u8>& out) mutable {
    loud = std::min(0.24f, std::max(0.01f, loud * std::exp(0.3f * random.normal())));
    for (int i = 0; i < 1024; ++i) {
      float value = noise * random.normal();
      for (int tone = 0; tone < 4; ++tone) value += loud * std::sin(phase[tone] += step[tone]);
      const int whole = static_cast<int>(std::max(-32000.0f, std::min(32000.0f, value * 32000)));
      if (form == 16) put16(out, static_cast<u32>(whole));
      if (form == 8) out.push_back(static_cast<u8>(128 + whole / 256));
      if (form != 0) continue;
      const u32 size = static_cast<u32>(std::abs(whole / 4) + 33);
      const u32 segment = static_cast<u32>(26 - std::countl_zero(size));
      const u32 code = segment << 4 | (size >> (segment + 1) & 15);
      out.push_back(static_cast<u8>(~(code | (whole < 0 ? 0x80 : 0))));
    }
  };
}

// A photograph before it is compressed: bright and dark patches with a camera's noise, one byte a colour.
More pixels(u64 seed) {
  Random random(seed);
  float level[3]{100, 110, 90}, slope[3]{};
  return [=](std::vector<u8>& out) mutable {
    for (float& each : slope) each = 0.05f * random.normal();
    if (random.below(8) == 0)
      for (float& each : level) each = random.between(10, 240);
    for (int i = 0; i < 256; ++i)
      for (int colour = 0; colour < 3; ++colour) {
        level[colour] = std::min(250.0f, std::max(5.0f, level[colour] + slope[colour]));
        out.push_back(static_cast<u8>(std::min(255.0f, std::max(0.0f, level[colour] + 3 * random.normal()))));
      }
  };
}

// Huffman codes of a table in the form of ITU-T T.81, annex C: how many of each length, and the values in order.
struct Codes {
  u32 code[256]{}, bits[256]{};
  Codes(const u8 (&lengths)[16], const std::vector<u8>& values) {
    u32 next = 0, place = 0;
    for (u32 length = 1; length <= 16; ++length, next <<= 1)
      for (u32 i = 0; i < lengths[length - 1]; ++i) code[values[place]] = next++, bits[values[place++]] = length;
  }
};

const Codes& alternating_codes() {  // annex K, table K.5
  static const Codes codes({0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d}, [] {
    std::vector<u8> values{0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13,
                           0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42,
                           0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82};
    for (u32 size = 1; size <= 10; ++size)  // what is left, in order
      for (u32 run = 0; run < 16; ++run)
        if (const u8 value = static_cast<u8>(run << 4 | size);
            std::find(values.begin(), values.end(), value) == values.end())
          values.push_back(value);
    std::sort(values.begin() + 37, values.end());
    return values;
  }());
  return codes;
}

// Baseline JPEG's entropy-coded segment: blocks of quantised coefficients that fade with frequency.
More jpeg(u64 seed) {
  Random random(seed);
  const float fade = random.between(0.85f, 0.95f);
  return [=, held = u64{0}, bits = 0u](std::vector<u8>& out) mutable {
    const auto write = [&](u32 code, u32 count) {
      held = held << count | code, bits += count;
      for (; bits >= 8; bits -= 8) {
        out.push_back(static_cast<u8>(held >> (bits - 8)));
        if (out.back() == 0xff) out.push_back(0);
      }
    };
    const auto write_value = [&](u32 run, int value, const Codes& codes) {
      const u32 size = static_cast<u32>(std::bit_width(static_cast<u32>(std::abs(value))));
      write(codes.code[run << 4 | size], codes.bits[run << 4 | size]);
      if (size != 0) write(static_cast<u32>(value < 0 ? value + (1 << size) - 1 : value), size);
    };
    static const Codes direct({0, 1, 5, 1, 1, 1, 1, 1, 1}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    for (int block = 0; block < 32; ++block) {
      write_value(0, static_cast<int>(12 * random.student()), direct);
      float size = 12 * std::exp(0.5f * random.normal());
      u32 run = 0;
      for (int place = 1; place < 64; ++place, size *= fade) {
        const int value = static_cast<int>(size * 0.5f * random.student());
        if (value == 0) {
          ++run;
          continue;
        }
        for (; run >= 16; run -= 16) write(alternating_codes().code[0xf0], alternating_codes().bits[0xf0]);
        write_value(run, std::max(-1000, std::min(1000, value)), alternating_codes());
        run = 0;
      }
      if (run != 0) write(alternating_codes().code[0], alternating_codes().bits[0]);
    }
  };
}

}  // namespace

std::vector<Kind> numeric_kinds() {
  using enum Expect;
  return {
      {"bf16 activations", nothing, [](u64 seed) { return activations(seed, put_bf16); }},
      {"fp32 activations", nothing, [](u64 seed) { return activations(seed, put_fp32); }},
      {"fp16 activations", nothing, [](u64 seed) { return activations(seed, put_fp16); }},
      {"bf16 gradients", nothing, [](u64 seed) { return gradients(seed, put_bf16); }},
      {"fp32 gradients", nothing, [](u64 seed) { return gradients(seed, put_fp32); }},
      {"fp64 numbers", nothing, doubles},
      {"token numbers", nothing, tokens},
  };
}

std::vector<Kind> other_kinds() {
  using enum Expect;
  return {
      {"text", nothing, text},
      {"logs", nothing, logs},
      {"JSON events", nothing, json},
      {"CSV", nothing, csv},
      {"hexadecimal", nothing, hexadecimal},
      {"base64 of anything", nothing, [](u64 seed) { return base64(seed, nullptr); }},
      {"base64 of bf16 weights", nothing, [](u64 seed) { return base64(seed, "bf16 weights"); }},
      {"base64 of int8 weights", nothing, [](u64 seed) { return base64(seed, "int8, by channel"); }},
      {"JPEG-like", opaque, jpeg},
      {"pixels", nothing, pixels},
      {"sound, 16 bits", nothing, [](u64 seed) { return sound(seed, 16); }},
      {"sound, 8 bits", either, [](u64 seed) { return sound(seed, 8); }},
      {"sound, mu-law", either, [](u64 seed) { return sound(seed, 0); }},
      {"zeros", nothing, zeros},
      {"encrypted", opaque, uniform},
  };
}

}  // namespace weir::corpus
