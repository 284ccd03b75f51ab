# SPDX-License-Identifier: GPL-2.0-or-later
"""All or nothing, whatever system call of an apply fails; and a run that was killed is completed by the next.

make check takes every fifth call; make check-faults (ISTIO_INIT_FAULTS=all) takes all of them.
"""

import collections
import os
import re

import lib
import pytest

MOST = ["-m", "TPROXY", "-b", "*", "-i", "*", "-u", "1337", "--redirect-dns", "--capture-all-dns", "--drop-invalid"]
EVERY = 1 if os.environ.get("ISTIO_INIT_FAULTS") == "all" else 5
# Errors that the calls may really return; others get EIO.
ERRORS = {
    "bind": ["ENOMEM"], "brk": ["ENOMEM"], "capget": ["EPERM"], "capset": ["EPERM"], "fcntl": ["EBADF"],
    "flock": ["EWOULDBLOCK", "ENOLCK"], "getsockname": ["ENOBUFS"], "getsockopt": ["EPERM", "EAGAIN", "ENOENT"],
    "open": ["EACCES", "ENOENT", "EMFILE"], "recvfrom": ["ENOBUFS"], "recvmsg": ["ENOBUFS", "EINTR"],
    "sendmsg": ["ENOBUFS"], "sendto": ["ENOBUFS", "EPERM"], "setsockopt": ["ENOMEM", "EAGAIN"],
    "socket": ["EPERM", "EMFILE"], "write": ["EPIPE"],
}
# The kernel's own business, and the start of the program.
LEFT_OUT = {"arch_prctl", "execve", "exit_group", "set_tid_address"}


def state(pod):
    """Everything, with counters, but what the kernel adds to an address a moment later and the queue that lo keeps."""
    text = pod.sh("ip addr; ip -4 rule; ip -6 rule; ip route show table all; ip -6 route show table all; nft list ruleset")
    return (re.sub(r"(?m)^.*local ::6 dev lo .*\n|qdisc \w+ ", "", text),
            [lib.tables(pod.save(family, counters=True)) for family in lib.FAMILIES])


def traced(pod, args, *options):
    return pod.istio_init(*args, "--wait=200ms", prefix=["strace", "-qq", "-o", pod.dir / "trace", *options])


def calls_of(args, prepare):
    """How often a run makes each system call, and the state that it leaves."""
    with lib.Netns() as pod:
        prepare(pod)
        lib.checked(traced(pod, args))
        counts = collections.Counter(re.findall(r"(?m)^(\w+)\(", (pod.dir / "trace").read_text()))
        return {call: n for call, n in counts.items() if call not in LEFT_OUT}, pod.state()


@pytest.fixture(params=["empty", "other rules"])
def prepare(request, backend):
    def fill(pod):
        if request.param == "empty":
            return
        lib.checked(pod.istio_init("--sidecar", "-u", "1337", "--ipv6=off", f"--backend={backend}"))
        for tool in ("iptables-nft",) if backend != "iptables-legacy" else ("iptables-legacy",):
            pod.sh(f"{tool} -t nat -A OUTPUT -p tcp --dport 9 -j ACCEPT")
    return fill


def test_each_call_may_fail(backend, prepare):
    args = [*MOST, "--reconcile", f"--backend={backend}"]
    calls, complete = calls_of(args, prepare)
    # A call that says once that there is no raw table, or no zones, cannot be told from a kernel without.
    _, without_zones = calls_of([*args, "--dns-zones=off"], prepare)
    turn = 0
    for call, n in sorted(calls.items()):
        for error in ERRORS.get(call, ["EIO"]):
            for when in range(1, n + 1):
                turn += 1
                if turn % EVERY:
                    continue
                with lib.Netns() as pod:
                    prepare(pod)
                    before = state(pod)
                    result = traced(pod, args, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}")
                    what = (call, error, when, result.returncode, result.stderr)
                    if result.returncode == 0:
                        zones = "without conntrack zones" not in result.stderr
                        assert pod.state() == (complete if zones else without_zones), what
                    else:
                        assert result.returncode in (1, 69, 75, 77), what
                        assert result.stderr or call == "write", what
                        assert state(pod) == before, what
    assert turn > 50


def test_killed_at_any_call_the_next_run_completes(backend, prepare):
    args = [*MOST, "--reconcile", f"--backend={backend}"]
    calls, complete = calls_of(args, prepare)
    turn = 0
    for call, n in sorted(calls.items()):
        for when in range(1, n + 1):
            turn += 1
            if turn % EVERY:
                continue
            with lib.Netns() as pod:
                prepare(pod)
                traced(pod, args, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={when}")
                lib.checked(pod.istio_init(*args))
                assert pod.state() == complete, (call, when)
    assert turn > 30


@pytest.mark.backends("nftables", "iptables-nft")
def test_without_memory_nothing_is_changed(netns, backend):
    """Address space is what can be refused; containers are killed instead, which is the test above."""
    args = ["-b", "*", "-m", "TPROXY", "-i", f"@{netns.dir / 'list'}", "--long-lists=linear", f"--backend={backend}"]
    (netns.dir / "list").write_text("".join(f"10.{i >> 8}.{i & 255}.0/24\n" for i in range(5000)))
    before = netns.state()
    for limit in range(1 << 20, 1 << 25, 600_000):
        result = netns.istio_init(*args, prefix=["prlimit", f"--as={limit}", "--"])
        if result.returncode == 0:
            break
        assert (result.returncode, result.stderr.count("\n")) == (1, 1) and "out of memory" in result.stderr, limit
        assert netns.state() == before
    assert result.returncode == 0 and limit > 1 << 20
