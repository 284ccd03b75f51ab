# SPDX-License-Identifier: GPL-2.0-or-later
"""Several writers in one namespace."""

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


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_no_foreign_rule_is_lost(netns, backend):
    """The stock tools add rules one by one while our runs replace ours again and again."""
    tool = {"iptables-legacy": "iptables-legacy -w", "iptables-nft": "iptables-nft"}[backend]
    writer = netns.start(["sh", "-c", f"for i in $(seq 60); do {tool} -t nat -A OUTPUT -p tcp --dport $i -j ACCEPT || "
                                      "exit 1; done"])
    for turn in range(20):
        lib.checked(netns.istio_init(*ARGS, "-q", str(1000 + turn % 2), "--reconcile", f"--backend={backend}"))
    assert writer.wait(timeout=60) == 0, writer.stderr.read()
    writer.communicate()
    lib.checked(netns.istio_init("diff", *ARGS, "-q", "1001", f"--backend={backend}"))
    saved = netns.save("ipv4", flavour=backend.removeprefix("iptables-"))
    for port in range(1, 61):
        assert f"-A OUTPUT -p tcp -m tcp --dport {port} -j ACCEPT\n" in saved
