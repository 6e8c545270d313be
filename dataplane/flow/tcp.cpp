// The TCP table. Rows are states, columns are kinds of segment; docs/tcp.md is printed from it.
#include "dataplane/flow/tcp.hpp"

namespace weir {
namespace {

constexpr TcpStep no{TcpStep::refuse_value};
constexpr TcpStep re{TcpStep::reopen_value};
constexpr TcpStep ss{static_cast<u8>(TcpState::syn_sent)};
constexpr TcpStep sb{static_cast<u8>(TcpState::syn_both)};
constexpr TcpStep sr{static_cast<u8>(TcpState::syn_received)};
constexpr TcpStep es{static_cast<u8>(TcpState::established)};
constexpr TcpStep fo{static_cast<u8>(TcpState::fin_opener)};
constexpr TcpStep fr{static_cast<u8>(TcpState::fin_replier)};
constexpr TcpStep fb{static_cast<u8>(TcpState::fin_both)};
constexpr TcpStep rs{static_cast<u8>(TcpState::reset)};

}  // namespace

// A replier may send nothing but SYN-ACK, SYN or RST before the opener has acknowledged: data that a server pushes
// early (TFO) is refused. SYN-ACK again in established: the opener's ACK was lost after it passed here.
const TcpStep tcp_table[tcp_states_count][2][tcp_segments_count] = {
    //                   opener: syn  s-a  ack  fin  rst    replier: syn  s-a  ack  fin  rst
    /* syn_sent     */ {{ss, no, no, no, rs}, {sb, sr, no, no, rs}},
    /* syn_both     */ {{sb, sr, no, no, rs}, {sb, sr, no, no, rs}},
    /* syn_received */ {{sr, sr, es, fo, rs}, {sr, sr, no, no, rs}},
    /* established  */ {{no, es, es, fo, rs}, {no, es, es, fr, rs}},
    /* fin_opener   */ {{no, no, fo, fo, rs}, {no, fo, fo, fb, rs}},
    /* fin_replier  */ {{no, no, fr, fb, rs}, {no, no, fr, fr, rs}},
    /* fin_both     */ {{re, no, fb, fb, rs}, {re, no, fb, fb, rs}},
    /* reset        */ {{re, no, no, no, rs}, {re, no, no, no, rs}},
};

}  // namespace weir
