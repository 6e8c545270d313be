#include "dataplane/edge/transmit.hpp"

#include <rte_ethdev.h>

namespace weir::edge {
namespace {

constexpr u32 tries_max = 64;

}  // namespace

void Transmit::send(rte_mbuf* mbuf, u16 port_index) {
  if (mbuf == nullptr) return;
  Gathered& gathered = gathered_[port_index];
  gathered.mbufs[gathered.count++] = mbuf;
  if (gathered.count == gathered_max) flush(ports_.all()[port_index], gathered);
}

void Transmit::flush() {
  for (const Port& port : ports_.all())
    if (gathered_[port.index].count != 0) flush(port, gathered_[port.index]);
}

void Transmit::flush(const Port& port, Gathered& gathered) {
  const u16 queue = port.turn ? u16{0} : queue_;
  u16 sent = 0;
  if (port.turn) rte_spinlock_lock(port.turn.get());
  for (u32 tries = 0; tries < tries_max && sent < gathered.count; ++tries) {
    if (tries != 0) rte_pause();
    sent = static_cast<u16>(
        sent + rte_eth_tx_burst(port.id, queue, &gathered.mbufs[sent], static_cast<u16>(gathered.count - sent)));
  }
  if (port.turn) rte_spinlock_unlock(port.turn.get());
  unsent_.add(gathered.count - sent);
  if (sent < gathered.count) rte_pktmbuf_free_bulk(&gathered.mbufs[sent], gathered.count - sent);
  gathered.count = 0;
}

}  // namespace weir::edge
