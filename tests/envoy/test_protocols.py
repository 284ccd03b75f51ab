# SPDX-License-Identifier: GPL-2.0-or-later
"""What applications speak arrives whole, through Envoy, each direction counted."""

import base64
import functools
import hashlib
import json
import os
import socket
import time

import h2.config
import h2.connection
import h2.events
import pytest

import app
import lib
import mesh as parts
from bootstrap import OWN


@pytest.fixture(params=["outbound", "inbound"])
def path(request, mesh, family):
    """(where the client is, the server's address, direction, what the server calls itself, what it sees)"""
    if request.param == "outbound":
        return mesh.pod, parts.THEIRS[family], "outbound", "peer", parts.MINE[family]
    through = {"ipv4": "127.0.0.6", "ipv6": "::6"}[family]
    seen = through if mesh.mode == "REDIRECT" else parts.THEIRS[family]
    return mesh.peer, parts.MINE[family], "inbound", "application", seen


def test_http1(mesh, path):
    client, address, direction, name, seen = path
    with mesh.counts(**{f"{direction}_http": 2}):
        for method, body in ("GET", None), ("POST", b"question"):
            assert mesh.get(client, address, method=method, body=body) == {
                "name": name, "peer": seen, "version": "1.1", "passes": direction, "method": method,
                "sha256": hashlib.sha256(body or b"").hexdigest()}


def test_http2(mesh, path):
    """Several streams on one connection, to a server that speaks HTTP/2, too."""
    client, address, direction, name, seen = path
    bodies = {}
    with mesh.counts(**{f"{direction}_http": 5}):
        with mesh.connect(client, address, app.HTTP) as sock:
            connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
            connection.initiate_connection()
            for stream in range(1, 11, 2):
                connection.send_headers(stream, [(":method", "GET"), (":path", "/"), (":scheme", "http"),
                                                 (":authority", "test")], end_stream=True)
                bodies[stream] = b""
            ended = set()
            while ended != set(bodies):
                sock.sendall(connection.data_to_send())
                data = sock.recv(65536)
                assert data
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.DataReceived):
                        bodies[event.stream_id] += event.data
                    if isinstance(event, h2.events.StreamEnded):
                        ended.add(event.stream_id)
    assert [json.loads(body) for body in bodies.values()] == [
        {"name": name, "peer": seen, "version": "2", "passes": direction}] * 5


def test_grpc(mesh, path):
    """A call, a refused one, and a stream whose ends take turns: the status and what else trails come through."""
    client, address, direction, name, _ = path
    with mesh.counts(**{f"{direction}_http": 3}):
        assert mesh.client(client, parts.RPC, "ask", address, "one", "two", "three") == {
            "unary": {"answer": f"question, {name}, {direction}", "status": "OK", "details": "", "trailer": "unary"},
            "refused": {"status": "RESOURCE_EXHAUSTED", "details": "enough", "trailer": "refuse"},
            "stream": {"answer": ["ONE", "TWO", "THREE", "3"], "status": "OK", "details": "", "trailer": "stream"}}


def test_websocket(mesh, path):
    client, address, direction, _, _ = path
    key = base64.b64encode(os.urandom(16)).decode()
    with mesh.counts(**{f"{direction}_http": 1}):
        with mesh.connect(client, address, app.HTTP) as sock:
            sock.sendall(f"GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                         f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(1)
            digest = hashlib.sha1((key + app.WEBSOCKET).encode()).digest()
            lines = head.decode().lower().split("\r\n")
            assert lines[0].startswith("http/1.1 101 ")
            assert f"sec-websocket-accept: {base64.b64encode(digest).decode().lower()}" in lines
            assert f"x-passes: {direction}" in lines
            for text in b"hello", b"again":
                frame = bytes([0x81, len(text)]) + text
                sock.sendall(frame)
                assert sock.recv(100) == frame


def test_tls_passed_through(mesh, path):
    """The client's TLS ends at the server, whose certificate it sees; Envoy has read the name."""
    client, address, direction, name, seen = path
    with mesh.counts(**{f"{direction}_tls": 1}):
        assert mesh.tls(client, address) == {"name": name, "peer": seen, "sni": "secret.test"}


def test_server_speaks_first(mesh, path):
    client, address, direction, name, seen = path
    with mesh.counts(**{direction: 1}):
        with mesh.connect(client, address, app.BANNER) as sock, sock.makefile("rwb") as file:
            assert json.loads(file.readline()) == {"name": name, "peer": seen}
            file.write(b"echo\n")
            file.flush()
            assert file.readline() == b"echo\n"


def test_client_closes_its_half(mesh, path):
    """Before the answer comes, and 16 MiB before."""
    client, address, direction, name, seen = path
    with mesh.counts(**{direction: 1}):
        with mesh.connect(client, address, app.SINK) as sock:
            for block in app.blocks(256):
                sock.sendall(block)
            sock.shutdown(socket.SHUT_WR)
            assert json.loads(parts.read_all(sock)) == {"name": name, "peer": seen, "count": 1 << 24,
                                                        "sha256": digest_of(256)}


def test_server_closes_its_half(mesh, path):
    client, address, direction, _, _ = path
    word = base64.b32encode(os.urandom(10)).decode()
    with mesh.counts(**{direction: 1}):
        with mesh.connect(client, address, app.GOODBYE) as sock:
            assert parts.read_all(sock) == b"bye"
            time.sleep(0.1)
            sock.sendall(word.encode())
    deadline = time.monotonic() + 5
    while word not in mesh.get(client, address, path="/goodbyes")["goodbyes"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@functools.cache
def digest_of(count):
    return parts.digest(app.blocks(count))


def transfer(mesh, path, count):
    """So many blocks each way, held nowhere as a whole."""
    client, address, direction, _, _ = path
    with mesh.counts(**{f"{direction}_http": 2}):
        answer = mesh.get(client, address, method="POST", body=app.blocks(count),
                          headers={"Content-Length": str(count << 16)})
        assert answer["sha256"] == digest_of(count)
        with mesh.response(client, address, app.HTTP, path=f"/bytes/{count}") as response:
            assert parts.digest(iter(lambda: response.read(1 << 16), b"")) == digest_of(count)


def test_large_transfers(mesh, path):
    """64 MiB each way."""
    transfer(mesh, path, 1 << 10)


# For each mode once, each direction in a family of its own
@pytest.mark.parametrize("backend", lib.BACKENDS[:1], indirect=True)
@pytest.mark.parametrize("path, family", [("outbound", "ipv6"), ("inbound", "ipv4")], indirect=True)
def test_huge_transfers(mesh, path):
    """1 GiB each way."""
    transfer(mesh, path, 1 << 14)


def test_a_thousand_connections(mesh, path):
    client, address, direction, _, _ = path
    with mesh.counts(**{f"{direction}_http": 1000}):
        assert mesh.client(client, parts.APP, "many", address, app.HTTP, 1000) == {"answers": 1000, "passes": [direction]}


def test_hairpin(mesh, family):
    """By the name of a service of its own, out and in again; at the own address, past Envoy, as with Istio."""
    with mesh.counts(outbound_http=1, inbound_http=1):
        answer = mesh.get(mesh.pod, OWN[family])
        assert answer["name"] == "application" and answer["passes"] == "outbound,inbound"
    with mesh.counts():
        answer = mesh.get(mesh.pod, parts.MINE[family])
        assert answer["name"] == "application" and answer["passes"] == ""
