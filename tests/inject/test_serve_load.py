# SPDX-License-Identifier: GPL-2.0-or-later
"""Many clients, slow ones and greedy ones; time limits; nothing grows."""

import json
import resource
import socket
import ssl
import threading
import time

import injection
import lib
import pytest
import serving
import yaml
from serving import answer_of, eventually, is_closed, post, review

REQUEST = post(review())
HELD = 4 * 8 << 20  # of requests that are not complete, together


def cpu_seconds(server):
    fields = open(f"/proc/{server.process.pid}/stat").read().rsplit(")")[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def resident_kb(server):
    return int(server.status("VmRSS"))


@pytest.fixture(autouse=True)
def many_descriptors():
    was = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, was[1])))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, was)


def wait_closed(sock, limit):
    """Seconds until the peer ends the connection; what came before that."""
    began, text = time.monotonic(), b""
    sock.settimeout(limit)
    try:
        while data := sock.recv(65536):
            text += data
    except (ConnectionResetError, ssl.SSLError):
        pass
    return time.monotonic() - began, text


def test_time_limits(tmp_path):
    """10 seconds a handshake and a request, of whatever speed, 90 idle; others are served all the while."""
    with serving.Server(tmp_path) as server:
        found = {}

        def clock(name, sock, limit):
            found[name] = wait_closed(sock, limit)

        def drip():
            sock, began, text = server.tls(), time.monotonic(), b""
            sock.settimeout(0.5)
            for byte in REQUEST:
                try:
                    sock.sendall(bytes([byte]))
                    text = sock.recv(65536)
                    break
                except (TimeoutError, ssl.SSLError):
                    continue
            found["drip"] = time.monotonic() - began, text

        silent, half, begun, body, idle, plain = server.tcp(), server.tcp(), server.tls(), server.tls(), server.tls(), server.tcp(server.plain)
        half.sendall(b"\x16\x03\x01")
        begun.sendall(b"P")
        body.sendall(REQUEST[:-1])
        assert server.ask(review(), idle).status == 200
        plain.sendall(b"GET /healthz HTTP/1.1\r\n")
        threads = [threading.Thread(target=clock, args=(name, sock, 200)) for name, sock in
                   {"silent": silent, "half": half, "begun": begun, "body": body, "idle": idle, "plain": plain}.items()]
        threads.append(threading.Thread(target=drip))
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            began = time.monotonic()
            assert server.ask(review()).status == 200
            assert time.monotonic() - began < 5
            time.sleep(1)
        for name in "silent", "half":
            seconds, text = found[name]
            assert 9 < seconds < 40 and text == b"", name
        for name in "begun", "body", "plain", "drip":
            seconds, text = found[name]
            assert 9 < seconds < 40 and text.startswith(b"HTTP/1.1 408 "), (name, seconds, text)
        seconds, text = found["idle"]
        assert 88 < seconds < 150 and text == b""


def test_one_more_than_there_may_be(tmp_path):
    """The one that idled longest makes room; if none is idle, the new one waits."""
    with serving.Server(tmp_path, "--max-connections=3") as server:
        socks = [server.tls() for _ in range(3)]
        for sock in (socks[1], socks[0], socks[2]):
            assert server.ask(review(), sock).status == 200
        new = server.tls()
        assert server.ask(review(), new).status == 200
        assert is_closed(socks[1])
        busy = [socks[0], socks[2], new]
        for sock in busy:
            sock.sendall(REQUEST[:-1])
        time.sleep(0.3)
        raw = server.tcp()
        raw.settimeout(1)
        with pytest.raises(TimeoutError):
            server.context().wrap_socket(raw, server_hostname="localhost", do_handshake_on_connect=True)
        raw.close()
        waiting = threading.Thread(target=lambda: answers.append(server.ask(review()).status))
        answers = []
        waiting.start()
        time.sleep(0.5)
        assert not answers
        for sock in busy:
            sock.sendall(REQUEST[-1:])
            assert answer_of(sock).status == 200
        waiting.join(5)
        assert answers == [200]
        # probes have connections of their own
        assert server.get("/readyz").status == 200


def test_2000_connections(tmp_path):
    with serving.Server(tmp_path, "--max-connections=2000") as server:
        context, descriptors = server.context(), server.descriptors()
        socks = [server.tls(context) for _ in range(2000)]
        assert server.metrics()["istio_inject_connections"] == 2000
        assert all(server.ask(review(), sock).status == 200 for sock in socks[::10])
        assert resident_kb(server) < 100_000
        for sock in socks:
            sock.close()
        eventually(lambda: server.metrics()["istio_inject_connections"] == 0)
        eventually(lambda: server.descriptors() == descriptors)


def test_more_clients_than_there_may_be(tmp_path):
    """Each is served in its turn, and who idles goes."""
    with serving.Server(tmp_path) as server:
        context = server.context()
        socks = []
        for _ in range(600):
            socks.append(server.tls(context))
            assert server.ask(review(), socks[-1]).status == 200
        assert server.metrics()["istio_inject_connections"] == 256
        assert all(server.ask(review(), sock).status == 200 for sock in socks[-256:])
        assert is_closed(socks[0])


