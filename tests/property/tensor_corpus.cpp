#include "tests/property/tensor_corpus.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace weir::corpus {

namespace {

// Quantile tables, read with interpolation: a draw costs a nanosecond.
struct Quantiles {
  std::array<float, 65537> at;

  explicit Quantiles(float (*draw)(Random&), u64 seed) {
    Random random(seed);
    std::vector<float> drawn(1 << 20);
    for (float& value : drawn) value = draw(random);
    std::sort(drawn.begin(), drawn.end());
    for (std::size_t i = 0; i < at.size(); ++i) at[i] = drawn[std::min(i * 16 + 8, drawn.size() - 1)];
  }
  float operator()(u64 bits) const {
    const std::size_t place = bits & 0xffff;
    return at[place] + (at[place + 1] - at[place]) * static_cast<float>(bits >> 16 & 0xffffff) * 0x1p-24f;
  }
};

float exact_normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(6.2831853f * random.unit());
}

float exact_student(Random& random) {
  float squares = 0;
  for (int i = 0; i < 5; ++i) squares += std::pow(exact_normal(random), 2.0f);
  return exact_normal(random) / std::sqrt(squares / 5) * std::sqrt(0.6f);
}

void put16(std::vector<u8>& out, u32 value) {
  out.push_back(static_cast<u8>(value));
  out.push_back(static_cast<u8>(value >> 8));
}

void put_bf16(std::vector<u8>& out, float value) { put16(out, (std::bit_cast<u32>(value) + 0x8000) >> 16); }
void put_fp32(std::vector<u8>& out, float value) {
  const u32 bits = std::bit_cast<u32>(value);
  put16(out, bits);
  put16(out, bits >> 16);
}
void put_fp16(std::vector<u8>& out, float value) { put16(out, std::bit_cast<u16>(static_cast<_Float16>(value))); }

// A float of `exponent` and `fraction` bits and a sign, rounded to nearest; beyond the largest, the largest.
u8 small_float(float value, int exponent, int fraction, float largest) {
  const int bias = (1 << (exponent - 1)) - 1;
  const float size = std::min(std::fabs(value), largest);
  int place = 0;
  std::frexp(size, &place);
  place = std::max(place - 1, 1 - bias);  // the power of two, not below that of subnormals
  const int steps = static_cast<int>(std::lround(std::ldexp(size, fraction - place)));
  const int code = ((place + bias - 1) << fraction) + steps;  // steps carries into the exponent by itself
  return static_cast<u8>((std::signbit(value) ? 0x80 : 0) | (size == 0 ? 0 : code));
}

u8 e4m3(float value) { return small_float(value, 4, 3, 448); }
u8 e5m2(float value) { return small_float(value, 5, 2, 57344); }

// Rows of weights of one layer after the other: a layer has a scale, heavy tails or not, and each row its own scale; a
// vector of norms, around one, follows a layer.
class Weights {
 public:
  explicit Weights(u64 seed) : random_(seed) { open_layer(); }

  struct Row {
    std::vector<float> values;
    float largest_of_layer;
    bool is_norms;
  };
  const Row& next() {
    row_.is_norms = rows_left_ == 0;
    row_.values.resize(columns_);
    const float scale = sigma_ * std::exp(spread_ * random_.normal());
    for (float& value : row_.values)
      value = row_.is_norms ? 1 + 0.1f * random_.normal() : scale * (is_heavy_ ? random_.student() : random_.normal());
    row_.largest_of_layer = largest_;
    if (row_.is_norms) open_layer();
    else --rows_left_;
    return row_;
  }

 private:
  void open_layer() {
    columns_ = 1024u << random_.below(4);
    rows_left_ = 64 + random_.below(1024);
    sigma_ = 0.005f * std::pow(20.0f, random_.unit());
    spread_ = random_.between(0, 0.5f);
    is_heavy_ = random_.below(2) != 0;
    largest_ = sigma_ * random_.between(6, 20);
  }

  Random random_;
  Row row_{};
  std::size_t columns_ = 0;
  u32 rows_left_ = 0;
  float sigma_ = 0, spread_ = 0, largest_ = 0;
  bool is_heavy_ = false;
};

