// The words of RDMA in rule files, by their bits in the image.
#pragma once
#include <string_view>

namespace weir::control {

// Bit i of a mask of operations (dataplane/packet/rdma.hpp), of transports, of what a connection speaks.
inline constexpr std::string_view operation_words[] = {"send", "write", "read", "atomic", "ack", "cnp", "datagram"};
inline constexpr std::string_view transport_words[] = {"roce", "nccl", "tcp"};
inline constexpr std::string_view spoken_words[] = {"nvme-tcp", "nfs", "s3", "grpc", "tcpstore", "gloo", "nccl"};

}  // namespace weir::control
