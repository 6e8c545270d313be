#!/usr/bin/env python3
"""Weir as people run it, between two namespaces (netns_test.py draws them): weir-control watches a rule file beside a
weir-dataplane, and real clients (curl, iperf3, ssh, ping) see what an edit does.

  day    browse, edit a rule, browse again; ten applies during an iperf3 run; a policy that cuts the operator off, on
         trial, takes itself back
  many   WEIR_APPLIES (300) applies of two policies in turn under traffic: what is in force is the last one, memory and
         descriptors stay as they were, no connection is lost. The long suite:
         WEIR_APPLIES=10000 meson test -C build apply_many -t 30

usage: live_test.py day|many DATAPLANE WEIR CONTROL
needs root; says why and exits with 77 where it cannot run."""
import json
import os
import signal
import subprocess
import sys
import time

from namespaces import LEFT, RIGHT, Dataplane, Net, compile_policy, end, policy_of_two, skip_unless_possible

WEB, IPERF, SSH = 8080, 5201, 2222
ALWAYS = {"iperf": f"tcp = [{IPERF}]", "ping": 'icmp = ["echo"]', "ssh": f"tcp = [{SSH}]"}


def rules(name, **more):
    return policy_of_two(name, {**ALWAYS, **more})


class World:
    def __init__(self, net, binary, weir, control):
        self.net, self.weir = net, weir
        self.socket, self.door = f"{net.folder}/control", f"{net.folder}/door"
        net.link("left", "L0", "mid", "L1")
        net.link("right", "R0", "mid", "R1")
        net.address("left", "L0", f"{LEFT[0]}/24")
        net.address("right", "R0", f"{RIGHT[0]}/24")
        os.mkdir(f"{net.folder}/rules")
        self.edit(rules("first"))
        compile_policy(net, weir, rules("first"))
        ports = [f"net_af_packet{n},iface={side}1,framecnt=4096" for n, side in enumerate("LR")]
        self.dataplane = Dataplane(net, "mid", binary, ports, options=["--door", self.door])
        self.log = open(f"{net.folder}/control.log", "w+", encoding="utf-8")
        self.control = net.start("mid", control, "--socket", self.socket, "--door", self.door, "--state",
                                 f"{net.folder}/state", "--rules", f"{net.folder}/rules/policy.toml", "--settle-ms",
                                 "100", "--keep", "50", stdout=self.log, stderr=self.log)
        self.wait_until(lambda told: told["watch"])

    def edit(self, text):
        with open(f"{self.net.folder}/rules/edited", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(f"{self.net.folder}/rules/edited", f"{self.net.folder}/rules/policy.toml")

    def command(self, *arguments, code=0):
        ended = subprocess.run([self.weir, *map(str, arguments), "--control", self.socket], capture_output=True,
                               text=True, check=False, timeout=60)
        assert ended.returncode == code, (arguments, ended)
        return ended.stdout

    def status(self):
        ended = subprocess.run([self.weir, "status", "--control", self.socket, "-o", "json"], capture_output=True,
                               text=True, check=False, timeout=60)
        return json.loads(ended.stdout) if ended.returncode == 0 else None

    def wait_until(self, holds, seconds=10):
        limit = time.monotonic() + seconds
        while True:
            told = self.status()
            if told and holds(told):
                return told
            assert time.monotonic() < limit and self.control.poll() is None, (told, self.said())
            time.sleep(0.05)

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def apply(self, text, *terms, code=0):
        """In microseconds, how long packets waited."""
        path = f"{self.net.folder}/applied.toml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        said = self.command("apply", path, "--yes", "-o", "json", *terms, code=code)
        return json.loads(said.splitlines()[0]) if said.startswith("{") else None

    def browse(self, code=0):
        got, said = self.net.call("left", "curl", "-sS", "--max-time", "2", "--output", "/dev/null",
                                  f"http://{RIGHT[0]}:{WEB}/")
        assert (got == 0) == (code == 0), (got, said)


def serve(world):
    """A web server, iperf3 and sshd on the right."""
    net = world.net
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    net.start("right", sys.executable, "-m", "http.server", str(WEB), "--directory", f"{net.folder}/rules", **quiet)
    net.start("right", "iperf3", "--server", "--port", IPERF, **quiet)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{net.folder}/{name}"], check=True)
    with open(f"{net.folder}/sshd", "w", encoding="utf-8") as file:
        file.write(f"Port {SSH}\nHostKey {net.folder}/host\nAuthorizedKeysFile {net.folder}/user.pub\nStrictModes no\n"
                   "PermitRootLogin yes\nUsePAM no\nPidFile none\n")
    os.makedirs("/run/sshd", exist_ok=True)
    net.start("right", "/usr/sbin/sshd", "-D", "-f", f"{net.folder}/sshd", **quiet)
    for port in (WEB, IPERF, SSH):
        limit = time.monotonic() + 10
        while not net.call("right", "ss", "-Hltn", f"sport = :{port}")[1].strip():
            assert time.monotonic() < limit, f"nobody serves {port}"
            time.sleep(0.05)


def ssh(world, *command):
    """A shell on the right, for as long as its command runs."""
    return world.net.start("left", "ssh", "-p", SSH, "-i", f"{world.net.folder}/user", "-o", "StrictHostKeyChecking=no",
                           "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                           f"root@{RIGHT[0]}", *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)


def says(shell, text):
    shell.stdin.write(f"echo {text}\n")
    shell.stdin.flush()
    assert shell.stdout.readline() == f"{text}\n"


def edits_a_rule(world):
    world.browse(code=1)
    began = time.monotonic()
    world.edit(rules("with web", web=f"tcp = [{WEB}]").replace("with web", "with-web"))
    world.wait_until(lambda told: told["dataplane"]["policy"] == "with-web")
    print(f"      edited, settled, checked, compiled and in force after {time.monotonic() - began:.2f} s")
    world.browse()
    world.command("confirm")
    world.edit("nonsense\n" + rules("first"))
    world.wait_until(lambda told: told["watch"]["result"] == "refused")
    world.browse()


def ten_applies_under_load(world):
    client = world.net.start("left", "iperf3", "--client", RIGHT[0], "--port", IPERF, "--time", "8",
                             "--bitrate", "400M", "--json", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    ping = world.net.start("left", "ping", "-n", "-q", "-i", "0.02", "-c", "350", "-W", "2", RIGHT[0],
                           stdout=subprocess.PIPE, text=True)
    shell = ssh(world, "sh")
    says(shell, "begun")
    time.sleep(1)
    blocked = []
    for turn in range(10):
        blocked.append(world.apply(rules(f"turn{turn}", web=f"tcp = [{WEB + turn % 2}]"))["blocked_us"])
        says(shell, f"turn{turn}")
        time.sleep(0.4)
    said, _ = client.communicate(timeout=30)
    result = json.loads(said)
    assert client.returncode == 0 and "error" not in result, said
    seconds = [one["sum"]["bytes"] for one in result["intervals"]]
    assert all(seconds), f"nothing came in some second: {seconds}"
    lost = ping.communicate(timeout=30)[0]
    assert " 0% packet loss" in lost, lost
    says(shell, "still here")
    end(shell)
    sent = result["end"]["sum_sent"]
    print(f"      ten applies: blocked {sorted(blocked)} us; iperf3 {sent['bits_per_second'] / 1e9:.2f} Gbit/s, "
          f"{sent['retransmits']} retransmits; {lost.splitlines()[-2]}")


def takes_itself_back(world):
    """The operator comes over ssh, which the new policy does not allow. What it revoked must open again."""
    world.apply(rules("good", web=f"tcp = [{WEB}]"))
    shell = ssh(world, "sh")
    says(shell, "begun")
    cut_off = policy_of_two("cut-off", {"ping": 'icmp = ["echo"]'})
    done = world.apply(cut_off, "--confirm", "3s")
    assert done["state"] == "on_trial", done
    end(world.control, signal.SIGKILL)  # nobody is left but the dataplane
    began = time.monotonic()
    world.browse(code=1)
    end(shell)
    shell = ssh(world, "sh")  # its first packets are denied, too; TCP sends them again
    says(shell, "back again")
    waited = time.monotonic() - began
    world.browse()
    end(shell)
    print(f"      cut off, and with control dead ssh is let in again after {waited:.1f} s")


def day(world):
    serve(world)
    for case in (edits_a_rule, ten_applies_under_load, takes_itself_back):
        case(world)
        print("ok   ", case.__name__, flush=True)


def kept(processes):
    """Resident pages and open descriptors of each."""
    result = []
    for process in processes:
        with open(f"/proc/{process.pid}/statm", encoding="ascii") as file:
            result.append((int(file.read().split()[1]), len(os.listdir(f"/proc/{process.pid}/fd"))))
    return result


def many(world):
    serve(world)
    world.wait_until(lambda told: told["on_trial"])
    world.command("confirm")
    count = int(os.environ.get("WEIR_APPLIES", "300"))
    client = world.net.start("left", "iperf3", "--client", RIGHT[0], "--port", IPERF, "--time", "36000", "--bitrate",
                             "50M", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    texts = [rules(name, web=f"tcp = [{port}]") for name, port in (("left-handed", WEB), ("right-handed", WEB + 1))]
    processes = [world.control, world.dataplane.process]
    blocked, began, warm, warm_until = [], time.monotonic(), None, min(count // 3, 200)
    for turn in range(count):
        blocked.append(world.apply(texts[turn % 2])["blocked_us"])
        if turn == warm_until:
            warm = kept(processes)
        if turn % 50 == 0:
            world.browse(code=turn % 2)
            assert client.poll() is None, "the connection was lost"
    seconds, after, told = time.monotonic() - began, kept(processes), world.status()
    assert client.poll() is None, "the connection was lost"
    end(client)
    assert told["dataplane"]["policy"] == ("left-handed", "right-handed")[(count - 1) % 2], told
    assert told["last_good"]["generation"] == told["dataplane"]["generation"], told
    assert told["history"] <= 50, told
    for (pages, descriptors), (pages_then, descriptors_then) in zip(warm, after):
        assert descriptors_then <= descriptors and pages_then <= pages + 1024, (warm, after)
    blocked.sort()
    print(f"      {count} applies in {seconds:.0f} s; blocked {blocked[len(blocked) // 2]} us in the median, "
          f"{blocked[-1]} us at the most; pages and descriptors of control and dataplane {warm} -> {after}")


def main():
    part, binary, weir, control = sys.argv[1:5]
    skip_unless_possible("af_packet", "curl", "iperf3", "ssh", "ssh-keygen", "/usr/sbin/sshd")
    with Net("left", "mid", "right") as net:
        world = World(net, binary, weir, control)
        try:
            {"day": day, "many": many}[part](world)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{world.said()}\n{world.dataplane.said()}") from None


main()
