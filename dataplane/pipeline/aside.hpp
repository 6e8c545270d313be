// Whether a packet is from or to a host, or of a flow, that an operator has put into quarantine. Nothing is asked while
// nobody is; packets of established flows are never asked: after each change of the list their flows are judged anew,
// and those of what it holds are taken back.
//
// Threads: one.
#pragma once
#include "dataplane/inspect/quarantine_list.hpp"
#include "dataplane/packet/parse.hpp"

namespace weir {

class Aside {
 public:
  // True once after each change.
  bool has_changed(const QuarantineList& list) {
    const u32 version = list.version();
    if (version == version_) return false;
    version_ = version;
    list_ = list.used() == 0 ? nullptr : &list;
    return true;
  }

  bool is_empty() const { return list_ == nullptr; }
  // Of the first layer that is held, `depth` says which it is.
  bool holds(const Headers& headers, Tick now, u8& depth) const {
    for (u8 outer = 0; outer < headers.tunnels; ++outer) {
      const Outside& outside = headers.outsides[outer];
      if (list_->holds(outside.source, outside.target, nullptr, now)) return depth = outer, true;
    }
    if (headers.kind != PacketKind::flow && headers.kind != PacketKind::icmp_error) return false;
    depth = headers.tunnels;
    return list_->holds(headers.source, headers.target, &headers.key, now) ||
           list_->holds(headers.key.a, headers.key.b, &headers.key, now);
  }
  bool holds(const FlowKey& key, Tick now) const { return list_ != nullptr && list_->holds(key.a, key.b, &key, now); }

 private:
  const QuarantineList* list_ = nullptr;
  u32 version_ = 0;
};

}  // namespace weir
