// The TCP table. Rows are states, columns are kinds of segment; docs/state.md is printed from it.
#include "dataplane/flow/tcp.hpp"

namespace weir {
namespace {

constexpr TcpStep no{TcpStep::refuse_value};
constexpr TcpStep re{TcpStep::reopen_value};
constexpr TcpStep ch{TcpStep::challenge_value};
constexpr TcpStep ju{TcpStep::judge_value};
constexpr TcpStep ss{static_cast<u8>(TcpState::syn_sent)};
constexpr TcpStep sb{static_cast<u8>(TcpState::syn_both)};
constexpr TcpStep sa{static_cast<u8>(TcpState::syn_answered)};
constexpr TcpStep sr{static_cast<u8>(TcpState::syn_received)};
constexpr TcpStep es{static_cast<u8>(TcpState::established)};
constexpr TcpStep fo{static_cast<u8>(TcpState::fin_opener)};
constexpr TcpStep oa{static_cast<u8>(TcpState::fin_opener_acked)};
constexpr TcpStep fr{static_cast<u8>(TcpState::fin_replier)};
constexpr TcpStep ra{static_cast<u8>(TcpState::fin_replier_acked)};
constexpr TcpStep fb{static_cast<u8>(TcpState::fin_both)};
constexpr TcpStep lr{static_cast<u8>(TcpState::last_replier)};
constexpr TcpStep lo{static_cast<u8>(TcpState::last_opener)};
constexpr TcpStep tw{static_cast<u8>(TcpState::time_wait)};
constexpr TcpStep rs{static_cast<u8>(TcpState::reset)};

}  // namespace

// SYN-ACK again in established and fin_opener: the opener's ACK was lost after it passed here. An acknowledgement of
// what was never sent, to a SYN, is how an endpoint with an older connection says so (RFC 9293, section 3.5.1).
const TcpStep tcp_table[tcp_states_count][2][tcp_columns] = {
    //            opener:  syn  s-a  ack  all  fin  f+a  rst          replier: syn  s-a  ack  all  fin  f+a  rst
    /* syn_sent         */ {{ss, no, no, no, no, no, rs, no}, {ju, sr, ch, no, no, no, rs, no}},
    /* syn_both         */ {{sb, sa, no, no, no, no, rs, no}, {sb, sr, no, no, no, no, rs, no}},
    /* syn_answered     */ {{sa, sa, no, no, no, no, rs, no}, {sa, es, no, es, no, no, rs, no}},
    /* syn_received     */ {{sr, es, es, es, fo, fo, rs, no}, {sr, sr, no, ch, no, no, rs, no}},
    /* established      */ {{ch, es, es, es, fo, fo, rs, no}, {ch, es, es, es, fr, fr, rs, no}},
    /* fin_opener       */ {{ch, no, fo, fo, fo, fo, rs, no}, {ch, fo, fo, oa, fb, lr, rs, no}},
    /* fin_opener_acked */ {{ch, no, oa, oa, oa, oa, rs, no}, {ch, no, oa, oa, lr, lr, rs, no}},
    /* fin_replier      */ {{ch, no, fr, ra, fb, lo, rs, no}, {ch, no, fr, fr, fr, fr, rs, no}},
    /* fin_replier_acked*/ {{ch, no, ra, ra, lo, lo, rs, no}, {ch, no, ra, ra, ra, ra, rs, no}},
    /* fin_both         */ {{ch, no, fb, lo, fb, lo, rs, no}, {ch, no, fb, lr, fb, lr, rs, no}},
    /* last_replier     */ {{ch, no, lr, tw, lr, tw, rs, no}, {ch, no, lr, lr, lr, lr, rs, no}},
    /* last_opener      */ {{ch, no, lo, lo, lo, lo, rs, no}, {ch, no, lo, tw, lo, tw, rs, no}},
    /* time_wait        */ {{re, no, tw, tw, tw, tw, rs, no}, {re, no, tw, tw, tw, tw, rs, no}},
    /* reset            */ {{re, no, ch, ch, no, no, rs, no}, {re, no, ch, ch, no, no, rs, no}},
};

}  // namespace weir
