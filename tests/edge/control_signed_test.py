#!/usr/bin/env python3
"""Policies signed with the stock minisign: whose signature counts, for what, and which changes take two. A signature
that was accepted does not bring an older policy back. And a trial never falls back to a policy that lets more leave.

usage: control_signed_test.py DATAPLANE WEIR CONTROL"""
import shutil
import signal
import subprocess
import sys

from control import Control, dataplane, states, together


def policy(port=443, budget="1 GB", more="", size="100 GB"):
    return f"""version = 1
policy.name = "vault"
segment.vault = {{ cidr = ["10.0.0.0/8"], class = "secret" }}
segment.world = {{ cidr = ["192.168.0.0/16"], class = "public" }}
asset.weights = {{ size = "{size}", held = ["vault"] }}
service.web = {{ tcp = [{port}] }}
service.telnet = {{ tcp = [23] }}
[[allow]]
name = "out"
from = "vault"
to = "world"
with = ["web"]
[[forbid]]
name = "no-telnet"
from = "vault"
to = "world"
with = ["telnet"]
[[budget]]
name = "out"
from = "vault"
to = "world"
bytes = "{budget}"
every = "1d"
{more}"""


INVARIANT = """[[invariant]]
name = "i"
asset = "weights"
to = ["world"]
at_least = "1d"
ratio = 1
"""


class Signer:
    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.minisign("-G", "-W", "-p", f"{name}.pub", "-s", f"{name}.key")

    def minisign(self, *arguments):
        ended = subprocess.run(["minisign", *arguments], cwd=self.folder.path, capture_output=True, text=True,
                               check=False, timeout=30, input="\n")
        assert ended.returncode == 0, ended
        return ended

    def sign(self, text, comment, legacy=False):
        self.folder.write("p.toml", text.encode())
        manifest = self.folder.call("weir", "manifest", "p.toml")
        assert manifest.returncode == 0, manifest
        self.folder.write("p.manifest", manifest.stdout.encode())
        self.minisign("-S", *(["-l"] if legacy else []), "-s", f"{self.name}.key", "-m", "p.manifest", "-t", comment,
                      "-x", "p.minisig")
        return self.folder.read("p.minisig").decode()


def refused(control, text, signatures, words, **terms):
    before = control.generation()
    answer = control.apply(text, 422, signatures=signatures, **terms)
    assert words in answer["error"], answer
    assert control.generation() == before
    return answer


def who_counts(control, anna, bert, mallory):
    first = policy()
    refused(control, first, [], "2 signatures by different pinned keys are needed, 0 given")
    both = [one.sign(first, "generation 1") for one in (anna, bert)]
    refused(control, first, [both[0]], "2 signatures by different pinned keys are needed, 1 given")
    refused(control, first, [both[0], anna.sign(first, "generation 1")], "1 given")
    refused(control, first, [both[0], mallory.sign(first, "generation 1")], "not pinned")
    refused(control, first, [both[0], bert.sign(first, "generation 2")], "different generations")
    refused(control, first, [both[0], bert.sign(first, "second release")], "does not say")
    refused(control, first, [both[0], bert.sign(policy(444), "generation 1")], "is not of this policy")
    refused(control, first, [both[0], "no signature"], "not a signature of minisign")
    torn = both[1].replace("generation 1", "generation 9")
    refused(control, first, [both[0], torn], "is not of this policy")
    done = control.apply(first, signatures=both)
    entry = control.get(f"/v1/history/{done['generation']}")
    assert len(entry["signed_by"]) == 2 and entry["signed_generation"] == 1, entry


def one_is_enough(control, anna, bert, _mallory):
    second = policy(444)
    refused(control, second, [], "1 signature by a pinned key is needed, 0 given")
    control.apply(second, signatures=[anna.sign(second, "weir generation 2, reviewed", legacy=True)])
    # The old policy and its old signatures: both were good once.
    first = policy()
    old = [one.sign(first, "generation 1") for one in (anna, bert)]
    refused(control, first, old, "does not come back by its old signature")
    refused(control, second, [anna.sign(second, "generation 2")], "does not come back by its old signature")
    answer = control.post("/v1/rollback", {"signatures": []}, 422)
    assert "signature" in answer["error"], answer
    done = control.post("/v1/rollback", {"signatures": [anna.sign(first, "generation 7")]})
    assert done["generation"] >= 7 and control.get("/v1/history")["entries"][0]["kind"] == "rollback", done


