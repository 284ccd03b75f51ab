# SPDX-License-Identifier: GPL-2.0-or-later
"""What explain traffic and diff --traffic say of all packets is what real connections meet, before a change and after.

Set ISTIO_INIT_SEED to begin with another seed; ISTIO_INIT_RANDOM scales the number of configurations.
"""

import ipaddress
import os
import random
import shlex

import configs
import lib
import packets
import pytest
import test_explain
from pod import Pod

FIRST = int(os.environ.get("ISTIO_INIT_SEED", "0"))
SEEDS = range(FIRST, FIRST + max(2, int(os.environ.get("ISTIO_INIT_RANDOM", "100")) // 25))
PACKETS = 30
KEPT = ["istio-inbound-interception-mode", "istio-exclude-interfaces", "kube-virt-interfaces", "inner-interfaces", "ipv6",
        "istio-inbound-tproxy-mark"]


def as_packet(words, whence):
    """What explain is asked, as a packet of a class: the words of both are the same."""
    values = dict(word.split("=") for word in [*words[1:], *whence])
    packet = {"direction": words[0], "sport": 40000, "mark": 0, **values}
    for key in "src", "dst":
        packet[key] = ipaddress.ip_address(packet[key])
    for key in "dport", "uid", "gid", "mark":
        if key in packet:
            packet[key] = int(packet[key])
    return {**packet, "family": f"ipv{packet['dst'].version}"}


def place(one, addr):
    """Where a class sends a connection, as Pod.connect names it."""
    return test_explain.place((one["fate"] == "passes", one["fate"] == "drop", str(one.get("port")), None), addr)


def meet(pod, packet):
    origin, addr, port, how = packet
    met = pod.connect(origin, addr, port, **how)
    return met[0] if isinstance(met, tuple) else met.partition(", and no answer")[0]


def document(netns, *args, env, status=(0,)):
    result = netns.istio_init(*args, "--output=json", "--dual-stack", env=env)
    assert result.returncode in status, result.stderr
    return lib.document(result.stdout)


@pytest.mark.parametrize("seed", SEEDS)
def test_connections_meet_what_the_classes_say(seed, backend, tmp_path):
    rng = random.Random(seed)
    live, cidrs = test_explain.random_policy(rng)
    want, others = test_explain.random_policy(rng)
    want = {**live, **want, **{name: live.get(name, "") for name in KEPT if name in {**live, **want}}}
    want = {name: value for name, value in want.items() if name in live or value != ""}
    (tmp_path / "live").mkdir()
    live_args, live_env = configs.command_line(live, tmp_path / "live")
    args, env = configs.command_line(want, tmp_path)
    wrong, different = [], 0
    with Pod() as pod:
        pod.peer.sh("".join(f"ip -{space.version} route add local {space} dev lo; " for space in test_explain.FAR))
        pod.peer.write_sysctl("ipv6/ip_nonlocal_bind", "1")
        lib.checked(pod.netns.istio_init("--dual-stack", *live_args, f"--backend={backend}", env=live_env))
        classes = document(pod.netns, "explain", "traffic", "--live", *live_args, env=live_env)["classes"]
        said = document(pod.netns, "diff", "--traffic", *args, env=env, status=(0, 2))
        assert said["exact"]
        asked = [test_explain.random_packet(rng, want, cidrs + others) for _ in range(PACKETS)]
        before = [meet(pod, packet) for packet, _, _ in asked]
        lib.checked(pod.netns.istio_init("--dual-stack", "--reconcile", *args, f"--backend={backend}", env=env))
        assert document(pod.netns, "diff", "--traffic", *args, env=env)["equal"]
        for (packet, words, whence), met in zip(asked, before):
            one = as_packet(words, whence)
            ends = [place(found, packet[1]) for found in classes if packets.holds(found, one)]
            changes = [change for change in said["changes"] if packets.holds(change, one)]
            then = [place(change["to"], packet[1]) for change in changes] or [met]
            becomes = meet(pod, packet)
            different += met != becomes
            if (ends, then) != ([met], [becomes]) or len(changes) > 1:
                wrong.append(f"{' '.join(words + whence)}: met {met}, said {ends}; then met {becomes}, said {then}")
    assert not wrong, "\n".join([f"seed {seed}", shlex.join(live_args), str(live_env), shlex.join(args), str(env), *wrong])
    print(f"{different} of {PACKETS} met something else")