More float_weights(u64 seed, void (*put)(std::vector<u8>&, float)) {
  return [weights = Weights(seed), put](std::vector<u8>& out) mutable {
    for (const float value : weights.next().values) put(out, value);
  };
}

float largest(std::span<const float> values) {
  float most = 0;
  for (const float value : values) most = std::max(most, std::fabs(value));
  return most;
}

// Whole numbers of `levels` steps to either side, or small floats; the scale by group, 0: by layer. Norms are left out:
// formats keep them as floats elsewhere.
More scaled(u64 seed, std::size_t group, float top, u8 (*code)(float)) {
  return [weights = Weights(seed), group, top, code](std::vector<u8>& out) mutable {
    const auto& row = weights.next();
    if (row.is_norms) return;
    const std::size_t step = group == 0 ? row.values.size() : std::min(group, row.values.size());
    for (std::size_t at = 0; at < row.values.size(); at += step) {
      const auto part = std::span(row.values).subspan(at, step);
      const float scale = top / (group == 0 ? row.largest_of_layer : largest(part));
      for (const float value : part) out.push_back(code(std::clamp(value * scale, -top, top)));
    }
  };
}

u8 whole(float value) { return static_cast<u8>(std::lround(value)); }
u8 whole_offset(float value) { return static_cast<u8>(128 + std::lround(value)); }

// Two numbers to a byte, by blocks of `block` values; `head` writes what stands before a block and gives the code.
template <class Block>
More blocks(u64 seed, std::size_t block, Block write) {
  return [weights = Weights(seed), block, write](std::vector<u8>& out) mutable {
    const auto& row = weights.next();
    if (row.is_norms) return;
    for (std::size_t at = 0; at < row.values.size(); at += block)
      write(out, std::span<const float>(row.values).subspan(at, block));
  };
}

u8 nibble(float value) { return static_cast<u8>(std::clamp(static_cast<int>(value), 0, 15)); }

// GGUF: a scale in fp16, 32 whole numbers.
void write_q8_0(std::vector<u8>& out, std::span<const float> values) {
  const float scale = largest(values) / 127;
  put_fp16(out, scale);
  for (const float value : values) out.push_back(whole(value / scale));
}

// GGUF: a scale in fp16, such that the largest becomes -8, and 32 halves; value i with value i + 16.
void write_q4_0(std::vector<u8>& out, std::span<const float> values) {
  float extreme = 0;
  for (const float value : values)
    if (std::fabs(value) > std::fabs(extreme)) extreme = value;
  const float scale = extreme / -8;
  put_fp16(out, scale);
  for (std::size_t i = 0; i < 16; ++i)
    out.push_back(static_cast<u8>(nibble(values[i] / scale + 8.5f) | nibble(values[i + 16] / scale + 8.5f) << 4));
}

// GGUF: of 256 values two scales in fp16, twelve bytes of scales and least values of the eight groups in six bits, and
// the halves, group by group in pairs.
void write_q4_k(std::vector<u8>& out, std::span<const float> values) {
  float low[8], step[8], low_most = 0, step_most = 0;
  for (std::size_t group = 0; group < 8; ++group) {
    const auto part = values.subspan(group * 32, 32);
    low[group] = std::min(0.0f, *std::min_element(part.begin(), part.end()));
    step[group] = (*std::max_element(part.begin(), part.end()) - low[group]) / 15;
    low_most = std::max(low_most, -low[group]), step_most = std::max(step_most, step[group]);
  }
  put_fp16(out, step_most / 63);
  put_fp16(out, low_most / 63);
  u8 scales[8], lows[8];
  for (std::size_t group = 0; group < 8; ++group) {
    scales[group] = static_cast<u8>(std::lround(step[group] / step_most * 63));
    lows[group] = static_cast<u8>(std::lround(-low[group] / low_most * 63));
  }
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<u8>(scales[i] | scales[i + 4] >> 4 << 6));
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<u8>(lows[i] | lows[i + 4] >> 4 << 6));
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<u8>((scales[i + 4] & 15) | (lows[i + 4] & 15) << 4));
  for (std::size_t group = 0; group < 8; group += 2)
    for (std::size_t i = 0; i < 32; ++i) {
      const auto code = [&](std::size_t of) {
        return nibble((values[of * 32 + i] - low[of]) / std::max(step[of], 1e-12f) + 0.5f);
      };
      out.push_back(static_cast<u8>(code(group) | code(group + 1) << 4));
    }
}

