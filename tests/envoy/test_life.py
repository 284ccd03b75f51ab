# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules and Envoy come, change and go while requests are on their way, in both directions at once."""

import contextlib
import socket
import time

import pytest

import app
import lib
import mesh as parts
from mesh import Mesh

TURNS = 5


@contextlib.contextmanager
def both_ways(mesh, family):
    """Load in both directions inside; the dictionaries are filled after it."""
    with mesh.load(mesh.pod, parts.THEIRS[family]) as outbound, mesh.load(mesh.peer, parts.MINE[family]) as inbound:
        time.sleep(0.3)
        yield outbound, inbound
        time.sleep(0.3)


def untouched(outbound, inbound):
    """No request has failed, each has gone through Envoy once, and there were some."""
    for result, direction in (outbound, "outbound"), (inbound, "inbound"):
        assert result["failed"] == []
        assert result["requests"] >= 20 and result["passes"] == {direction: result["requests"]}


def test_equal_runs(mesh, family):
    with both_ways(mesh, family) as results:
        for _ in range(TURNS):
            assert "unchanged" in mesh.apply()
    untouched(*results)


def test_rewritten(mesh, family):
    with both_ways(mesh, family) as results:
        for _ in range(TURNS):
            assert "applied" in mesh.apply("--force-apply")
    untouched(*results)


def test_reconcile(mesh, family):
    """An exclusion more and one less: the path of the requests stays."""
    with both_ways(mesh, family) as results:
        for _ in range(TURNS):
            assert "applied" in mesh.apply("--reconcile", "-q", "81")
            assert "applied" in mesh.apply("--reconcile")
    untouched(*results)


def test_another_backend(mesh):
    other = next(name for name in [*lib.BACKENDS[1:], lib.BACKENDS[0]] if name != mesh.backend)
    with both_ways(mesh, "ipv4") as results:
        for _ in range(TURNS):
            assert other in mesh.apply("--reconcile", f"--backend={other}")
            assert mesh.backend in mesh.apply("--reconcile")
    untouched(*results)


@pytest.fixture
def own(backend, mode):
    with Mesh(backend, mode) as one:
        one.apply()
        yield one


def test_clean_and_apply(own):
    """Connections that are open when the rules go or come may break, each but once; all new ones go the new way."""
    for command, passes in (["clean"], ["", ""]), (own.args(), ["outbound", "inbound"]):
        with both_ways(own, "ipv4") as results:
            lib.checked(own.pod.istio_init(*command))
            for family in lib.FAMILIES:
                assert own.get(own.pod, parts.THEIRS[family])["passes"] == passes[0]
                assert own.get(own.peer, parts.MINE[family])["passes"] == passes[1]
        for result, direction in zip(results, ("outbound", "inbound")):
            assert len(result["failed"]) <= parts.WORKERS
            assert result["requests"] and set(result["passes"]) <= {direction, ""}


def refused(own, netns, address):
    """Nobody gets through where Envoy is not: REDIRECT refuses, TPROXY inbound drops."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with netns.socket(family, socket.SOCK_STREAM, parts.USER, parts.USER) as client:
        client.settimeout(1.5)
        drops = own.mode == "TPROXY" and netns is own.peer
        with pytest.raises(TimeoutError if drops else ConnectionRefusedError):
            client.connect((address, app.HTTP))


def test_envoy_killed(own, family):
    """What is captured fails while it is away, what is excluded goes on, and all is well when it is back."""
    ways = (own.pod, parts.THEIRS[family], "outbound"), (own.peer, parts.MINE[family], "inbound")
    with own.load(own.pod, parts.THEIRS[family]) as outbound, own.load(own.peer, parts.MINE[family]) as inbound:
        time.sleep(0.3)
        own.kill_envoy()
        for netns, address, _ in ways:
            refused(own, netns, address)
            assert own.get(netns, address, app.EXCLUDED)["passes"] == ""
        own.start_envoy()
        for netns, address, direction in ways:
            assert own.get(netns, address)["passes"] == direction
    for result, direction in (outbound, "outbound"), (inbound, "inbound"):
        # Some failed; none of those that did not has slipped by.
        assert set(result["passes"]) == {direction}
        assert result["failed"]
