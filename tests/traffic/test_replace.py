# SPDX-License-Identifier: GPL-2.0-or-later
"""While rules are replaced, no connection reaches the wrong place or fails."""

import lib
import pytest
from pod import SERVICE, SERVICE6, Pod

TURNS = 40


def replace_under_traffic(runs):
    """Starts each of the argument lists in turn, again and again, and opens connections all the while."""
    with Pod() as pod:
        lib.checked(pod.netns.istio_init("--sidecar", "--dual-stack", "-u", "1337", *runs[-1]))
        commands = "; ".join(f"{lib.BINARY} --sidecar --dual-stack -u 1337 --reconcile {' '.join(run)} || exit 1" for run in runs)
        writer = pod.netns.start(["sh", "-c", f"for i in $(seq {TURNS}); do {commands}; done"])
        opened = 0
        while writer.poll() is None:
            for addr in SERVICE, SERVICE6:
                assert pod.connect("pod", addr, 80) == ("proxy", (addr, 80)), opened
                opened += 1
        assert writer.returncode == 0, writer.communicate()[1]
        writer.communicate()
    assert opened > TURNS


def test_other_options(backend):
    replace_under_traffic([["-q", "81", f"--backend={backend}"], ["-q", "82", f"--backend={backend}"]])


@pytest.mark.parametrize("other", ["iptables-legacy", "iptables-nft"])
def test_another_backend(other):
    replace_under_traffic([["--backend=nftables"], [f"--backend={other}"]])
