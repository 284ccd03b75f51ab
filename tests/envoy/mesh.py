# SPDX-License-Identifier: GPL-2.0-or-later
"""A pod with Envoy and an application, and a peer without, each in a network namespace of its own.

    application, Envoy ── pod 10.1.0.2 ──eth0── peer 10.1.0.1: another application, and the resolver

The peer has the addresses of all services but the pod's own.  What came through Envoy is told by its counters and by
a header of each pass.
"""

import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time

import app
import bootstrap
import lib
import pod as traffic

APP, RPC = (pathlib.Path(__file__).resolve().parent / name for name in ("app.py", "rpc.py"))
ENVOY = lib.ROOT / "build/envoy/envoy/_bin/envoy"
USER, PROXY = 1000, 1337
# An application of its own that the rules let pass
OTHER = 1002
TIMEOUT = 30
# How many connections load() has at once
WORKERS = 4
MINE = {"ipv4": traffic.POD, "ipv6": traffic.POD6}
THEIRS = {"ipv4": traffic.PEER, "ipv6": traffic.PEER6}
EXCLUDED = {"ipv4": "198.51.100.7", "ipv6": "2001:db8:1::7"}
SERVICE = {"ipv4": traffic.SERVICE, "ipv6": traffic.SERVICE6}
# What the injector gives, both families, and one excluded port a direction, CIDR and user
ARGS = ["-p", "15001", "-z", "15006", "-u", "1337", "-i", "*", "-b", "*", "--dual-stack",
        "-d", f"15090,15021,15020,{app.EXCLUDED}", "-o", str(app.EXCLUDED), "-x", "198.51.100.0/24,2001:db8:1::/48",
        "--exclude-outbound-uids", str(OTHER)]


