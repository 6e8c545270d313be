// One row a packet type. All of SES's headers begin alike, for eight bytes, and the job is the last three of them.
#include "dataplane/packet/uet.hpp"

namespace weir {
namespace {

constexpr u32 ses_bytes_least = 8, job_offset = 5;

// Which next headers a packet may have.
enum class Follows : u8 { nothing, request, response };

struct Form {
  u8 bytes;  // of the PDS header; 0: no such type
  Follows follows;
};

// The type and what follows share the first two bytes: five bits, then four.
constexpr Form forms[32] = {
    {},
    {4, Follows::nothing},  // encrypted
    {12, Follows::request},
    {12, Follows::request},
    {8, Follows::request},
    {8, Follows::response},
    {4, Follows::request},
    {12, Follows::response},
    {32, Follows::response},
    {32, Follows::response},
    {16, Follows::nothing},
    {16, Follows::nothing},  // what stands in place of the next header is which control packet it is
    {24, Follows::nothing},
    {16, Follows::request},
    {16, Follows::request},
};

bool may_follow(Follows follows, u8 semantics) {
  if (semantics == 0) return true;
  if (follows == Follows::request) return semantics <= 3;
  return follows == Follows::response && semantics >= 4 && semantics <= 6;
}

}  // namespace

bool read_uet(const u8* at, u32 bytes, UetPacket& out) {
  if (bytes < 2) return false;
  const u8 type = at[0] >> 3;
  const Form form = forms[type];
  if (form.bytes == 0 || bytes < form.bytes) return false;
  out = {static_cast<UetType>(type), static_cast<u8>((at[0] & 7) << 1 | at[1] >> 7), form.bytes, false, 0};
  if (out.type == UetType::encrypted) {
    out.semantics = 0;
    out.pds_bytes = 0;
    return true;
  }
  if (out.type == UetType::control) {
    constexpr u8 control_most = 9;
    const bool holds = out.semantics <= control_most;
    out.semantics = 0;
    return holds;
  }
  if (!may_follow(form.follows, out.semantics)) return false;
  if (out.semantics == 0) return true;
  if (bytes < form.bytes + ses_bytes_least) return false;
  out.has_job = true;
  out.job = load_be32(at + form.bytes + job_offset - 1) & 0xff'ffff;
  return true;
}

}  // namespace weir
