"""Linux's answer: a bridge of two tap devices in a network namespace of its own, whose packets pass nftables and
nf_conntrack (br_netfilter). A frame written to one tap is judged before write() returns, so what comes out of the
other tap is its answer and nothing needs to be told apart by time.

    this process ──frame──▶ tap `inside`  ═ bridge ═  tap `outside` ──▶ this process
                              forward hook: ct state established,related accept; new by policy; else drop

A bridge, since routing would change and refuse packets before the firewall sees them."""
import ctypes
import errno
import fcntl
import os
import pathlib
import struct
import subprocess

import wire

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
LINKS = """link add name middle type bridge stp_state 0 forward_delay 0 mcast_snooping 0
link set dev inside master middle
link set dev outside master middle
link set dev inside type bridge_slave learning off
link set dev outside type bridge_slave learning off
link set dev inside mtu {mtu} up
link set dev outside mtu {mtu} up
link set dev middle up
"""
RULES = """table inet oracle {{
  chain forward {{
    type filter hook forward priority filter; policy drop
    ct state established,related accept
{new}
    ct state invalid drop
  }}
}}
"""
MTU = 9000
# Strict tracking; nothing may be forgotten by age or for want of room while a round runs.
SETTINGS = {
    "net/netfilter/nf_conntrack_tcp_loose": 0, "net/netfilter/nf_conntrack_tcp_be_liberal": 0,
    "net/netfilter/nf_conntrack_tcp_ignore_invalid_rst": 0, "net/netfilter/nf_conntrack_checksum": 1,
    "net/netfilter/nf_conntrack_tcp_timeout_syn_sent": 600, "net/netfilter/nf_conntrack_tcp_timeout_syn_recv": 600,
    "net/netfilter/nf_conntrack_tcp_timeout_fin_wait": 600, "net/netfilter/nf_conntrack_tcp_timeout_close_wait": 600,
    "net/netfilter/nf_conntrack_tcp_timeout_last_ack": 600, "net/netfilter/nf_conntrack_tcp_timeout_time_wait": 600,
    "net/netfilter/nf_conntrack_tcp_timeout_close": 600, "net/netfilter/nf_conntrack_udp_timeout": 600,
    "net/netfilter/nf_conntrack_udp_timeout_stream": 600, "net/netfilter/nf_conntrack_icmp_timeout": 600,
    "net/netfilter/nf_conntrack_icmpv6_timeout": 600, "net/netfilter/nf_conntrack_generic_timeout": 600,
    "net/netfilter/nf_conntrack_frag6_timeout": 600, "net/netfilter/nf_conntrack_frag6_high_thresh": 1 << 27,
    "net/ipv4/ipfrag_time": 600, "net/ipv4/ipfrag_high_thresh": 1 << 27, "net/ipv4/ipfrag_max_dist": 0,
    "net/bridge/bridge-nf-call-iptables": 1, "net/bridge/bridge-nf-call-ip6tables": 1,
}


class Unavailable(Exception):
    """Why this machine cannot answer."""


def own_network():
    """Moves this process into a new network namespace; an ordinary user gets one inside a user namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        if libc.unshare(CLONE_NEWNET) != 0:
            raise Unavailable(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        return
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        raise Unavailable(f"no network namespace: {os.strerror(ctypes.get_errno())}")
    pathlib.Path("/proc/self/setgroups").write_text("deny")
    pathlib.Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    pathlib.Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def open_tap(name):
    try:
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name, IFF_TAP | IFF_NO_PI))
    except OSError as error:
        raise Unavailable(f"no tap device: {error}") from error
    return tap


def command(words, text):
    done = subprocess.run(words, input=text, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")


class Bridge:
    """One namespace with nothing remembered. It becomes this process's network; the one before ends when its taps are
    closed."""

    def __init__(self, new_rules, changed=None):
        own_network()
        pathlib.Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
        self.taps = [open_tap(b"inside"), open_tap(b"outside")]
        command(["ip", "-batch", "-"], LINKS.format(mtu=MTU))
        new = "\n".join(f"    ct state new {rule} accept" for rule in new_rules)
        command(["nft", "-f", "-"], RULES.format(new=new))
        for name, value in {**SETTINGS, **(changed or {})}.items():
            try:
                pathlib.Path("/proc/sys", name).write_text(str(value))
            except OSError as error:
                raise Unavailable(f"{name}: {error.strerror}") from error
        self.room = bytearray(65536)

    def ask(self, side, frame):
        """The frames that left by the other side because this one came in."""
        try:
            os.write(self.taps[side], frame)
        except OSError as error:
            if error.errno != errno.EINVAL:  # shorter than an Ethernet header
                raise
            return []
        other, room, out = self.taps[1 - side], self.room, []
        while True:
            try:
                bytes_count = os.readv(other, [room])
            except BlockingIOError:
                return out
            if room[6:12] == wire.MACS[side]:  # the rest is the bridge speaking for itself
                out.append(bytes(room[:bytes_count]))

    def close(self):
        for tap in self.taps:
            os.close(tap)