def test_memory_of_idle_connections(tmp_path):
    with serving.Server(tmp_path) as server:
        time.sleep(0.2)
        assert resident_kb(server) <= 2048
        context = server.context()
        socks = [server.tls(context) for _ in range(256)]
        for _ in range(2):
            for sock in socks:
                assert server.ask(review(), sock).status == 200
        assert resident_kb(server) <= 12 * 1024
        # and they cost no time
        before = cpu_seconds(server)
        time.sleep(3)
        assert cpu_seconds(server) - before <= 0.03


def test_nothing_grows(tmp_path):
    """After 1,500 connections of all kinds as after 200, and a large review leaves nothing behind."""
    with serving.Server(tmp_path) as server:
        context = server.context()
        large = review(serving.pod(annotations={f"a{i}": "x" * 1000 for i in range(2900)}))

        def use(times):
            for i in range(times):
                with server.tls(context) as sock:
                    if i % 3:
                        server.ask(review(), sock)
                    elif i % 2:
                        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    else:
                        sock.sendall(REQUEST[:-1])
            assert server.ask(large).status == 200
            eventually(lambda: server.descriptors() == descriptors)
            return resident_kb(server)

        descriptors = server.descriptors()
        use(100)
        memory = use(100)
        memory_after = use(1500)
        assert memory_after <= memory + 100
        assert memory_after < 4096


def test_slow_reader(tmp_path):
    """One that asks and does not read costs its time limit and one answer or two."""
    config = serving.injection.CONFIG.replace("image: example.org/proxy:1}", "image: example.org/proxy:1, env: [{name: X, value: '"
                                              + "x" * 500_000 + "'}]}")
    with serving.Server(tmp_path, config=config) as server:
        before = resident_kb(server)
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", server.port))
        sock = server.context().wrap_socket(raw, server_hostname="localhost")
        sock.settimeout(1)
        began = time.monotonic()
        try:
            for _ in range(1000):
                sock.sendall(REQUEST * 10)
        except (TimeoutError, ssl.SSLError):
            pass
        assert resident_kb(server) < before + 20_000
        assert server.ask(review()).status == 200
        while server.metrics()["istio_inject_connections"]:
            assert time.monotonic() - began < 40
            time.sleep(0.2)
        assert time.monotonic() - began > 9


def test_large_bodies_at_once(tmp_path):
    """Bodies that are promised take memory as they come, and those that wait have a limit together."""
    with serving.Server(tmp_path) as server:
        head = post(b"x", headers={"Content-Length": 8 << 20})[:-1]
        socks = []
        for _ in range(40):
            sock = server.tls()
            sock.sendall(head)
            socks.append(sock)
        assert resident_kb(server) < 8192
        refused = 0
        for sock in socks:
            try:
                sock.settimeout(5)
                sock.sendall(b" " * (4 << 20))
            except (OSError, ssl.SSLError):
                refused += 1
        assert resident_kb(server) < 128 << 10
        assert refused or resident_kb(server) < 80 << 10
        assert server.ask(review()).status == 200
        assert server.metrics()['istio_inject_http_responses_total{code="503"}'] > 0


def test_a_flood_of_pipelined_requests_lets_others_through(tmp_path):
    with serving.Server(tmp_path) as server, server.tls() as greedy:
        stop = threading.Event()

        def read():
            while not stop.is_set():
                try:
                    if not greedy.recv(65536):
                        return
                except OSError:
                    return

        def write():
            while not stop.is_set():
                try:
                    greedy.sendall(REQUEST * 50)
                except OSError:
                    return

        threads = [threading.Thread(target=f, daemon=True) for f in (read, write)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        for _ in range(20):
            began = time.monotonic()
            assert server.ask(review()).status == 200
            assert time.monotonic() - began < 5
        stop.set()


@pytest.mark.parametrize("value", [b"{}", b"[]", b'""', b"0"])
def test_the_largest_review_fits_the_memory_of_the_manifests(tmp_path, value):
    """Of all bodies of 8 MiB those that are a million small values take the most; with others that wait for their ends."""
    with serving.Server(tmp_path) as server:
        manifests = lib.checked(injection.run(tmp_path, "manifests", "--ca", tmp_path / "ca.crt"))
        [deployment] = (item for item in yaml.safe_load_all(manifests) if item["kind"] == "Deployment")
        limit = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
        pod = {**serving.pod(), "x": ["many"]}
        n = 1_000_000 - 100
        body = json.dumps(review(pod)).encode().replace(b'"many"', b",".join([value] * n))
        answer = server.ask(body.ljust(8 << 20))
        assert answer.status == 200 and answer.json()["allowed"]
        assert 1024 * int(server.status("VmHWM")) + HELD < int(limit.removesuffix("Mi")) << 20
        assert resident_kb(server) < 16_000
