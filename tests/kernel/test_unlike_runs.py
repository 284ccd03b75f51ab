# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs at once that want different things, with no lock file in common: the end is exactly that of one of them.

make check draws a few of them; make check-faults (ISTIO_INIT_FAULTS=all) 1,000.
"""

import fcntl
import functools
import os
import pathlib
import random
import re
import subprocess
import time

import lib
import pytest

DRAWN = 1000 if os.environ.get("ISTIO_INIT_FAULTS") == "all" else 60
WANTS = {
    "tproxy": ["--sidecar", "-m", "TPROXY"],
    "redirect": ["--sidecar", "--reconcile"],
    "other": ["--sidecar", "-m", "TPROXY", "-t", "77", "-r", "177", "--reconcile"],
    "clean": ["clean"],
}


def command(want, backend):
    return [*WANTS[want], *([] if want == "clean" else [f"--backend={backend}"]), "--wait=60s"]


@functools.lru_cache(maxsize=None)
def alone(want, backend):
    """What it leaves in an empty namespace, and the system calls that it makes: [(name, which one of that name)]."""
    with lib.Netns() as pod:
        lib.checked(pod.istio_init(*command(want, backend), prefix=["strace", "-qq", "-o", pod.dir / "trace"]))
        calls, seen = [], {}
        for name in re.findall(r"(?m)^(\w+)\(", (pod.dir / "trace").read_text()):
            seen[name] = seen.get(name, 0) + 1
            calls.append((name, seen[name]))
        # Not the start and the end of the process.
        return pod.state(), [call for call in calls if call[0] not in ("execve", "exit_group")]


def start(pod, outside, number, words, prefix, cni):
    """In the pod, or as a CNI plugin: from the node, into the path; each with a lock file of its own."""
    env = {"XTABLES_LOCKFILE": str(pod.dir / f"lock{number}")}
    path = [f"--network-namespace={pod.path}"] if cni else []
    return (outside if cni else pod).start([*prefix, lib.BINARY, *words, *path], env=env)


@pytest.mark.parametrize("seed", range(DRAWN))
def test_the_end_is_that_of_one_of_them(netns, seed):
    draw = random.Random(seed)
    backend = lib.BACKENDS[seed % len(lib.BACKENDS)]
    wants = draw.choices(list(WANTS), k=draw.choice([2, 4]))
    late = draw.randrange(len(wants))
    call, when = draw.choice(alone(wants[late], backend)[1])
    delay = ["strace", "-qq", "-o", netns.dir / "trace", "-e",
             f"inject={call}:delay_enter={draw.randrange(5, 100)}ms:when={when}"]
    with lib.Netns() as outside:
        runs = [start(netns, outside, number, command(want, backend), delay if number == late else [], draw.random() < 0.3)
                for number, want in enumerate(wants)]
        ends = [(run.communicate(timeout=60)[1], run.returncode) for run in runs]
        assert not outside.has_istio("ipv4")
    what = (backend, wants, late, call, when, ends)
    for want, (text, status) in zip(wants, ends):
        assert status == 0 or (status == 1 and want == "tproxy" and "--reconcile" in text), what
    assert netns.state() in [alone(want, backend)[0] for want in set(wants)], what


def full_pipe():
    """A pipe that takes nothing any more."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b" " * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_who_does_not_read_what_is_printed_holds_nobody_up(netns, backend, stream):
    """A refusal's diff, and a warning that comes while the lock is held: both are said when it is free again."""
    netns.ip("addr add 10.0.0.2/32 dev lo")
    netns.ip("addr add fd00::2/128 dev lo")
    args = ["--sidecar", f"--backend={backend}"]
    if stream == "stdout":
        lib.checked(netns.istio_init(*args))
        args += ["-p", "16001"]
    reader, writer = full_pipe()
    ends = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: writer}
    run = subprocess.Popen(netns.command([lib.BINARY, *args]), env={"PATH": lib.PATH, **netns.env()}, **ends)
    try:
        os.close(writer)
        deadline = time.monotonic() + 20
        while "pipe_write" not in pathlib.Path(f"/proc/{run.pid}/wchan").read_text():
            assert time.monotonic() < deadline and run.poll() is None
            time.sleep(0.01)
        for path in netns.path, netns.lock:
            with open(path, encoding="ascii") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert netns.has_istio("ipv4")
        lib.checked(netns.istio_init("clean", "--wait=0"))
        assert run.poll() is None
    finally:
        os.close(reader)
        run.communicate(timeout=20)


def test_nothing_is_printed_while_a_lock_is_held(netns, backend):
    netns.istio_init("--sidecar", f"--backend={backend}")
    result = netns.istio_init("--sidecar", "-p", "16001", f"--backend={backend}", "--log_output_level=debug",
                              env={"XTABLES_LOCKFILE": "/nonexistent/lock"},
                              prefix=["strace", "-qq", "-s", "99", "-o", netns.dir / "trace", "-e",
                                      "trace=flock,close,write,writev"])
    assert result.returncode == 1 and "going on without the lock /nonexistent/lock" in result.stderr
    calls = (netns.dir / "trace").read_text().splitlines()
    locked = next(i for i, call in enumerate(calls) if call.startswith("flock("))
    fd = re.match(r"flock\((\d+)", calls[locked])[1]
    free = next(i for i, call in enumerate(calls) if i > locked and call.startswith(f"close({fd})"))
    written = [i for i, call in enumerate(calls) if call.startswith("write")]
    assert not [i for i in written if locked < i < free]
    assert [i for i in written if i > free and "without the lock" in calls[i]]