// Halves with one scale to 128 values, kept elsewhere, as GPTQ and AWQ have them.
void write_int4(std::vector<u8>& out, std::span<const float> values) {
  const float scale = largest(values) / 7;
  for (std::size_t i = 0; i < values.size(); i += 2)
    out.push_back(static_cast<u8>(nibble(values[i] / scale + 8.5f) | nibble(values[i + 1] / scale + 8.5f) << 4));
}

// Halves that stand for sixteen quantiles of the bell (Dettmers et al., QLoRA, 2023, appendix E).
void write_nf4(std::vector<u8>& out, std::span<const float> values) {
  static constexpr float points[16] = {-1,      -0.6962f, -0.5251f, -0.3949f, -0.2844f, -0.1848f, -0.0911f, 0,
                                       0.0796f, 0.1609f,  0.2461f,  0.3379f,  0.4407f,  0.5626f,  0.7230f,  1};
  const float most = largest(values);
  const auto code = [&](float value) {
    const float share = value / most;
    const auto above = std::lower_bound(points, points + 15, share);
    const std::ptrdiff_t place = above - points;
    return static_cast<u8>(place > 0 && share - points[place - 1] < points[place] - share ? place - 1 : place);
  };
  for (std::size_t i = 0; i < values.size(); i += 2)
    out.push_back(static_cast<u8>(code(values[i]) << 4 | code(values[i + 1])));
}

}  // namespace

float Random::normal() {
  static const Quantiles quantiles(exact_normal, 1);
  return quantiles(bits());
}

float Random::student() {
  static const Quantiles quantiles(exact_student, 2);
  return quantiles(bits());
}

std::vector<Kind> tensor_kinds() {
  using enum Expect;
  return {
      {"bf16 weights", floats, [](u64 seed) { return float_weights(seed, put_bf16); }},
      {"fp32 weights", floats, [](u64 seed) { return float_weights(seed, put_fp32); }},
      {"fp16 weights", floats, [](u64 seed) { return float_weights(seed, put_fp16); }},
      {"fp8 e4m3, by tensor", quantised, [](u64 seed) { return scaled(seed, 0, 448, e4m3); }},
      {"fp8 e4m3, by 128", quantised, [](u64 seed) { return scaled(seed, 128, 448, e4m3); }},
      {"fp8 e5m2, by tensor", quantised, [](u64 seed) { return scaled(seed, 0, 57344, e5m2); }},
      {"int8, by channel", quantised, [](u64 seed) { return scaled(seed, 1 << 20, 127, whole); }},
      {"int8, by tensor", quantised, [](u64 seed) { return scaled(seed, 0, 127, whole); }},
      {"int8 + 128, by channel", quantised, [](u64 seed) { return scaled(seed, 1 << 20, 127, whole_offset); }},
      {"int4, by 128", quantised, [](u64 seed) { return blocks(seed, 128, write_int4); }},
      {"nf4, by 64", quantised, [](u64 seed) { return blocks(seed, 64, write_nf4); }},
      {"GGUF Q8_0", quantised, [](u64 seed) { return blocks(seed, 32, write_q8_0); }},
      {"GGUF Q4_0", quantised, [](u64 seed) { return blocks(seed, 32, write_q4_0); }},
      {"GGUF Q4_K", quantised, [](u64 seed) { return blocks(seed, 256, write_q4_k); }},
  };
}

std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds = tensor_kinds();
  for (const auto& more : {numeric_kinds(), other_kinds()}) kinds.insert(kinds.end(), more.begin(), more.end());
  return kinds;
}

}  // namespace weir::corpus
