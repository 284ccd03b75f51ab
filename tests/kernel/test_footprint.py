# SPDX-License-Identifier: GPL-2.0-or-later
"""The memory that long lists take, and what is said where a container's limit is too small for them.

tests/bench/memory measures what README's table says, the kernel's part included.
"""

import re
import sys

import lib
import pytest

# In front of a program: prints the most memory that it had, in KiB.  A child begins with its parent's, so that is small.
PEAK = [sys.executable, "-SIc", """import os, resource, sys
status = os.spawnv(os.P_WAIT, sys.argv[1], sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)"""]
# Of 60,000 CIDRs, in MiB: a first apply; other CIDRs in their place.
FIRST = {"nftables": 12, "iptables-nft": 32, "iptables-legacy": 44}
OTHER = {"nftables": 16, "iptables-nft": 84, "iptables-legacy": 78}
SIDECAR = ["--sidecar", "--resolv-conf=/dev/null"]
MIB = 1 << 20


def scattered(path, n, length=24):
    path.write_text("".join(f"{1 + i % 223}.{i // 223 % 256}.{(i * 11 + i // 57_088) % 256}.0/{length}\n" for i in range(n)))
    return path


def test_the_programs_part(netns, backend):
    for length, limit in (24, FIRST), (25, OTHER):
        path = scattered(netns.dir / "cidrs", 60_000, length)
        args = [*SIDECAR, f"-x@{path}", f"--backend={backend}", "--reconcile"]
        assert int(lib.checked(netns.istio_init(*args, prefix=PEAK))) / 1024 < limit[backend]


def with_limit(netns, limit, *args, file="memory.max", prefix=()):
    """An apply in a container whose cgroup has that limit."""
    cgroup = netns.dir / "cgroup"
    (cgroup / file).parent.mkdir(parents=True, exist_ok=True)
    (cgroup / file).write_text(f"{limit}\n")
    script = f'mount --bind {cgroup} /sys/fs/cgroup; exec "$@"'
    return netns.istio_init(*SIDECAR, *args, prefix=["unshare", "-m", "sh", "-ec", script, "sh", *prefix])


def limited(netns, n, limit, *args, **kwargs):
    """What it warns of."""
    result = with_limit(netns, limit, f"-x@{scattered(netns.dir / 'cidrs', n)}", *args, **kwargs)
    assert result.returncode == 0, result.stderr
    return [line for line in result.stderr.splitlines() if ": warn: " in line]


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_what_takes_too_much_to_compare_is_different(netns, backend):
    """Rather than that the kernel kills what asks whether linear rules mean the same as a tree."""
    words = [f"-x@{scattered(netns.dir / 'cidrs', 4000)}", f"--backend={backend}"]
    lib.checked(netns.istio_init(*SIDECAR, *words, "--long-lists=linear"))
    small = with_limit(netns, 16 * MIB, *words, prefix=PEAK)
    assert small.returncode == 1 and "--reconcile" in small.stderr and int(small.stdout.splitlines()[-1]) < 16 << 10
    assert "what is live means the same" in with_limit(netns, 64 * MIB, *words).stderr


@pytest.mark.parametrize("file", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_limit_that_is_too_small(netns, backend, file):
    line, = limited(netns, 3000, 2 * MIB, f"--backend={backend}", file=file)
    assert re.search(rf": 3000 CIDRs take some [3-9]\d* MiB of memory on {backend}, .* limit is 2 MiB: .* 137", line)


@pytest.mark.parametrize("limit", ["max", 9223372036854771712, 1 << 30, ""])
def test_a_limit_that_will_do(netns, backend, limit):
    assert not limited(netns, 3000, limit, f"--backend={backend}")


def test_a_short_list_is_no_question(netns, backend):
    assert not limited(netns, 1000, 1, f"--backend={backend}")


def test_the_backend_that_is_chosen_counts(netns):
    assert not limited(netns, 10_000, 8 * MIB)
    assert "on iptables-legacy, " in limited(netns, 10_000, 8 * MIB, "--backend=iptables-legacy", "--reconcile")[0]


def test_it_is_said_before_the_kernel_takes_memory(netns, backend):
    """The log is held back under the lock, but who is killed for memory writes no more."""
    trace = netns.dir / "trace"
    limited(netns, 3000, 2 * MIB, f"--backend={backend}",
            prefix=["strace", "-qq", "-o", trace, "-e", "trace=write,sendto,setsockopt", "-s", "200"])
    calls = trace.read_text().splitlines()
    said, = (i for i, call in enumerate(calls) if "limit is 2 MiB" in call)
    assert said < min(i for i, call in enumerate(calls) if "_SET_REPLACE" in call or "NFNL_MSG_BATCH_BEGIN" in call)


def test_counters_of_iptables_nft_are_kept_for_each_cpu(netns):
    cpus = netns.dir / "cpus"
    for text, need in ("0\n", 5), ("0-127\n", 12), ("0,2-127\n", 12):
        cpus.write_text(text)
        script = f'mount --bind {cpus} /sys/devices/system/cpu/possible; exec "$@"'
        line, = limited(netns, 3000, 2 * MIB, "--backend=iptables-nft", prefix=["sh", "-ec", script, "sh"])
        assert f"take some {need} MiB" in line
