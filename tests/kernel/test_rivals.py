# SPDX-License-Identifier: GPL-2.0-or-later
"""Several writers in one namespace: ours, and ours and the stock tools."""

import fcntl
import re
import time

import lib
import pytest

ARGS = ["-m", "TPROXY", "-b", "*", "-i", "*", "-u", "1337", "--wait=60s"]


def test_fifty_runs_at_once(netns, backend):
    args = [*ARGS, f"--backend={backend}"]
    with lib.Netns() as fresh:
        lib.checked(fresh.istio_init(*args))
        complete = fresh.state()
    command = " ".join(["'*'" if word == "*" else word for word in args])
    out = netns.sh(f"for i in $(seq 50); do {lib.BINARY} {command} 2>/dev/null & pids=\"$pids $!\"; done; "
                   "for pid in $pids; do wait $pid && echo done; done")
    assert out.count("done") == 50
    assert netns.state() == complete


@pytest.mark.parametrize("turn", range(5))
def test_runs_at_once_of_different_backends_leave_rules_in_one(netns, turn):
    """Each chooses under the lock: all but the first see the rules that are there, and are refused."""
    runs = [netns.start([lib.BINARY, "--sidecar", f"--backend={name}"]) for name in lib.BACKENDS * 2]
    out = [(run.communicate(timeout=30)[1], run.returncode) for run in runs]
    done = {name for name, (_, status) in zip(lib.BACKENDS * 2, out) if status == 0}
    assert len(done) == 1 and {status for _, status in out} <= {0, 1}, out
    assert all("holds Istio rules in this network namespace already" in text for text, status in out if status)
    assert lib.checked(netns.istio_init("diff", "--sidecar", f"--backend={done.pop()}")) == ""


@pytest.mark.parametrize("turn", range(5))
def test_runs_at_once_that_move_the_rules_leave_them_in_one(netns, turn):
    commands = [["--sidecar", "--reconcile", f"--backend={name}"] for name in lib.BACKENDS * 2]
    runs = [netns.start([lib.BINARY, *command]) for command in commands]
    out = [(run.communicate(timeout=30)[1], run.returncode) for run in runs]
    assert [status for _, status in out] == [0] * len(runs), out
    # It fails where several backends hold rules.
    assert lib.checked(netns.istio_init("diff", "--sidecar")) == ""


@pytest.mark.parametrize("other", [["-b", "80", "--reconcile", "--backend=nftables"], ["clean"]])
def test_unlike_runs_at_once_end_as_one_of_them(netns, backend, other):
    """What a run decides upon, it reads when the lock is its own: all of them start while it is taken."""
    commands = [[*ARGS, "--reconcile", f"--backend={backend}"], other]
    states = []
    for command in commands:
        with lib.Netns() as alone:
            lib.checked(alone.istio_init(*command))
            states.append(alone.state())
    with open(netns.lock, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = [netns.start([lib.BINARY, *command]) for command in commands * 2]
        time.sleep(0.2)
    assert [(run.communicate(timeout=10), run.returncode)[1] for run in started] == [0] * 4
    assert netns.state() in states


# Our backend, and who else writes.
WRITERS = [
    ("iptables-legacy", "iptables-legacy", "iptables-legacy -w -t nat"),
    ("iptables-legacy", "ip6tables-legacy", "ip6tables-legacy -w -t nat"),
    ("iptables-nft", "iptables-nft", "iptables-nft -t nat"),
    ("iptables-nft", "ip6tables-nft", "ip6tables-nft -t nat"),
    ("nftables", "iptables-nft", "iptables-nft -t nat"),
    ("nftables", "iptables-legacy", "iptables-legacy -w -t nat"),
]
# The stock tools of nf_tables give up when our change comes between: then nothing was written, and they do it again.
WRITER = """
for i in $(seq 60); do
    until TOOL -A OUTPUT -p tcp --dport $i -j ACCEPT; do MAYBE; done
    [ $((i % 2)) = 1 ] || until TOOL -D OUTPUT -p tcp --dport $((i - 1)) -j ACCEPT; do MAYBE; done
done"""


@pytest.mark.parametrize("name, tool, command", [case for case in WRITERS if case[0] in lib.BACKENDS])
def test_no_foreign_rule_is_lost_and_none_comes_back(netns, name, tool, command):
    """The stock tools add and delete rules one by one while our runs replace and clean ours again and again."""
    script = WRITER.replace("TOOL", command).replace("MAYBE", "exit 1" if "legacy" in tool else ":")
    writer = netns.start(["sh", "-c", script])
    turns = 0
    while writer.poll() is None and turns < 2000:
        change = ["clean"] if turns % 3 == 2 else [*ARGS, "-q", str(1000 + turns % 2), "--reconcile"]
        lib.checked(netns.istio_init(*change, f"--backend={name}"))
        turns += 1
    assert writer.wait(timeout=60) == 0, writer.stderr.read()
    writer.communicate()
    assert turns > 5
    lib.checked(netns.istio_init(*ARGS, "-q", "1001", "--reconcile", f"--backend={name}"))
    lib.checked(netns.istio_init("diff", *ARGS, "-q", "1001", f"--backend={name}"))
    saved = netns.save("ipv6" if tool.startswith("ip6") else "ipv4", flavour=tool.rpartition("-")[2])
    foreign = re.findall(r"(?m)^-A OUTPUT -p tcp -m tcp --dport (\d+) -j ACCEPT$", saved)
    assert foreign == [str(port) for port in range(2, 61, 2)]