class Mesh:
    def __init__(self, backend, mode="REDIRECT", dns=False):
        self.backend, self.mode, self.dns = backend, mode, dns
        self.stack = contextlib.ExitStack()
        self.pod, self.peer = (self.stack.enter_context(lib.Netns()) for _ in range(2))
        self.envoy = None

    def __enter__(self):
        try:
            self.wire()
            certificate = self.certificate()
            for name, netns in ("application", self.pod), ("peer", self.peer):
                for words in (APP, "serve", name, *certificate), (RPC, "serve", name):
                    server = self.start(netns, *words)
                    assert server.stdout.readline() == "ready\n", server.stderr.read()
            self.start_envoy()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def wire(self):
        traffic.wire(self.pod, "eth0", self.peer, [(traffic.POD, traffic.PEER), (traffic.POD6, traffic.PEER6)])
        self.pod.sh(f"ip route add default via {traffic.PEER}; ip -6 route add default via {traffic.PEER6}")
        self.peer.sh("; ".join(f"ip addr add {address} dev lo"
                               for each in (EXCLUDED, SERVICE, {"ipv4": traffic.DNS, "ipv6": traffic.DNS6})
                               for address in each.values()))
        for netns in self.pod, self.peer:
            netns.write_sysctl("ipv4/ip_unprivileged_port_start", "0")
        # With TPROXY Envoy keeps the client's address and takes a port of its own: it must not be one of the client's.
        self.pod.write_sysctl("ipv4/ip_local_port_range", "40000 60000")
        self.peer.write_sysctl("ipv4/ip_local_port_range", "10000 39999")

    def certificate(self):
        directory = lib.public_dir()
        self.stack.callback(lambda: lib.run(["rm", "-r", directory]))
        lib.checked(lib.run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={bootstrap.NAME}", "-addext", f"subjectAltName=DNS:{bootstrap.NAME}",
            "-keyout", directory / "key", "-out", directory / "crt"]))
        (directory / "key").chmod(0o644)
        self.trust = directory / "crt"
        return directory / "crt", directory / "key"

    def start(self, netns, program, *argv):
        """One in Python, as the applications' user."""
        process = netns.start([*as_user(USER), sys.executable, program, *argv])
        self.stack.callback(end, process)
        return process

    # Envoy

    def start_envoy(self):
        """As deploy/inject/envoy.yaml starts it."""
        assert not self.envoy
        container = bootstrap.injected(self.mode)
        args = [bootstrap.expanded(one, container["env"]) for one in bootstrap.arguments(container["args"], self.dns)]
        context = container["securityContext"]
        assert context["capabilities"]["drop"] == ["ALL"]
        capabilities = [name.lower() for name in context["capabilities"].get("add", [])]
        as_proxy = as_user(context["runAsUser"], context["runAsGroup"], *capabilities)
        program = os.open(ENVOY, os.O_RDONLY)
        log = self.pod.dir / "envoy.log"
        with open(log, "ab") as output:
            # By its descriptor: the proxy's user may not enter the folder that it is in.
            self.envoy = subprocess.Popen(
                self.pod.command([*as_proxy, f"/proc/self/fd/{program}", *args, "--concurrency", "2",
                                  "--use-dynamic-base-id"]),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=[program], env={"PATH": lib.PATH})
        os.close(program)
        self.stack.callback(self.kill_envoy)
        deadline = time.monotonic() + TIMEOUT
        while True:
            with contextlib.suppress(OSError):
                if self.admin("/ready") == "LIVE\n":
                    return
            assert self.envoy.poll() is None and time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.05)

    def kill_envoy(self):
        if self.envoy:
            self.envoy.kill()
            self.envoy.wait()
            self.envoy = None

    def admin(self, path, method="GET"):
        return self.ask(self.pod, "127.0.0.1", 15000, path, method=method, uid=PROXY).decode()

    def counter(self, name):
        text = self.admin(f"/stats?filter=^{name}$")
        return int(text.split(": ")[1]) if text.strip() else 0

    def counters(self):
        """Requests and connections that went through Envoy, by its own count."""
        return {name: self.counter(rf"{kind}\.{name}\.{what}") for name, kind, what in (
            ("outbound_http", "http", "downstream_rq_completed"), ("inbound_http", "http", "downstream_rq_completed"),
            ("outbound", "tcp", "downstream_cx_total"), ("inbound", "tcp", "downstream_cx_total"),
            ("outbound_tls", "tcp", "downstream_cx_total"), ("inbound_tls", "tcp", "downstream_cx_total"))}

    @contextlib.contextmanager
    def counts(self, **expected):
        """Asserts by how much each of Envoy's counters grows inside; those not named may not."""
        before = self.counters()
        yield
        deadline = time.monotonic() + 5
        while True:
            grown = {name: value - before[name] for name, value in self.counters().items() if value != before[name]}
            if grown == expected or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        assert grown == expected

    # istio-init

    def args(self):
        return [*ARGS, "-m", self.mode, f"--backend={self.backend}",
                *(["--redirect-dns", "--capture-all-dns"] if self.dns else [])]

    def apply(self, *more):
        """The summary line of an apply."""
        result = self.pod.istio_init(*self.args(), *more)
        lib.checked(result)
        return result.stderr

    # Clients

    def connect(self, netns, address, port, uid=USER, source=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        client = netns.socket(family, socket.SOCK_STREAM, uid=uid, gid=uid)
        try:
            client.settimeout(TIMEOUT)
            if source:
                client.bind(source)
            client.connect((address, port))
        except BaseException:
            client.close()
            raise
        return client

    @contextlib.contextmanager
    def response(self, netns, address, port, path="/", method="GET", uid=USER, body=None, headers=()):
        """A good one over HTTP/1.1, its body not yet read."""
        with contextlib.closing(http.client.HTTPConnection("test")) as connection:
            connection.sock = self.connect(netns, address, port, uid)
            connection.request(method, path, body=body, headers=dict(headers))
            response = connection.getresponse()
            assert response.status == 200, (response.status, response.read())
            yield response

    def ask(self, *args, **kwargs):
        """The body of one."""
        with self.response(*args, **kwargs) as response:
            return response.read()

    def get(self, netns, address, port=app.HTTP, **kwargs):
        return json.loads(self.ask(netns, address, port, **kwargs))

    def client(self, netns, program, *words, timeout=120):
        """What a client in Python prints."""
        result = netns.run([*as_user(USER), sys.executable, program, *words], timeout=timeout)
        return json.loads(lib.checked(result))

    @contextlib.contextmanager
    def load(self, netns, address, limit=60):
        """Requests all the time inside the block; the dictionary is filled when it is over."""
        process = self.start(netns, APP, "load", address, app.HTTP, WORKERS, limit)
        assert process.stdout.readline() == "ready\n"
        result = {}
        try:
            yield result
        finally:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=TIMEOUT + 5)
        assert process.returncode == 0, err
        result.update(json.loads(out))

    def resolve(self, server, name, kind="A", proto="udp", uid=USER):
        """The addresses that a DNS server gives for a name, or its refusal as a number."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        # One question (RFC 1035, 4.1): recursion desired, class IN.
        query = struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + labels + struct.pack("!B2H", 0, app.KINDS[kind], 1)
        if proto == "tcp":
            with self.connect(self.pod, server, 53, uid) as client:
                client.sendall(struct.pack("!H", len(query)) + query)
                size, = struct.unpack("!H", client.recv(2, socket.MSG_WAITALL))
                answer = client.recv(size, socket.MSG_WAITALL)
        else:
            family = socket.AF_INET6 if ":" in server else socket.AF_INET
            with self.pod.socket(family, socket.SOCK_DGRAM, uid, uid) as client:
                client.settimeout(5)
                client.connect((server, 53))
                client.send(query)
                answer = client.recv(1000)
        flags, _, count, _, _ = struct.unpack("!5H", answer[2:12])
        if flags & 15 or not count:
            return flags & 15
        # One answer, which ends with its address
        assert count == 1
        size = {"A": 4, "AAAA": 16}[kind]
        return socket.inet_ntop({"A": socket.AF_INET, "AAAA": socket.AF_INET6}[kind], answer[-size:])

    def tls(self, netns, address):
        context = ssl.create_default_context(cafile=self.trust)
        with context.wrap_socket(self.connect(netns, address, app.TLS), server_hostname=bootstrap.NAME) as client:
            return json.loads(read_all(client))


def as_user(uid, gid=None, *capabilities):
    """The words before a program that run it so, with no more capabilities."""
    kept = "-all" + "".join(f",+{name}" for name in capabilities)
    return ["setpriv", f"--reuid={uid}", f"--regid={gid or uid}", "--clear-groups", f"--inh-caps={kept}",
            f"--bounding-set={kept}", "--no-new-privs", "--"]


def end(process):
    if process.poll() is None:
        process.kill()
    process.communicate()


def read_all(client):
    data = b""
    while block := client.recv(65536):
        data += block
    return data


def digest(blocks):
    result = hashlib.sha256()
    for block in blocks:
        result.update(block)
    return result.hexdigest()
