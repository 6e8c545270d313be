// One line a rule, job and direction of a declared queue pair.
#include "tools/weir/dump_rdma.hpp"

#include "control/check/rdma_words.hpp"
#include "control/model/address.hpp"

#include <fmt/format.h>

namespace weir {
namespace {

template <class Words>
std::string listed(u64 bits, const Words& words) {
  std::string text;
  for (std::size_t i = 0; i < std::size(words); ++i)
    if (bits >> i & 1) text += fmt::format("{}{}", text.empty() ? "" : ", ", words[i]);
  return text.empty() ? "nothing" : text;
}

std::string rate_text(const Rate& rate) {
  return fmt::format("one each {:.3f} us, {} at once", static_cast<double>(rate.interval) / rate_units_per_tick,
                     rate.tolerance / rate.interval + 1);
}

std::string qp_text(u32 qp) { return qp == image::no_peer_qp ? "not said" : fmt::format("{:#x}", qp); }

}  // namespace

std::string operations_text(u8 operations) {
  return listed(operations, control::operation_words);
}

std::string protocols_text(u16 protocols) { return listed(protocols, control::spoken_words); }

std::string address_text(const Address& address) {
  if (address.is_ipv4()) return control::show(swap(static_cast<u32>(address.low)));
  return control::show(control::Ipv6Number{swap(address.high)} << 64 | swap(address.low));
}

std::vector<std::string> rdma_lines(const Policy& policy) {
  std::vector<std::string> out;
  if (!policy.has_rdma()) return out;
  const image::View& view = policy.view();
  const image::RdmaSettings& row = policy.rdma();
  out.push_back(fmt::format("icrc: {}", static_cast<Checksums>(row.icrc) == Checksums::check ? "check" : "trust"));
  out.push_back(fmt::format("cnp of one source: {}", rate_text(row.cnp)));
  out.push_back(fmt::format("cm of one source: {}", rate_text(row.cm)));
  out.push_back(fmt::format("nak_penalty: {} ms", row.nak_penalty_ms));
  for (u32 index = view.forbids_count; index < policy.rules_count(); ++index) {
    const image::RdmaRule& one = policy.rdma_rule(index);
    std::string line = fmt::format("rule {}: {}", index, operations_text(one.operations));
    if (one.read_unless_asset != 0) line += ", read of who holds no other asset";
    line += fmt::format("; READ at MTU {}, credit {} bytes", one.read_mtu, one.read_credit);
    if (one.first_use != 0) line += fmt::format("; {} queue pairs of one source by first use", one.first_use);
    out.push_back(line);
  }
  for (const image::StaticPair& one : view.static_pairs)
    out.push_back(fmt::format("line {}: {} > {} qp {}, peer {}{}", one.line,
                              address_text({one.source_high, one.source_low}),
                              address_text({one.target_high, one.target_low}), qp_text(one.qp), qp_text(one.peer_qp),
                              one.answers != 0 ? ", answering" : ""));
  return out;
}

std::vector<std::string> job_lines(const Policy& policy) {
  std::vector<std::string> out;
  for (u64 index = 0; index < policy.jobs().size(); ++index) {
    const image::Job& one = policy.jobs()[index];
    std::string line = fmt::format("job {}: `{}` at {}:{}, by {}, may {}", index, policy.text(one.name),
                                   policy.text(one.file), one.line, listed(one.transports, control::transport_words),
                                   operations_text(one.operations));
    if (one.has_tag != 0) line += fmt::format(", tag {:#018x}", one.tag);
    line += one.seal_after_us == 0 ? ", sealed by an operator"
                                   : fmt::format(", sealed after {} ms", one.seal_after_us / 1000);
    if (one.has_uet != 0) line += fmt::format(", JobID {:#08x}", one.uet);
    if (one.burst != 0)
      line += fmt::format(", watched for {} bytes within {} ms one way, of {} to 1", one.burst, one.window_us / 1000,
                          one.ratio);
    if (one.read_mtu != 0) line += fmt::format(", READ at MTU {}", one.read_mtu);
    if (one.read_credit != 0) line += fmt::format(", credit {} bytes", one.read_credit);
    out.push_back(line);
  }
  return out;
}

}  // namespace weir
