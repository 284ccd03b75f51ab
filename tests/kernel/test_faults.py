# SPDX-License-Identifier: GPL-2.0-or-later
"""All or nothing, whatever system call of an apply fails; and a run that was killed is completed by the next.

make check takes every fifth call; make check-faults (ISTIO_INIT_FAULTS=all) takes all of them.
"""

import collections
import os
import re
import time

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


def nft_objects(text):
    """Chains and sets under their tables, in no order: what is made again comes behind what others have there."""
    return {table.partition("\n")[0]: sorted(re.findall(r"(?ms)^\t\w+ .*?^\t}", table))
            for table in re.split(r"(?m)^(?=table )", text)}


def state(pod):
    """Everything, with counters."""
    return (pod.plumbing(), nft_objects(pod.sh("nft list ruleset")),
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


def another(backend):
    return "nftables" if backend == "iptables-legacy" else "iptables-legacy"


def fill(pod, backend, name):
    if name == "empty":
        return
    if name == "other backend":
        backend = another(backend)
    args = MOST if name in ("other backend", "installed") else ["--sidecar", "-u", "1337", "--ipv6=off"]
    lib.checked(pod.istio_init(*args, f"--backend={backend}"))
    for tool in ("iptables-nft",) if backend != "iptables-legacy" else ("iptables-legacy",):
        pod.sh(f"{tool} -t nat -A OUTPUT -p tcp --dport 9 -j ACCEPT")


@pytest.fixture(params=["empty", "other rules", "other backend"])
def prepare(request, backend):
    return lambda pod: fill(pod, backend, request.param)


def fail_each_call(args, prepare, suffix, every):
    """Lets each call of a run fail in each way that it may; returns how many runs that were."""
    calls, complete = calls_of(args, prepare)
    # A call that says once that there is no raw table, or no zones, cannot be told from a kernel without.
    without_zones = complete if args[0] == "clean" else calls_of([*args, "--dns-zones=off"], prepare)[1]
    turn = 0
    for call, n in sorted(calls.items()):
        for error in ERRORS.get(call, ["EIO"]):
            for when in range(1, n + 1):
                turn += 1
                if turn % every:
                    continue
                with lib.Netns() as pod:
                    prepare(pod)
                    before = state(pod)
                    result = traced(pod, args, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}{suffix}")
                    what = (call, error, when, result.returncode, result.stderr)
                    if result.returncode == 0 and pod.state() not in (complete, without_zones):
                        # Another backend that could not be looked at stays, which is said; the next run moves or removes it.
                        lib.checked(pod.istio_init(*args))
                        assert pod.state() == complete, what
                    elif result.returncode == 0:
                        zones = "without conntrack zones" not in result.stderr
                        assert pod.state() == (complete if zones else without_zones), what
                    else:
                        assert result.returncode in (1, 69, 75, 77), what
                        assert result.stderr or call == "write", what
                        # What is not there any more is said, if it can be said.
                        assert (suffix and "cannot undo" in result.stderr) or state(pod) == before, what
    print(f"{turn // every} runs")
    return turn // every


def test_each_call_may_fail(backend, prepare):
    assert fail_each_call([*MOST, "--reconcile", f"--backend={backend}"], prepare, "", EVERY) > 10


def test_each_call_may_fail_from_then_on(backend, prepare):
    assert fail_each_call([*MOST, "--reconcile", f"--backend={backend}"], prepare, "+", EVERY * EVERY) > 2


@pytest.mark.parametrize("suffix", ["", "+"])
def test_each_call_of_a_clean_may_fail(backend, suffix):
    assert fail_each_call(["clean"], lambda pod: fill(pod, backend, "installed"), suffix, EVERY) > 5


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


@pytest.mark.parametrize("start", ["empty", "other rules"])
def test_without_memory_nothing_is_changed(netns, backend, start):
    """Address space is what can be refused; containers are killed instead, which is the test above."""
    args = ["-b", "*", "-m", "TPROXY", "-i", f"@{netns.dir / 'list'}", "--long-lists=linear", "--reconcile",
            f"--backend={backend}"]
    (netns.dir / "list").write_text("".join(f"10.{i >> 8}.{i & 255}.0/24\n" for i in range(5000)))
    fill(netns, backend, start)
    before, limit, runs = state(netns), 5 << 18, 0  # it does not start with less
    while True:
        result = netns.istio_init(*args, prefix=["prlimit", f"--as={limit}", "--"])
        if result.returncode == 0:
            break
        assert result.returncode == 1 and "emory" in result.stderr, (limit, result.stderr)
        assert state(netns) == before, (limit, result.stderr)
        limit += 600_000 if EVERY > 1 else 40_000
        runs += 1
    assert runs > 5


def test_the_guard_of_a_move_that_is_left_is_named(backend):
    args, calls, left = [*MOST, "--reconcile", f"--backend={backend}"], "sendto,setsockopt", 0
    with lib.Netns() as pod:
        fill(pod, backend, "other backend")
        lib.checked(traced(pod, args, "-e", f"trace={calls}"))
        n = len((pod.dir / "trace").read_text().splitlines())
    for when in range(1, n + 1):
        with lib.Netns() as pod:
            fill(pod, backend, "other backend")
            result = traced(pod, args, "-e", f"trace={calls}", "-e", f"inject={calls}:error=EPERM:when={when}+")
            if "istio-init-move" in pod.sh("nft list tables"):
                left += 1
                assert "cannot undo: table inet istio-init-move may be left" in result.stderr, (when, result.stderr)
    assert left


RIVAL = "table inet istio-proxy-nat { chain rival { tcp dport 7 accept; }; }"


def last_stage(prepare, args):
    """The number of the first message that removes a route, once the rules are written."""
    with lib.Netns() as pod:
        prepare(pod)
        lib.checked(traced(pod, args, "-e", "trace=sendto"))
        sent = (pod.dir / "trace").read_text().splitlines()
        return next(i for i, line in enumerate(sent, 1) if "RTM_DELRULE" in line)


@pytest.mark.backends("nftables")
def test_a_rivals_table_of_the_same_name_stays(netns, backend):
    """It comes between the write and the undo."""
    args = ["--sidecar", "-u", "1337", "--reconcile", f"--backend={backend}"]
    when = last_stage(lambda pod: fill(pod, backend, "installed"), args)
    fill(netns, backend, "installed")
    run = netns.start(["strace", "-qq", "-o", netns.dir / "trace", "-e", "trace=sendto", "-e",
                       f"inject=sendto:error=ENOBUFS:delay_enter=2000000:when={when}", lib.BINARY, *args])
    for _ in range(200):
        if "tproxy" not in netns.sh("nft list ruleset"):
            break
        time.sleep(0.01)
    lib.checked(netns.run(["nft", "-f", "-"], input="delete table inet istio-proxy-nat\n" + RIVAL))
    _, stderr = run.communicate(timeout=30)
    assert run.returncode == 1, stderr
    assert "another program has written table inet istio-proxy-nat since; it was left as it is" in stderr
    assert "tcp dport 7 accept" in netns.sh("nft list table inet istio-proxy-nat")
    # The others are back.
    assert "tproxy" in netns.sh("nft list table inet istio-proxy-mangle")


def test_a_log_at_the_limit_of_a_files_size_ends_no_run(netns, backend):
    (netns.dir / "log").write_bytes(b"x" * 4096)
    lib.checked(netns.istio_init(*MOST, f"--backend={backend}", f"--log_target={netns.dir / 'log'}",
                                 prefix=["prlimit", "--fsize=4096", "--"]))
    assert netns.has_istio("ipv4")
