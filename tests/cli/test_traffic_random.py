# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of all packets at once is what is said of one: random options, packets at the bounds of the classes and
beside them.

Set ISTIO_INIT_SEED to begin with another seed.
"""

import json
import os
import random
import shlex
import time

import configs
import lib
import packets
import test_oracle

SECONDS = 20
PACKETS = 40


def run(*words, env, status=(0,), text=None):
    result = lib.run([lib.BINARY, *words], env=env, **({} if text is None else {"input": text}))
    assert result.returncode in status, f"{shlex.join(map(str, words))}: {result.returncode}\n{result.stderr}"
    return result.stdout


def singly(packets_asked, args, env):
    """The verdict on each packet: one shell that starts one explain for each."""
    script = "".join(f"{shlex.join([str(lib.BINARY), 'explain', *packets.words(one)])} --output=json \"$@\"\n"
                     for one in packets_asked)
    text = lib.checked(lib.run(["sh", "-ec", script, "sh", *args], env=env))
    decoder, at, found = json.JSONDecoder(), 0, []
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        found.append(document["verdict"])
        at += len(text[at:]) - len(text[at:].lstrip())
    assert len(found) == len(packets_asked)
    return found


def fate(said):
    return said["fate"], said.get("port"), said.get("address")


def whole(verdict):
    """What happens, as a comparison has to see it; that nat changes what TPROXY takes only the text says."""
    return (*fate(verdict), "nat then changes" in verdict["text"])


def random_pair(rng):
    """What is live and what is wanted: often close to each other.  Interfaces of -c and -k stay with what is live."""
    live, want = test_oracle.random_config(rng), test_oracle.random_config(rng)
    if rng.random() < 0.6:
        want = {**live, **{name: want[name] for name in rng.sample(sorted(want), min(2, len(want)))}}
    for name in "istio-exclude-interfaces", "kube-virt-interfaces", "istio-inbound-tproxy-mark":
        want.pop(name, None)
        if name in live:
            want[name] = live[name]
    for config in live, want:
        config.pop("jump", None)
        config.pop("long-lists", None)
        config["ipv6"] = rng.choice(["on", "on", "off"])
    return live, want


def check_classes(classes, asked, verdicts, what):
    for packet, verdict in zip(asked, verdicts):
        found = [one for one in classes if packets.holds(one, packet)]
        assert [fate(one) for one in found] == [fate(verdict)], f"{what}: {' '.join(packets.words(packet))}\n{found}\n{verdict}"


def check_pair(rng, tmp_path, what):
    live, want = random_pair(rng)
    (tmp_path / "a").mkdir(exist_ok=True)
    live_args, live_env = configs.command_line(live, tmp_path / "a")
    args, env = configs.command_line(want, tmp_path)
    layout = rng.choice([[], ["--backend=nftables"], ["--long-lists=tree"]])
    what += f"\n{shlex.join(live_args)} {live_env}\n{shlex.join([*args, *layout])} {env}"
    path = tmp_path / "rules"
    path.write_text(run("--dry-run", *live_args, rng.choice(["--long-lists=linear", "--long-lists=tree"]), env=live_env))
    before = json.loads(run("explain", "traffic", "--output=json", f"--rules={path}", *live_args, env=live_env))["classes"]
    after = json.loads(run("explain", "traffic", "--output=json", *args, *layout, env=env))["classes"]
    said = lib.document(run("diff", "--traffic", "--output=json", f"--rules={path}", *args, *layout, env=env, status=(0, 2)))
    assert said["exact"] and said["equal"] == (not said["changes"]), what
    asked = [packets.random_packet(rng, said["changes"] if said["changes"] and i % 2 else before + after)
             for i in range(PACKETS)]
    was, becomes = singly(asked, [f"--rules={path}", *live_args], live_env), singly(asked, [*args, *layout], env)
    check_classes(before, asked, was, what)
    check_classes(after, asked, becomes, what)
    for packet, old, new in zip(asked, was, becomes):
        found = [one for one in said["changes"] if packets.holds(one, packet)]
        assert len(found) <= 1, f"{what}: {found}"
        # Of a conntrack zone one packet's explanation says nothing.
        found = [(fate(one["from"]), fate(one["to"])) for one in found
                 if "zone" not in one["from"] or fate(one["from"]) != fate(one["to"])]
        changes = [(fate(old), fate(new))] if whole(old) != whole(new) else []
        assert found == changes, f"{what}: {' '.join(packets.words(packet))}\n{old}\n{new}"
    for form in "--backend=nftables", "--long-lists=linear", "--long-lists=tree":
        text = run("diff", "--traffic", f"--rules={path}", *live_args, form, env=live_env)
        assert text.startswith("no packet is treated differently"), what
    return bool(said["changes"])


def test_all_packets_at_once_are_each_of_them(tmp_path):
    seed = int(os.environ.get("ISTIO_INIT_SEED", time.time_ns() % 10 ** 9))
    end, changed, n = time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < end or n < 3:
        print(f"seed {seed}")
        changed += check_pair(random.Random(seed), tmp_path, f"seed {seed}")
        seed, n = seed + 1, n + 1
    assert changed, "none of them made a difference"
