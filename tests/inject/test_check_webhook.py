# SPDX-License-Identifier: GPL-2.0-or-later
"""check --webhook against servers that are right, and wrong in each of the ways that stop a cluster."""

import base64
import concurrent.futures
import contextlib
import json
import socket
import ssl
import threading

import injection
import lib
import pytest

NAME = "istio-inject.istio-inject.svc"
PATCH = base64.b64encode(b'[{"op":"add","path":"/a","value":1}]').decode()


def openssl(*args):
    lib.checked(lib.run(["openssl", *args]))


@pytest.fixture(scope="module", name="files")
def fixture_files(tmp_path_factory):
    """A directory with a CA and a pair from `cert`, and pairs of the same CA that are not valid now."""
    directory = tmp_path_factory.mktemp("tls")
    lib.checked(lib.run([injection.BINARY, "cert", "-d", directory, "--name", "localhost"]))
    other = directory / "other"
    other.mkdir()
    lib.checked(lib.run([injection.BINARY, "cert", "-d", other]))
    (directory / "index").write_text("")
    (directory / "serial").write_text("01")
    config = injection.write(directory / "ca.cnf", f"""[ca]\ndefault_ca = x\n[x]\ndatabase = {directory}/index
serial = {directory}/serial\nnew_certs_dir = {directory}\ndefault_md = sha256\npolicy = p\nx509_extensions = e
unique_subject = no\n[p]\ncommonName = supplied\n[e]\nsubjectAltName = DNS:{NAME}\n[none]\nbasicConstraints = CA:FALSE
[client]\nsubjectAltName = DNS:{NAME}\nextendedKeyUsage = clientAuth\n""")
    openssl("req", "-new", "-key", directory / "tls.key", "-subj", f"/CN={NAME}", "-out", directory / "x.csr")
    for name, start, end, extensions in (
            ("expired", "20200101000000Z", "20200102000000Z", "e"), ("future", "20700101000000Z", "20710101000000Z", "e"),
            ("nameless", "20200101000000Z", "20710101000000Z", "none"),
            ("client", "20200101000000Z", "20710101000000Z", "client")):
        openssl("ca", "-batch", "-config", config, "-extensions", extensions, "-cert", directory / "ca.crt", "-keyfile",
                directory / "ca.key", "-in", directory / "x.csr", "-startdate", start, "-enddate", end, "-notext", "-out",
                directory / f"{name}.crt")
    return directory


@contextlib.contextmanager
def listening(serve, family=socket.AF_INET):
    """A port of loopback; @serve(connection) answers each, one after the other."""
    with socket.socket(family) as listener:
        listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        listener.listen()

        def loop():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        serve(connection)
        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def more(connection):
    data = connection.recv(65536)
    if not data:
        raise ConnectionError
    return data


def read_request(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        data += more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])["Content-Length"])
    while len(body) < length:
        body += more(connection)
    return head.decode(), json.loads(body)


def http(body, status="200 OK"):
    body = body if isinstance(body, str) else json.dumps(body)
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"


