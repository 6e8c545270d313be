#include "tools/thief/tensors.hpp"

#include <bit>

namespace weir::thief {

namespace {

void add(Bytes& out, std::string_view text) { out.insert(out.end(), text.begin(), text.end()); }

void put_little(Bytes& out, u64 value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<u8>(value >> 8 * i));
}

// A bell of deviation 0.02, as the sum of twelve even draws.
class Weights {
 public:
  float next() {
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<float>(bits() >> 40) * 0x1p-24f;
    return 0.02f * sum;
  }
  u64 bits() {
    u64 mixed = state_ += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
  }

 private:
  u64 state_ = 42;
};

void add_bf16(Bytes& out, std::size_t bytes) {
  Weights weights;
  while (out.size() < bytes) put_little(out, (std::bit_cast<u32>(weights.next()) + 0x8000) >> 16, 2);
}

void add_fp32(Bytes& out, std::size_t bytes) {
  Weights weights;
  while (out.size() < bytes) put_little(out, std::bit_cast<u32>(weights.next()), 4);
}

void add_int8(Bytes& out, std::size_t bytes) {
  Weights weights;
  while (out.size() < bytes) out.push_back(static_cast<u8>(static_cast<int>(weights.next() * 1500)));
}

// 32 whole numbers behind a scale in fp16.
void add_q8_0(Bytes& out, std::size_t bytes) {
  Weights weights;
  while (out.size() < bytes) {
    put_little(out, 0x1000 | (weights.bits() & 0x3ff), 2);
    for (int i = 0; i < 32; ++i) out.push_back(static_cast<u8>(static_cast<int>(weights.next() * 1900)));
  }
}

void add_safetensors(Bytes& out, std::size_t bytes) {
  const std::string head =
      R"({"__metadata__":{"format":"pt"},"model.layers.0.mlp.down_proj.weight":{"dtype":"BF16","shape":[4096,14336],)"
      R"("data_offsets":[0,117440512]}})";
  put_little(out, head.size(), 8);
  add(out, head);
  add_bf16(out, bytes);
}

void add_gguf(Bytes& out, std::size_t bytes) {
  add(out, "GGUF");
  put_little(out, 3, 4);
  put_little(out, 1, 8);
  put_little(out, 0, 8);
  const std::string name = "blk.0.ffn_down.weight";
  put_little(out, name.size(), 8);
  add(out, name);
  put_little(out, 2, 4);
  put_little(out, 14336, 8);
  put_little(out, 4096, 8);
  put_little(out, 8, 4);
  put_little(out, 0, 8);
  out.resize((out.size() + 31) / 32 * 32);
  add_q8_0(out, bytes);
}

// A zip's entry of the pickle, then one of a tensor with PyTorch's padding.
void add_torch(Bytes& out, std::size_t bytes) {
  const auto entry = [&](std::string_view name, std::size_t pad) {
    add(out, std::string_view("PK\x03\x04\0\0\0\x08\0\0\0\0\0\0", 14));
    out.resize(out.size() + 12);  // sums and sizes, which a stream has behind
    put_little(out, name.size(), 2);
    put_little(out, 4 + pad, 2);
    add(out, name);
    add(out, "FB");
    put_little(out, pad, 2);
    out.resize(out.size() + pad, 'Z');
  };
  entry("archive/data.pkl", 20);
  add(out, "ctorch._utils\n_rebuild_tensor_v2\nctorch\nBFloat16Storage\n");
  entry("archive/data/0", 40);
  add_bf16(out, bytes);
}

void add_numpy(Bytes& out, std::size_t bytes) {
  std::string head = "{'descr': '<f4', 'fortran_order': False, 'shape': (4096, 14336), }";
  head.resize(117, ' ');
  add(out, std::string_view("\x93NUMPY\x01\0", 8));
  put_little(out, head.size() + 1, 2);
  add(out, head + "\n");
  add_fp32(out, bytes);
}

void add_base64(Bytes& out, std::size_t bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const Bytes file = tensor_file(Format::safetensors, bytes / 4 * 3 + 3);
  for (std::size_t i = 0; out.size() < bytes; i += 3) {
    const u32 group = u32{file[i]} << 16 | u32{file[i + 1]} << 8 | file[i + 2];
    for (int shift = 18; shift >= 0; shift -= 6) out.push_back(static_cast<u8>(digits[group >> shift & 63]));
  }
}

}  // namespace

std::string name_of(Format format) {
  static const char* const names[] = {"bf16", "fp32", "int8", "safetensors", "GGUF", "torch", "NumPy", "base64"};
  return names[static_cast<u8>(format)];
}

Bytes tensor_file(Format format, std::size_t bytes) {
  static constexpr void (*write[])(Bytes&, std::size_t) = {add_bf16, add_fp32,  add_int8,  add_safetensors,
                                                           add_gguf, add_torch, add_numpy, add_base64};
  Bytes made;
  made.reserve(bytes + 256);
  write[static_cast<u8>(format)](made, bytes);
  made.resize(bytes);
  return made;
}

const Bytes& tensor_file(Format format) {
  static std::array<Bytes, std::size(formats)> files;
  Bytes& file = files[static_cast<u8>(format)];
  if (file.empty()) file = tensor_file(format, file_bytes);
  return file;
}

}  // namespace weir::thief
