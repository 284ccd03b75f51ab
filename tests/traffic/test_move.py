# SPDX-License-Identifier: GPL-2.0-or-later
"""A move from one backend to another loses no connection: client, transparent proxy and application all the while."""

import contextlib
import itertools
import os
import socket
import threading

import lib
import pytest
from pod import IP_TRANSPARENT, IPV6_TRANSPARENT, POD, POD6, SO_MARK, Pod, original_destination

MARK = 1337
PORT = 8080
PATIENCE = 4.0
TURNS = int(os.environ.get("ISTIO_INIT_MOVES", "15"))
FAMILIES = {socket.AF_INET: (POD, "127.0.0.6"), socket.AF_INET6: (POD6, "::6")}


def set_transparent(sock):
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    else:
        sock.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)


class World:
    """A pod under a proxy that hands everything on to its application, as Envoy does, and clients that never pause."""

    def __init__(self, pod, mode):
        self.pod, self.mode = pod, mode
        self.ended, self.unused = threading.Event(), threading.Event()
        self.done, self.lost, self.sockets, self.threads = 0, [], [], []
        pod.stop(15006)
        for family in FAMILIES:
            self.serve(family, 15006, 1337, self.relay)
            self.serve(family, PORT, 1000, self.echo)

    def serve(self, family, port, owner, answer):
        sock = self.pod.netns.socket(family, socket.SOCK_STREAM, uid=owner, gid=owner)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if port != PORT:
            set_transparent(sock)
        sock.bind(("", port))
        sock.listen(128)
        sock.settimeout(0.1)
        self.sockets.append(sock)

        def accept():
            while not self.unused.is_set():
                with contextlib.suppress(TimeoutError):
                    connection = sock.accept()[0]
                    connection.settimeout(PATIENCE)
                    self.start(self.guard, answer, connection)

        self.threads.append(self.start(accept))

    @staticmethod
    def start(function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        thread.start()
        return thread

    @staticmethod
    def guard(answer, connection):
        # What fails here the client sees.
        with connection, contextlib.suppress(OSError):
            answer(connection)

    @staticmethod
    def echo(connection):
        connection.sendall(connection.recv(100))

    def relay(self, connection):
        """On to the application: from the client's address in TPROXY mode, else from the one that is never captured."""
        family = connection.family
        address = original_destination(connection)
        # In TPROXY mode it is root, known by its group.
        uid = 0 if self.mode == "TPROXY" else 1337
        with self.pod.netns.socket(family, socket.SOCK_STREAM, uid=uid, gid=1337) as onward:
            onward.settimeout(PATIENCE)
            if self.mode == "TPROXY":
                set_transparent(onward)
                onward.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
                onward.bind((connection.getpeername()[0], 0))
            else:
                onward.bind((FAMILIES[family][1], 0))
            onward.connect(address)
            onward.sendall(connection.recv(100))
            connection.sendall(b"proxied " + onward.recv(100))

    def client(self, family):
        address = (FAMILIES[family][0], PORT)
        while not self.ended.is_set():
            with self.pod.peer.socket(family, socket.SOCK_STREAM, uid=1000, gid=1000) as sock:
                sock.settimeout(PATIENCE)
                try:
                    sock.connect(address)
                    sock.sendall(b"hello")
                    got = sock.recv(100)
                except OSError as error:
                    got = repr(error)
            self.done += 1
            if got != b"proxied hello":
                self.lost.append((address[0], got))

    def __enter__(self):
        self.clients = [self.start(self.client, family) for family in FAMILIES for _ in range(3)]
        return self

    def __exit__(self, *exc):
        for event, threads in (self.ended, self.clients), (self.unused, self.threads):
            event.set()
            for thread in threads:
                thread.join()
        for sock in self.sockets:
            sock.close()


@pytest.mark.parametrize("mode", ["REDIRECT", "TPROXY"])
@pytest.mark.parametrize("pair", itertools.combinations(lib.BACKENDS, 2), ids="-".join)
def test_no_connection_is_lost(pair, mode):
    args = ["--sidecar", "--dual-stack", "-u", "1337", "-m", mode, "--reconcile"]
    with Pod() as pod:
        lib.checked(pod.netns.istio_init(*args, f"--backend={pair[0]}"))
        with World(pod, mode) as world:
            for _ in range(TURNS):
                for backend in reversed(pair):
                    lib.checked(pod.netns.istio_init(*args, f"--backend={backend}"))
        assert not world.lost, f"{len(world.lost)} of {world.done}: {world.lost[:5]}"
        assert world.done > 2 * TURNS


def cut_off(netns, args):
    """Kills the run where a legacy table is replaced: it sets options of its sockets before, one or another."""
    for call in range(1, 10):
        netns.istio_init(*args, prefix=["strace", "-qq", "-o", "/dev/null", "-e", "trace=setsockopt",
                                        "-e", f"inject=setsockopt:signal=KILL:when={call}"])
        if "istio-init-move" in netns.sh("nft list tables"):
            return
    raise AssertionError("no run was cut off behind the guard")


def test_a_move_that_was_cut_off_leaves_nothing_for_good(netns):
    """The guard of the move is there, whatever else: the next run, or a clean, takes it away."""
    args = ["--sidecar", "-u", "1337", "-m", "TPROXY", "--reconcile"]
    for last in [*args, "--backend=nftables"], ["clean"]:
        lib.checked(netns.istio_init(*args, "--backend=iptables-legacy"))
        cut_off(netns, [*args, "--backend=nftables"])
        lib.checked(netns.istio_init(*last))
        assert "istio-init-move" not in netns.sh("nft list tables")
        lib.checked(netns.istio_init("clean"))
