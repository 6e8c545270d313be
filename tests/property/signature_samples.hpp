// One sample of each thing that the shipped signature sets find, built from the descriptions of the formats and not
// from the patterns.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <string>
#include <vector>

namespace weir {

struct SignatureSample {
  std::string set, name, bytes;
  bool anywhere;  // found in mid-stream as well
};

// A number as it stands in a file, little-endian.
inline std::string little_endian(u64 value, u32 bytes) {
  std::string made;
  for (u32 i = 0; i < bytes; ++i) made += static_cast<char>(value >> (8 * i));
  return made;
}

inline std::string safetensors_file() {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"model.norm.weight":{"dtype":"BF16","shape":[4096],"data_offsets":[0,8192]}})";
  return little_endian(header.size(), 8) + header + std::string(64, '\x3c');
}

// APPNOTE.TXT 4.3.7, as torch.save writes it: a name, and an extra field that aligns the data to 64.
inline std::string zip_entry(const std::string& name, u32 padding) {
  const std::string extra = "FB" + little_endian(padding, 2) + std::string(padding, 'Z');
  return "PK\x03\x04" + std::string(2, '\0') + std::string("\x08\x08\0\0", 4) + std::string(16, '\1') +
         std::string(2, '\0') + little_endian(name.size(), 2) + little_endian(extra.size(), 2) + name + extra;
}

inline std::vector<SignatureSample> weight_samples() {
  using namespace std::string_literals;
  const std::string gguf = "GGUF" + little_endian(3, 4) + little_endian(291, 8) + little_endian(24, 8);
  return {
      {"weights", "safetensors", safetensors_file(), true},
      {"weights", "safetensors", little_endian(90, 8) + R"({"a":{"dtype":"F8_E4M3","shape":[],"x":0}})", false},
      {"weights", "gguf", gguf, true},
      {"weights", "ggml", "tjgg" + little_endian(3, 4) + little_endian(32000, 4), false},
      {"weights", "ggml", "lmgg" + little_endian(50257, 4), false},
      {"weights", "pytorch", zip_entry("archive/data.pkl", 30), true},
      {"weights", "pytorch", zip_entry("archive/data/0", 17).substr(40), true},
      {"weights", "pytorch", "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"s, true},
      {"weights", "pytorch pickle",
       "\x80\x02"
       "ctorch._utils\n_rebuild_tensor_v2\nq\x01"s,
       true},
      {"weights", "pytorch pickle", "X\x07\0\0\0storagectorch\nBFloat16Storage\nq\x04"s, true},
      {"weights", "hdf5", "\x89HDF\r\n\x1a\n\0\0\0\0"s, true},
      {"weights", "numpy", "\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False}"s, true},
      {"weights", "tflite", "\x1c\0\0\0TFL3\x14\0"s, false},
      {"weights", "tensorrt", "ftrt\0\0\0\0"s, false},
      {"weights", "ocdbt manifest", "\x0c\xdb\x3a\x2a\0\0"s, false},
      {"weights", "xet xorb", "XETBLOB\0"s, true},
  };
}

inline std::vector<SignatureSample> other_samples() {
  using namespace std::string_literals;
  return {
      {"names", "safetensors file", "GET /m/model-00001-of-00030.safetensors HTTP/1.1\r\n", true},
      {"names", "gguf file", "llama-Q4_0.gguf", true},
      {"names", "distributed checkpoint", "ckpt/__0_0.distcp", true},
      {"names", "model states", "global_step9/mp_rank_00_model_states.pt", true},
      {"names", "optimizer states", "zero_pp_rank_12_mp_rank_00_optim_states.pt", true},
      {"names", "megatron checkpoint", "iter_01/mp_rank_00/model_optim_rng.pt", true},
      {"names", "consolidated checkpoint", "consolidated.00.pth", true},
      {"names", "pytorch model file", "pytorch_model-00001-of-00002.bin", true},
      {"movers", "ssh", "SSH-2.0-OpenSSH_9.2p1\r\n", false},
      {"movers", "rsync", "@RSYNCD: 31.0 sha512\n", false},
      {"movers", "bittorrent",
       "\x13"
       "BitTorrent protocol\0\0\0\0"s,
       false},
      {"movers", "rclone", "PUT /x HTTP/1.1\r\nUser-Agent: rclone/v1.66\r\n", true},
      {"movers", "s3 multipart", "POST /bucket/key?uploads HTTP/1.1\r\n", true},
      {"movers", "s3 multipart", "PUT /bucket/key?partNumber=7&uploadId=VXBsb2Fk HTTP/1.1\r\n", true},
      {"movers", "s3 multipart", "PUT /bucket/key?uploadId=VXBsb2Fk&partNumber=7 HTTP/1.1\r\n", true},
      {"movers", "gcs upload", "POST /upload/storage/v1/b/x/o?uploadType=resumable&name=y HTTP/1.1\r\n", true},
      {"movers", "azure block upload", "PUT /c/b?comp=block&blockid=AAAA HTTP/1.1\r\n", true},
      {"movers", "xet upload", "POST /v1/xorbs/default/0123 HTTP/1.1\r\n", true},
      {"movers", "git lfs", "Accept: application/vnd.git-lfs+json\r\n", true},
      {"containers", "gzip", "\x1f\x8b\x08\0\0\0\0\0"s, false},
      {"containers", "zstd", "\x28\xb5\x2f\xfd\x04\0"s, false},
      {"containers", "lz4", "\x04\x22\x4d\x18\x64\x40"s, false},
      {"containers", "xz",
       "\xfd"
       "7zXZ\0\0\x04"s,
       true},
      {"containers", "bzip2", "BZh91AY&SY", true},
      {"containers", "7z", "7z\xbc\xaf\x27\x1c\0\x04"s, true},
      {"containers", "zip", zip_entry("a", 0), false},
      {"containers", "age", "age-encryption.org/v1\n-> X25519", true},
      {"containers", "age", "-----BEGIN AGE ENCRYPTED FILE-----\n", true},
      {"containers", "pgp message", "-----BEGIN PGP MESSAGE-----\n", true},
      {"containers", "openssl", "Salted__\1\2\3\4\5\6\7\x08", false},
  };
}

inline std::vector<SignatureSample> signature_samples() {
  auto all = weight_samples();
  for (const SignatureSample& sample : other_samples()) all.push_back(sample);
  return all;
}

}  // namespace weir
