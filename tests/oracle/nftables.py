#!/usr/bin/python3
"""The same policy, asked of nftables: random policies in both languages, random first packets through `weir replay`
and through the kernel in a network namespace of our own, and no difference.

usage: nftables.py WEIR [--policies N] [--packets N] [--seed N]
Defaults: WEIR_PROPERTY_MODELS (20) policies, 2,000 packets each, 20,000 when WEIR_PROPERTY_SCALE is above 1.

    this process ──frames──▶ tap `oracle` ─▶ prerouting chain: each frame's source MAC goes into the set of
    (in a network namespace that ends with it)                 its verdict; then the frame is dropped
                                                               ▲ read back with nft -j
"""
import argparse
import collections
import ctypes
import fcntl
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

import frames
import policies

SKIP = 77
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
TAP_MAC = bytes.fromhex("020000000001")
SHOWN = 20
COMMANDS_AT_ONCE = 200  # what an ordinary user's netlink buffer takes


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIP)


def own_network():
    """Moves this process into a network namespace of its own; an ordinary user gets one inside a user namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:
        user, group = os.geteuid(), os.getegid()
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    elif libc.unshare(CLONE_NEWNET) != 0:
        skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")


def open_tap():
    """A tap device that is up; a frame written to it is judged before write() returns."""
    try:
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"oracle", IFF_TAP | IFF_NO_PI))
    except OSError as error:
        skip(f"no tap device: {error}")
    mac = ":".join(f"{byte:02x}" for byte in TAP_MAC)
    subprocess.run(["ip", "link", "set", "oracle", "address", mac, "up"], check=True)
    return tap


def ask_kernel(tap, commands, packets):
    """The verdict of each packet by nftables; None for one that no set holds."""
    for at in range(0, len(commands), COMMANDS_AT_ONCE):
        subprocess.run(["nft", "-f", "-"], input="\n".join(commands[at:at + COMMANDS_AT_ONCE]), text=True, check=True)
    for data in packets:
        os.write(tap, data)
    verdicts = [None] * len(packets)
    for verdict in ("forbidden", "allowed", "no_allow"):
        listed = subprocess.run(["nft", "-j", "list", "set", "inet", "oracle", verdict], capture_output=True, text=True,
                                check=True)
        for mac in re.findall(r"02:57:52:([0-9a-f:]{8})", listed.stdout):
            index = int(mac.replace(":", ""), 16)
            verdicts[index] = verdict if verdicts[index] is None else "several"
    return verdicts


def ask_weir(weir, folder, files, packets):
    """The verdict of each packet by `weir replay`, in the kernel's words."""
    for name, text in files.items():
        pathlib.Path(folder, name).write_text(text)
    pathlib.Path(folder, "in.pcap").write_bytes(frames.capture(packets))
    command = [weir, "replay", f"{folder}/policy.toml", "--in", f"{folder}/in.pcap", "--inside-prefix", "0.0.0.0/0",
               "--inside-prefix", "::/0", "--write", f"{folder}/out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    words = {"flow_new": "allowed"}
    with open(f"{folder}/out/decisions.jsonl", encoding="utf-8") as lines:
        return [words.get(row["reason"], row["reason"]) for row in map(json.loads, lines)]


def one_round(weir, tap, seed, packets_count):
    """Asks both; returns how often each verdict was given and what differs."""
    draw = random.Random(seed)
    policy = policies.Policy(draw)
    connections = frames.Draw(draw, policy)
    asked = [connections.connection() for _ in range(packets_count)]
    packets = [frames.frame(index, TAP_MAC, *row) for index, row in enumerate(asked)]
    files = policies.to_files(policy)
    with tempfile.TemporaryDirectory(prefix="weir-oracle-") as folder:
        ours = ask_weir(weir, folder, files, packets)
    theirs = ask_kernel(tap, policies.to_nftables(policy), packets)
    if len(ours) != len(theirs):
        sys.exit(f"seed {seed}: {len(theirs)} packets, but {len(ours)} decision lines")
    differences = [f"seed {seed}, packet {index}: weir {us}, nftables {them}: {' '.join(map(str, asked[index]))}"
                   for index, (us, them) in enumerate(zip(ours, theirs)) if us != them]
    if differences:
        print(files["policy.toml"])
    return collections.Counter(theirs), differences


def main():
    long = int(os.environ.get("WEIR_PROPERTY_SCALE", "1")) > 1
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("weir")
    arguments.add_argument("--policies", type=int, default=int(os.environ.get("WEIR_PROPERTY_MODELS", "20")))
    arguments.add_argument("--packets", type=int, default=20000 if long else 2000)
    arguments.add_argument("--seed", type=int, default=1)
    chosen = arguments.parse_args()
    if subprocess.run(["sh", "-c", "command -v nft && command -v ip"], capture_output=True, check=False).returncode:
        skip("nft or ip is not installed")
    own_network()
    tap = open_tap()
    seen, differences = collections.Counter(), []
    for seed in range(chosen.seed, chosen.seed + chosen.policies):
        counted, found = one_round(os.path.abspath(chosen.weir), tap, seed, chosen.packets)
        seen += counted
        differences += found
    print("\n".join(differences[:SHOWN]))
    print(f"{chosen.policies} policies from seed {chosen.seed}, {seen.total()} packets: "
          f"{', '.join(f'{count} {verdict}' for verdict, count in sorted(seen.items()))}; "
          f"{len(differences)} differences")
    # A run in which one verdict never came proves nothing about it.
    sys.exit(1 if differences or {"allowed", "forbidden", "no_allow"} - set(seen) else 0)


main()
