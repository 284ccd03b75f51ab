# SPDX-License-Identifier: GPL-2.0-or-later
"""A pod with its neighbours, listeners in all of them, and connections that report where they ended.

    vm ──eth0 10.2.0.1── ──eth1 10.2.0.2── pod ──eth0 10.1.0.2── ──eth0 10.1.0.1── peer

The peer has the addresses of all services, the vm is a guest behind the pod's second interface.
Sockets are made in each namespace by this one process, with the owner that a case asks for.
"""

import contextlib
import errno
import itertools
import select
import socket
import struct
import time

import lib

POD, POD6 = "10.1.0.2", "fd01::2"
PEER, PEER6 = "10.1.0.1", "fd01::1"
POD_VM, POD_VM6 = "10.2.0.2", "fd02::2"
VM, VM6 = "10.2.0.1", "fd02::1"
# Services on the far side.
DNS, DNS6 = "10.96.0.10", "fd96::a"
SERVICE, SERVICE6 = "203.0.113.5", "2001:db8::5"

SO_ORIGINAL_DST = 80
SO_MARK = 36
IP_PKTINFO = 8
IP_TRANSPARENT = 19
IPV6_TRANSPARENT = 75

PROXY_PORTS = {15001: "proxy", 15006: "inbound", 15053: "dns"}
TIMEOUT = 2.0


class Listener:
    """One listening socket; @place says in words whose it is."""

    def __init__(self, netns, place, family, kind, port):
        self.place, self.kind = place, kind
        owner = 1337 if port in PROXY_PORTS else 1000
        self.sock = netns.socket(family, kind, uid=owner, gid=owner)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        v6 = family == socket.AF_INET6
        if v6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if place == "inbound":
            self.set(v6, IPV6_TRANSPARENT, IP_TRANSPARENT)
        self.sock.bind(("", port))
        if kind == socket.SOCK_STREAM:
            self.sock.listen(16)
        else:
            self.set(v6, socket.IPV6_RECVPKTINFO, IP_PKTINFO)

    def set(self, v6, option6, option4):
        self.sock.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP, option6 if v6 else option4, 1)

    def answer(self):
        """Takes what came, answers; returns the original destination, None for a datagram."""
        if self.kind == socket.SOCK_DGRAM:
            data, [(level, name, info)], _, sender = self.sock.recvmsg(100, 100)
            # The answer leaves from the address that was asked, as a resolver's does.
            info = bytes(4) + info[8:12] + bytes(4) if name == IP_PKTINFO else info[:16] + bytes(4)
            self.sock.sendmsg([data], [(level, name, info)], 0, sender)
            return None
        with self.sock.accept()[0] as connection:
            connection.sendall(b"answer")
            return original_destination(connection)


def original_destination(connection):
    """Where the client meant to go: as REDIRECT keeps it, else (TPROXY) the socket's own address."""
    own = connection.getsockname()[:2]
    try:
        if connection.family == socket.AF_INET:
            _, port, addr = struct.unpack("!HH4s8x", connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16))
        else:
            _, port, _, addr, _ = struct.unpack(
                "!HHI16sI", connection.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28))
    except OSError:
        return own
    return socket.inet_ntop(connection.family, addr), port


class Pod:
    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.netns, self.peer, self.vm = (self.stack.enter_context(lib.Netns()) for _ in range(3))
        self.listeners = {}
        self.ports = itertools.cycle(range(50000, 60000))
        wire(self.netns, "eth0", self.peer, [(POD, PEER), (POD6, PEER6)])
        wire(self.netns, "eth1", self.vm, [(POD_VM, VM), (POD_VM6, VM6)])
        self.netns.sh(f"ip route add default via {PEER}; ip -6 route add default via {PEER6}")
        self.vm.sh(f"ip route add default via {POD_VM}; ip -6 route add default via {POD_VM6}")
        self.peer.sh(f"ip route add 10.2.0.0/24 via {POD}; ip -6 route add fd02::/64 via {POD6}" +
                     "".join(f"; ip addr add {addr} dev lo" for addr in [DNS, DNS6, SERVICE, SERVICE6]))
        for name in "ipv4/ip_forward", "ipv6/conf/all/forwarding":
            self.netns.write_sysctl(name, "1")
        for port in PROXY_PORTS:
            self.listen(self.netns, port)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for listener in self.listeners.values():
            listener.sock.close()
        self.stack.close()

    def listen(self, netns, port):
        place = PROXY_PORTS.get(port) or {self.netns: "app", self.peer: "peer", self.vm: "vm"}[netns]
        for family in socket.AF_INET, socket.AF_INET6:
            for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
                if (netns, port, family, kind) not in self.listeners:
                    self.listeners[netns, port, family, kind] = Listener(netns, place, family, kind, port)

    def stop(self, port):
        """Closes what listens at a port of the pod."""
        for key in [key for key in self.listeners if key[:2] == (self.netns, port)]:
            self.listeners.pop(key).sock.close()

    def connect(self, origin, addr, port, proto="tcp", uid=1000, gid=1000, src=None, mark=None):
        """Opens a connection (sends a datagram); returns where it ended: place and original destination."""
        for netns in (self.netns, self.peer, self.vm):
            if port not in PROXY_PORTS:
                self.listen(netns, port)
        family = socket.AF_INET6 if ":" in addr else socket.AF_INET
        kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
        with {"pod": self.netns, "peer": self.peer, "vm": self.vm}[origin].socket(family, kind, uid, gid) as client:
            client.setblocking(False)
            if mark is not None:
                client.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
            if kind == socket.SOCK_DGRAM:
                self.bind(client, src or "")
            elif src is not None:
                client.bind((src, 0))
            error = client.connect_ex((addr, port))
            if kind == socket.SOCK_DGRAM:
                with contextlib.suppress(PermissionError):  # dropped on its way out
                    client.send(b"answer")
            elif error not in (0, 115):
                return f"errno {error}"
            return self.follow(client)

    def bind(self, client, src):
        """A source port of its own: conntrack would send another's datagram from the same one where it sent the first."""
        for port in self.ports:
            try:
                return client.bind((src, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise

    def follow(self, client):
        """Waits for the listener that gets the connection, and for its answer."""
        deadline = time.monotonic() + TIMEOUT
        by_socket = {listener.sock: listener for listener in self.listeners.values()}
        while time.monotonic() < deadline:
            ready, _, _ = select.select([*by_socket, client], [], [], deadline - time.monotonic())
            for sock in ready:
                if sock is client:
                    return f"errno {client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)}"
                original = by_socket[sock].answer()
                answered, _, _ = select.select([client], [], [], TIMEOUT)
                if not answered:
                    return f"{by_socket[sock].place}, and no answer came back"
                if client.recv(100) != b"answer":
                    return f"{by_socket[sock].place}, and a wrong answer came back"
                return by_socket[sock].place, original
        return "nowhere"


def wire(pod, name, other, addresses):
    for netns in pod, other:
        # Link-local addresses serve at once, or the first packet waits a second for them.
        for where in "all", "default":
            netns.write_sysctl(f"ipv6/conf/{where}/accept_dad", "0")
    pod.ip(f"link add {name} type veth peer name eth0 netns {other.path}")
    script, far = f"ip link set {name} up", "ip link set eth0 up"
    for mine, theirs in addresses:
        bits, nodad = (64, "nodad") if ":" in mine else (24, "")
        script += f"; ip addr add {mine}/{bits} dev {name} {nodad}"
        far += f"; ip addr add {theirs}/{bits} dev eth0 {nodad}"
    pod.sh(script)
    other.sh(far)
