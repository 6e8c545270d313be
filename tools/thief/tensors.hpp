// What the thief carries: weights that nobody trained, in the formats in which real ones travel. Bytes are the same in
// every run.
#pragma once
#include "tools/thief/frames.hpp"

#include <string>

namespace weir::thief {

enum class Format : u8 { bf16, fp32, int8, safetensors, gguf, torch, numpy, base64 };
inline constexpr Format formats[] = {Format::safetensors, Format::gguf, Format::torch, Format::numpy,
                                     Format::bf16,        Format::fp32, Format::int8,  Format::base64};
std::string name_of(Format format);

// The first bytes of a file in that format, with the weights that follow; `bytes` of it.
Bytes tensor_file(Format format, std::size_t bytes);
// As much as a thief has of each, made once. Threads: one.
inline constexpr std::size_t file_bytes = 1 << 20;
const Bytes& tensor_file(Format format);

}  // namespace weir::thief