def reviewed(uid="check-webhook", **response):
    return http({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": uid, **response}})


def server(files, answer, pair="tls.crt", version=None, seen=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / pair, files / ("other/tls.key" if pair.startswith("other") else "tls.key"))
    if version:
        context.maximum_version = version

    def serve(connection):
        connection.settimeout(20)
        with context.wrap_socket(connection, server_side=True) as tls:
            request = read_request(tls)
            if seen is not None:
                seen.append(request)
            tls.sendall(answer.encode())
            tls.unwrap()
    return serve


def ask(files, port, *args, host="127.0.0.1", name=NAME, timeout=60):
    return lib.run([injection.BINARY, "check", "--webhook", f"{host}:{port}", "--ca", files / "ca.crt",
                    *(["--server-name", name] if name else []), *args], timeout=timeout)


GOOD = reviewed(allowed=True, patchType="JSONPatch", patch=PATCH)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_good(files, version):
    seen = []
    with listening(server(files, GOOD, version=version, seen=seen)) as port:
        result = ask(files, port)
    assert (result.returncode, result.stderr) == (0, "")
    lines = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    assert list(lines) == ["tls", "subject", "names", "issuer", "valid", "answer"]
    assert lines["tls"] == ("TLSv1.2" if version == ssl.TLSVersion.TLSv1_2 else "TLSv1.3")
    assert lines["subject"] == "CN=istio-inject" and lines["issuer"] == "CN=istio-inject CA" and NAME in lines["names"]
    assert lines["answer"] == "allowed, with a patch of 36 bytes"
    [(head, review)] = seen
    assert head.startswith("POST /inject HTTP/1.1\r\n") and "\r\nContent-Type: application/json\r\n" in head
    assert review["kind"] == "AdmissionReview" and review["request"]["object"]["kind"] == "Pod"
    assert review["request"]["dryRun"] is True


def test_host_is_the_name(files):
    with listening(server(files, GOOD)) as port:
        assert ask(files, port, host="localhost", name=None).returncode == 0
        result = ask(files, port, name=None)
    assert result.returncode == 69 and "the name 127.0.0.1 is not in the certificate" in result.stderr


def test_ipv6(files):
    with listening(server(files, GOOD), socket.AF_INET6) as port:
        assert ask(files, port, host="[::1]").returncode == 0


@pytest.mark.parametrize("answer,status,line", [
    (reviewed(allowed=True), 2, "answer: allowed, without a patch: the pod is not injected"),
    (reviewed(allowed=False, status={"code": 400, "message": "overlay x: y"}), 2, "answer: refused: overlay x: y"),
])
def test_not_injected(files, answer, status, line):
    with listening(server(files, answer)) as port:
        result = ask(files, port)
    assert (result.returncode, result.stdout.splitlines()[-1], result.stderr) == (status, line, "")


def failed(result, *messages):
    assert result.returncode == 69 and result.stderr.count("\n") == 1, result
    for message in messages:
        assert message in result.stderr, result.stderr


@pytest.mark.parametrize("pair,name,message", [
    ("other/tls.crt", NAME, "unknown CA: "),
    ("tls.crt", "elsewhere.svc", "the name elsewhere.svc is not in the certificate, which is for "),
    ("nameless.crt", NAME, "is not in the certificate, which is for none"),
    ("expired.crt", NAME, "has expired; valid until 2020-01-02T00:00:00Z"),
    ("future.crt", NAME, "is not yet valid; valid from 2070-01-01T00:00:00Z"),
    ("client.crt", NAME, "the certificate is not fit for a server"),
])
def test_certificate(files, pair, name, message):
    """The line says which it is; what was seen is printed all the same, and nothing was asked."""
    seen = []
    with listening(server(files, GOOD, pair, seen=seen)) as port:
        result = ask(files, port, name=name)
    failed(result, f"127.0.0.1, port {port}: ", message)
    assert "\nissuer: CN=istio-inject CA\n" in result.stdout and "answer:" not in result.stdout
    assert not seen


@pytest.mark.parametrize("answer,message", [
    (http("nothing", "503 Service Unavailable"), "malformed answer: HTTP/1.1 503 Service Unavailable; expected HTTP/1.1 200"),
    (http("<html>"), "malformed answer: no JSON: "),
    (http({}), "malformed answer: no AdmissionReview with a response"),
    (http("[]"), "malformed answer: no AdmissionReview with a response"),
    (reviewed(allowed="yes"), "malformed answer: no AdmissionReview with a response"),
    (reviewed(uid="another", allowed=True), "malformed answer: its uid is not that of the request"),
    ("garbage\r\n\r\n", "malformed answer: garbage; expected HTTP/1.1 200"),
    ("garbage", "malformed answer: no HTTP, or it ended early"),
    ("", "malformed answer: the connection ended without one"),
    (GOOD[:-20], "malformed answer: no JSON: "),
    (http("x" * 2000000), "malformed answer: "),
])
def test_answer(files, answer, message):
    with listening(server(files, answer)) as port:
        failed(ask(files, port), message)


def test_refused(files):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        failed(ask(files, free.getsockname()[1]), "connection refused")


def test_name_not_resolved(files):
    failed(ask(files, 443, host="no-such-host.invalid"), "no-such-host.invalid: name not resolved: ")


def silent(connection):
    """Takes what comes and says nothing, until the other side ends."""
    connection.settimeout(30)
    while connection.recv(65536):
        pass


def plain_http(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def ssh(connection):
    connection.sendall(b"SSH-2.0-x\r\n")
    silent(connection)


@pytest.mark.parametrize("serve,message", [
    (plain_http, "not TLS: something else answers there"), (ssh, "not TLS: something else answers there"),
    (lambda connection: connection.recv(1), "not TLS, or closed"),
])
def test_not_tls(files, serve, message):
    with listening(serve) as port:
        failed(ask(files, port), message)


def test_old_tls(files):
    def alert(connection):
        connection.recv(65536)
        connection.sendall(bytes([21, 3, 1, 0, 2, 2, 70]))
        silent(connection)
    with listening(alert) as port:
        failed(ask(files, port), "TLS failed: ", "alert 70")


def test_timed_out(files):
    """Ten seconds in all, as the API server would wait, for whatever it is that does not come."""
    def hang(connection):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files / "tls.crt", files / "tls.key")
        with context.wrap_socket(connection, server_side=True) as tls:
            silent(tls)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(8):  # the queue of a server that accepts nothing
            other = stack.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        expected = {full.getsockname()[1]: "timed out: nothing answers at this address",
                    stack.enter_context(listening(silent)): "timed out: connected, but no TLS within 10 s",
                    stack.enter_context(listening(hang)): "timed out: no answer within 10 s"}
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(3))
        for message, result in zip(expected.values(), pool.map(lambda port: ask(files, port), expected)):
            failed(result, message)


@pytest.mark.parametrize("args,message", [
    (["--webhook", "host", "--ca=CA"], '--webhook: "host": expected HOST:PORT or [ADDRESS]:PORT'),
    (["--webhook", "host:0", "--ca=CA"], '--webhook: "host:0": expected HOST:PORT'),
    (["--webhook", "::1:443", "--ca=CA"], '--webhook: "::1:443": expected HOST:PORT'),
    (["--webhook", "host:443"], "--webhook needs --ca"),
    (["--ca=CA"], "--ca and --server-name go with --webhook"),
    (["--server-name=x"], "--ca and --server-name go with --webhook"),
    (["--webhook", "host:443", "--ca=CA", "--show-rules"], "--webhook asks about a pod of its own"),
    (["--webhook", "host:443", "--ca=CA", "-f", "x"], "--webhook asks about a pod of its own"),
    (["--webhook", "host:443", "--ca=CA", "-o", "json"], "--webhook prints text"),
    (["--webhook", "host:443", "--ca=CA", "--server-name="], "--server-name: expected"),
    (["--webhook", "host:443", "--ca=KEY"], "expected a certificate"),
])
def test_wrong(files, args, message):
    args = [arg.replace("CA", str(files / "ca.crt")).replace("KEY", str(files / "ca.key")) for arg in args]
    result = lib.run([injection.BINARY, "check", *args])
    assert (result.returncode, result.stdout) == (64, "") and message in result.stderr