def what_takes_two(control, anna, bert, _mallory):
    base = policy()
    more = {
        "more can leave": policy(budget="2 GB"),
        "removes or changes budget": policy(budget="999 MB"),
        "[asset]": policy(size="50 GB"),
        "removes or changes forbid": policy().replace("name = \"no-telnet\"\nfrom = \"vault\"",
                                                      "name = \"no-telnet\"\nfrom = \"world\""),
        "[invariant]": policy(more=INVARIANT),
        "class of segment `world`": policy().replace('class = "public"', 'class = "internal"'),
        "attach of segment": policy(more='[segment.third]\nattach = ["vf*"]\nclass = "public"\n'),
        "[policy]": policy().replace('policy.name = "vault"', 'policy.name = "other"'),
        "[link]": policy(more="[link]\narp = true\n"),
        "[port]": policy(more='[port.pf0]\naddresses = ["10.0.0.1"]\n'),
        "[fleet]": policy(more="[fleet]\ninstances = 2\n"),
        "forbid `no-telnet` held back": policy().replace("telnet = { tcp = [23] }", "telnet = { tcp = [24] }").replace(
            "tcp = [443]", "tcp = [443, 23]"),
    }
    generation = 100
    for words, text in more.items():
        assert text != base, words
        generation += 1
        answer = refused(control, text, [anna.sign(text, f"generation {generation}")], "2 signatures")
        assert any(words in why for why in answer["why_two"]), (words, answer)
        refused(control, text, [anna.sign(text, f"generation {generation}")], "2 signatures", confirm_within_ms=60_000)
    text = policy(445)
    control.apply(text, signatures=[bert.sign(text, "generation 200")])
    more = policy(445, budget="2 GB")
    control.apply(more, signatures=[one.sign(more, "generation 201") for one in (anna, bert)])


def never_back_to_more(control, anna, bert, _mallory):
    """In force: 2 GB a day. On trial: 1 GB. What is not confirmed must not bring 2 GB back."""
    less = policy(445)
    both = [one.sign(less, "generation 300") for one in (anna, bert)]
    done = control.apply(less, signatures=both, confirm_within_ms=700)
    assert done["trial"]["fallback_is"] == "lockdown", done
    told = control.wait_until(lambda told: told["dataplane"]["generation"] == done["generation"] + 1)
    assert told["dataplane"]["policy"] == "lockdown" and told["last_good"]["kind"] == "lockdown", told
    assert states(control)[done["generation"]] == "rolled_back"
    # Lockdown needs no signature; what lifts it does.
    control.post("/v1/lockdown", {})
    refused(control, less, [anna.sign(less, "generation 301")], "2 signatures")
    both = [one.sign(less, "generation 302") for one in (anna, bert)]
    control.apply(less, signatures=both)
    # From 1 GB to 1 GB by another port: nothing larger to go back to.
    other = policy(446)
    done = control.apply(other, signatures=[anna.sign(other, "generation 303")], confirm_within_ms=700)
    assert done["trial"]["fallback_is"] == "what was confirmed last", done
    told = control.wait_until(lambda told: told["dataplane"]["generation"] == done["generation"] + 1)
    assert told["last_good"]["kind"] == "fallback" and told["dataplane"]["policy"] == "vault", told


def remembered(control, anna, bert, _mallory):
    """A restart does not bring an accepted number back."""
    text = policy(447)
    control.stop(signal.SIGKILL)
    control.start()
    refused(control, text, [one.sign(text, "generation 303") for one in (anna, bert)], "does not come back")


def main():
    if shutil.which("minisign") is None:
        print("minisign is not installed (tools/setup --tests)")
        sys.exit(dataplane.SKIP)
    binary, weir, daemon = sys.argv[1:4]
    with dataplane.Folder(dataplane=binary, weir=weir, control=daemon) as folder:
        signers = [Signer(folder, name) for name in ("anna", "bert", "mallory")]
        folder.write("not.pub", b"untrusted comment: x\nAAAA\n")
        ended = folder.call("control", "--socket", "c", "--state", "s", "--require-signature", "not.pub")
        assert ended.returncode == 1 and "not a public key of minisign" in ended.stderr, ended
        control = Control(folder, "--require-signature", "anna.pub", "--require-signature", "bert.pub")
        with together(folder, control):
            for case in (who_counts, one_is_enough, what_takes_two, never_back_to_more, remembered):
                case(control, *signers)
                print("ok   ", case.__name__, flush=True)


if __name__ == "__main__":
    main()
