# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP connections that are open when the first rules come, with --keep-connections and without."""

import contextlib
import select
import socket
import time

import lib
import pytest
from pod import PEER, PEER6, POD, POD6, VM, VM6, Pod

MODES = ["REDIRECT", "TPROXY"]
# Before the rules come conntrack sees the connections, as a filter asks for it; or nobody does.
TRACKED = {"tracked": "nft add table inet filter; nft add chain inet filter input '{ type filter hook input priority 0; }'; "
                      "nft add rule inet filter input ct state invalid drop", "untracked": ""}


class Connection:
    """One from @origin to an application at @addr, over which @first is the first to speak from now on."""

    def __init__(self, pod, origin, addr, first):
        place = {POD: pod.netns, POD6: pod.netns, PEER: pod.peer, PEER6: pod.peer, VM: pod.vm, VM6: pod.vm}[addr]
        family = socket.AF_INET6 if ":" in addr else socket.AF_INET
        self.name = f"{origin} to {addr}, {first} first"
        with place.socket(family, socket.SOCK_STREAM, 1000, 1000) as listener:
            listener.bind((addr, 0))
            listener.listen()
            client = {"pod": pod.netns, "peer": pod.peer, "vm": pod.vm}[origin].socket(family, socket.SOCK_STREAM, 1000, 1000)
            client.connect(listener.getsockname())
            self.ends = [client, listener.accept()[0]]
        if first == "server":
            self.ends.reverse()


@contextlib.contextmanager
def connections(pod, ways):
    """Both kinds of each way: busy ones, and those over which nothing has been said yet."""
    opened = [Connection(pod, origin, addr, first) for origin, *addrs in ways for addr in addrs
              for first in ("client", "server") for _ in ("busy", "idle")]
    names = [connection.name for connection in opened]
    try:
        assert alive(opened[::2]) == names[::2]
        yield opened, names
    finally:
        for connection in opened:
            for end in connection.ends:
                end.close()


def alive(opened):
    """The names of those over which each end hears what the other says."""
    for speaker in 0, 1:
        waiting = {}
        for connection in opened:
            with contextlib.suppress(OSError):
                connection.ends[speaker].sendall(b"word")
                waiting[connection.ends[not speaker]] = connection
        opened, deadline = [], time.monotonic() + 2
        while waiting and (ready := select.select(waiting, [], [], max(0, deadline - time.monotonic()))[0]):
            for sock in ready:
                connection = waiting.pop(sock)
                with contextlib.suppress(OSError):
                    opened += [connection] if sock.recv(100) == b"word" else []
    return [connection.name for connection in opened]


OWN = [("pod", PEER, PEER6), ("peer", POD, POD6)]
FORWARDED = [("vm", PEER, PEER6), ("peer", VM, VM6)]


def run(pod, backend, mode, *words):
    return pod.netns.istio_init(*words, "--sidecar", "--dual-stack", "-u", "1337", "-m", mode, f"--backend={backend}")


def check_captured(pod):
    """New connections."""
    for peer, own in (PEER, POD), (PEER6, POD6):
        assert pod.connect("pod", peer, 80) == ("proxy", (peer, 80))
        assert pod.connect("peer", own, 8080) == ("inbound", (own, 8080))


@pytest.mark.parametrize("tracked", TRACKED)
@pytest.mark.parametrize("mode", MODES)
def test_they_go_on(backend, mode, tracked):
    with Pod() as pod:
        pod.netns.sh(TRACKED[tracked])
        ways = OWN if mode == "TPROXY" else OWN + FORWARDED
        with connections(pod, ways) as (opened, names), connections(pod, ways) as (asleep, _):
            lib.checked(run(pod, backend, mode, "--keep-connections"))
            assert sorted(alive(opened)) == sorted(names)
            check_captured(pod)
            before = pod.netns.state()
            lib.checked(run(pod, backend, mode, "--keep-connections"))
            assert pod.netns.state() == before
            lib.checked(run(pod, backend, mode, "diff", "--keep-connections"))
            # Those of which conntrack has seen nothing yet, under other rules of the option.
            lib.checked(run(pod, backend, mode, "--keep-connections", "--reconcile", "-o", "9"))
            assert sorted(alive(asleep)) == sorted(names)
            # What it knows by now needs the option no more.
            lib.checked(run(pod, backend, mode, "--reconcile"))
            assert "syn" not in lib.checked(pod.netns.istio_init("show")).lower()
            check_captured(pod)
            assert sorted(alive(opened)) == sorted(names)
            lib.checked(pod.netns.istio_init("clean"))
            assert sorted(alive(opened)) == sorted(names)
            assert not pod.netns.has_istio("ipv4") and not pod.netns.has_istio("ipv6")


@pytest.mark.parametrize("tracked", TRACKED)
@pytest.mark.parametrize("mode", MODES)
def test_without_the_option(backend, mode, tracked):
    """What the manual says: they end where conntrack has not seen them."""
    with Pod() as pod:
        pod.netns.sh(TRACKED[tracked])
        with connections(pod, OWN) as (opened, names):
            lib.checked(run(pod, backend, mode))
            assert sorted(alive(opened)) == (sorted(names) if tracked == "tracked" else [])
            check_captured(pod)


def test_forwarded_in_tproxy_mode(backend):
    """As the manual says: what the pod only forwards is cut."""
    with Pod() as pod, connections(pod, FORWARDED) as (opened, _):
        lib.checked(run(pod, backend, "TPROXY", "--keep-connections"))
        assert not alive(opened)
