// Which protocol a TCP connection begins with, by its first bytes and not by its port: what `protocol = "nvme-tcp"` and
// the like of a service ask for. It recognises how a connection opens and vouches for nothing that comes after: whoever
// controls both ends can open as anything.
//
// Functions of the bytes from the beginning so far (StreamReader::so_far): segments do not matter, a decision stays,
// and it falls within opening_bytes_max bytes of the client's. No state.
//
// | opening  | by                                                                   | decided within |
// |----------|----------------------------------------------------------------------|----------------|
// | nvme_tcp | an ICReq: NVMe TCP transport 1.0, section 3.6.2.2                    | 12 bytes       |
// | nfs      | a call of program 100003, version 3 or 4: RFC 5531 (9, 11), RFC 8881 | 28             |
// | s3       | an HTTP/1 request with a signature, header, query or host of S3      | its header     |
// | grpc     | the preface and first frame of HTTP/2 in clear: RFC 9113, section 3.4| 33             |
// | tcpstore | PyTorch's: a query of type 0 with its validation number              | 5              |
// | gloo     | a connection's number and the first message of either side           | 8, and 48      |
// | nccl     | a magic that is known, and what the connection is for                | 12             |
#pragma once
#include "dataplane/base/bytes.hpp"

#include <span>

namespace weir {

enum class Opening : u8 { undecided, nvme_tcp, nfs, s3, grpc, tcpstore, gloo, nccl, other };
inline constexpr u32 openings = 9;
inline constexpr u32 opening_bytes_max = 4096;

struct OpeningBytes {
  std::span<const u8> client, server;  // what each has sent, from the beginning
  bool is_end = false;  // and the client sends no more
};

// `magics`: those of NCCL that policy knows besides its two own.
Opening recognise(const OpeningBytes& bytes, std::span<const u64> magics = {});

// The word for it in rules and in what people read.
const char* name_of(Opening opening);

}  // namespace weir
