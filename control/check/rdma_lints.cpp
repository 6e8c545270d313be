// One function per lint about RDMA and jobs: what is legal and opens nothing, or more than it seems to.
#include "control/check/lints.hpp"
#include "control/model/address.hpp"
#include "control/model/services.hpp"
#include "dataplane/policy/image.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

using Indices = std::vector<std::uint32_t>;

constexpr PortRange by_handshake{0, 0};  // NCCL, declared queue pairs, first use

// What an allow says of queue pairs that it does not open.
void useless_terms(const Resolved& resolved, Diagnostics& out) {
  for (std::size_t i = 0; i < resolved.model.statements.size(); ++i) {
    const Statement& one = resolved.model.statements[i];
    const StatementFacts& facts = resolved.facts[i];
    if (one.is_forbid) continue;
    if (facts.terms_span && one.services.rdma.empty())
      out.add("W0417", *facts.terms_span, fmt::format("`{}` opens no queue pair", one.name), "about RDMA alone")
          .with(one.span, "no service of this allow has `rdma`")
          .helped("name a service with rdma = [\"nccl\"], or with a connection manager's port");
    else if (one.rdma.first_use != 0 && !overlaps(one.services.rdma, {by_handshake}))
      out.add("W0417", *facts.terms_span,
              fmt::format("`{}` learns no queue pair by first use: each goes through a connection manager", one.name),
              "learns nothing")
          .helped("name a service with rdma = [\"nccl\"] or [\"any\"]");
    const std::uint8_t said = one.rdma.operations.value_or(rdma_ack);
    if ((said & (rdma_send | rdma_write | rdma_read | rdma_atomic)) != 0 && (said & rdma_ack) == 0 &&
        !one.services.rdma.empty())
      out.add("W0418", one.span, fmt::format("no acknowledgement passes `{}`", one.name),
              "reliable queue pairs come to a halt")
          .helped("add \"ack\" to `operations`");
  }
}

const Asset* held_alone(const Model& model, const Indices& by, const Indices& reader) {
  for (const Asset& asset : model.assets) {
    const auto holds = [&](const Indices& side) {
      return std::ranges::find_first_of(asset.held, side) != asset.held.end();
    };
    const bool all_hold = std::ranges::all_of(
        reader, [&](std::uint32_t one) { return std::ranges::binary_search(asset.held, one); });
    if (holds(by) && !all_hold) return &asset;
  }
  return nullptr;
}

// READ takes: whoever may send one has what the other side holds.
void reads_of_assets(const Model& model, Diagnostics& out) {
  for (const Statement& one : model.statements) {
    if (one.is_forbid || one.services.rdma.empty() || (one.rdma.operations.value_or(0) & rdma_read) == 0) continue;
    for (const bool answers : {false, true}) {
      const Indices &reader = answers ? one.to : one.from, &read = answers ? one.from : one.to;
      const Asset* asset = held_alone(model, read, reader);
      if (asset == nullptr) continue;
      out.add("W0419", one.span,
              fmt::format("`{}` lets `{}` READ from `{}`, which holds `{}`", one.name,
                          model.segments[reader.front()].name, model.segments[read.front()].name, asset->name),
              answers ? "its `to` reads, too" : "its `from` reads")
          .with(asset->span, "the asset")
          .note("one small request takes up to 2 GiB; budgets charge it before it passes, and nothing else bounds it")
          .helped("leave \"read\" out of `operations`, and bound what leaves by a [[budget]]");
      break;
    }
  }
}

void port_of_roce(const Names& names, Diagnostics& out) {
  for (const auto& [name, service] : names.services)
    if (overlaps(service.set.udp, {{4791, 4791}}) && service.set.rdma.empty())
      out.add("W0420", service.span, fmt::format("service `{}` names udp/4791, which opens no queue pair", name),
              "in an allow it opens nothing")
          .note("RDMA is followed by its queue pairs; a forbid, a limit and a budget of udp/4791 take all of them")
          .helped(fmt::format("{} = {{ rdma = [\"nccl\"] }}, or a connection manager's port: rdma = [20049]", name));
}

class Meeting {
 public:
  explicit Meeting(const Cells& cells) : cells_(cells) {}
  bool meet(const Indices& a, const Indices& b) const {
    return std::ranges::any_of(a, [&](std::uint32_t x) {
      return std::ranges::any_of(b, [&](std::uint32_t y) {
        return x == y ||
               std::ranges::find_first_of(cells_.of_set[x], cells_.of_set[y]) != cells_.of_set[x].end();
      });
    });
  }

 private:
  const Cells& cells_;
};

void jobs(const Model& model, const Cells& cells, Diagnostics& out) {
  const Meeting sides(cells);
  for (const Job& job : model.jobs) {
    const bool roce = (job.transports & image::transport_roce) != 0;
    const bool sockets = (job.transports & (image::transport_nccl | image::transport_tcp)) != 0;
    const bool joined = std::ranges::any_of(model.statements, [&](const Statement& one) {
      return !one.is_forbid && ((roce && !one.services.rdma.empty()) || (sockets && !one.services.tcp.empty())) &&
             (one.from_any || sides.meet(one.from, job.members)) && (one.to_any || sides.meet(one.to, job.members));
    });
    if (!joined)
      out.add("W0421", job.span, fmt::format("no allow joins the members of job `{}`", job.name), "trains nothing")
          .note("a job narrows what allows open; it opens nothing itself")
          .helped("add an [[allow]] from and to its members, with the services of its transports");
    for (const std::uint32_t member : job.members)
      if (!model.segments[member].has_addresses) {
        out.add("W0422", job.span,
                fmt::format("`{}`, a member of job `{}`, has no addresses", model.segments[member].name, job.name),
                "known by its port alone")
            .with(model.segments[member].span, "the member")
            .note("handshakes say by address where queue pairs are; those of other ports of the same host are then "
                  "not the job's");
        break;
      }
  }
}

// Segments that have the address; those known by port alone may have it.
bool may_hold(const Model& model, const Indices& segments, const AddressSet& one) {
  return std::ranges::any_of(segments, [&](std::uint32_t index) {
    const Segment& segment = model.segments[index];
    if (!segment.has_addresses) return true;
    return one.ipv4.empty() ? contains(segment.addresses, one.ipv6.front().first)
                            : contains(segment.addresses, one.ipv4.front().first);
  });
}

void declared_pairs(const Model& model, Diagnostics& out) {
  std::vector<const Statement*> open;
  for (const Statement& one : model.statements)
    if (!one.is_forbid && overlaps(one.services.rdma, {by_handshake})) open.push_back(&one);
  for (const QueuePair& pair : model.queue_pairs)
    if (std::ranges::none_of(open, [&](const Statement* one) {
          return may_hold(model, one->from, pair.from) && may_hold(model, one->to, pair.to);
        }))
      out.add("W0423", pair.span, "no allow opens this queue pair", "declared, and denied")
          .note("a declaration teaches a number; that the two hosts may speak is for an allow to say")
          .helped("add an [[allow]] of the two hosts' segments, with a service of rdma = [\"nccl\"] or [\"any\"]");
}

}  // namespace

void lint_rdma(const Resolved& resolved, const Cells& cells, Diagnostics& out) {
  useless_terms(resolved, out);
  reads_of_assets(resolved.model, out);
  port_of_roce(resolved.names, out);
  jobs(resolved.model, cells, out);
  declared_pairs(resolved.model, out);
}

}  // namespace weir::control
