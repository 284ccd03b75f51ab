# SPDX-License-Identifier: GPL-2.0-or-later
"""istio-inject serve, the binary, on ports of its own on loopback, and clients of it."""

import base64
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import injection
import jsonpatch

TIMEOUT = 20
JSON = {"Content-Type": "application/json"}


def openssl(*args, **kwargs):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, timeout=60, **kwargs)


def make_key(path, kind):
    if kind.startswith("rsa"):
        openssl("genrsa", "-out", path, kind[3:])
    else:
        openssl("ecparam", "-name", kind, "-genkey", "-noout", "-out", path)


def make_ca(folder, name="ca", kind="prime256v1"):
    make_key(folder / f"{name}.key", kind)
    openssl("req", "-x509", "-new", "-key", folder / f"{name}.key", "-subj", f"/CN={name}", "-days", "3650",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", folder / f"{name}.crt")


def sign(folder, name, ca="ca", days=90):
    """The request NAME.csr; with what a strict client (Python 3.13) asks of a certificate."""
    extensions = folder / f"{name}.ext"
    extensions.write_text("subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
    openssl("x509", "-req", "-extfile", extensions, "-in", folder / f"{name}.csr", "-CA", folder / f"{ca}.crt",
            "-CAkey", folder / f"{ca}.key", "-CAcreateserial", "-days", str(days), "-copy_extensions", "copy",
            "-out", folder / f"{name}.crt")


def make_leaf(folder, name="tls", ca="ca", kind="prime256v1", days=90, names="DNS:localhost,IP:127.0.0.1"):
    make_key(folder / f"{name}.key", kind)
    openssl("req", "-new", "-key", folder / f"{name}.key", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}",
            "-out", folder / f"{name}.csr")
    sign(folder, name, ca, days)


def eventually(function, seconds=TIMEOUT):
    """What @function returns, once that is true."""
    end = time.monotonic() + seconds
    while not (found := function()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def pod(**metadata):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app", **metadata},
            "spec": {"containers": [{"name": "app", "image": "example.org/app"}]}}


def review(of=None, uid="0", **request):
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": uid, "operation": "CREATE", "namespace": "shop", "object": of or pod(),
                        "kind": {"group": "", "version": "v1", "kind": "Pod"},
                        "resource": {"group": "", "version": "v1", "resource": "pods"}, **request}}


def post(body, path="/inject", version="1.1", headers=None):
    """A request as bytes."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Host": "localhost", **JSON, "Content-Length": len(body), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return f"POST {path} HTTP/{version}\r\n{head}\r\n".encode() + body


class Answer:
    def __init__(self, sock, method="POST"):
        response = http.client.HTTPResponse(sock, method=method)
        response.begin()
        self.status, self.headers, self.body = response.status, response.headers, response.read()
        self.closes = response.will_close

    def json(self):
        return json.loads(self.body)["response"]


def answer_of(sock, method="POST"):
    """The next answer, byte for byte, so that nothing of one behind it is lost."""
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte:
            raise EOFError(text)
        text += byte
    length = int(re.search(rb"(?i)content-length: (\d+)", text)[1])
    while length and (piece := sock.recv(length)):
        text += piece
        length -= len(piece)

    class Fake:
        def makefile(self, _mode):
            import io
            return io.BytesIO(text)

    return Answer(Fake(), method)


def is_closed(sock):
    """Whether nothing more comes but the end."""
    try:
        return sock.recv(1) == b""
    except (ConnectionResetError, ssl.SSLError):
        return True


class Server:
    """A process; its files are in @folder: config.yaml, tls.crt, tls.key, ca.crt, log."""

    def __init__(self, folder, *args, config=injection.CONFIG, host="127.0.0.1", make=True, plain=True, **kwargs):
        self.folder, self.host = folder, host
        if make and not (folder / "tls.crt").exists():
            make_ca(folder)
            make_leaf(folder)
        if config is not None:
            (folder / "config.yaml").write_text(config)
        self.port, self.plain = free_port(), free_port()
        self.log_file = open(folder / "log", "w+")
        self.process = subprocess.Popen(
            [injection.BINARY, "serve", "-c", folder / "config.yaml", "--tls-cert", folder / "tls.crt", "--tls-key",
             folder / "tls.key", "--listen", f"{host}:{self.port}", "--http", f"{host}:{self.plain}" if plain else "", *args],
            stdin=subprocess.DEVNULL, stdout=self.log_file, stderr=self.log_file, **{"env": {}, "cwd": "/", **kwargs})
        end = time.monotonic() + TIMEOUT
        while "serves" not in self.log() and self.process.poll() is None:
            assert time.monotonic() < end, self.log()
            time.sleep(0.01)
        assert self.process.poll() is None, self.log()

    def log(self):
        return (self.folder / "log").read_text()

    def lines(self, word):
        return [line for line in self.log().splitlines() if word in line]

    def stop(self, sig=signal.SIGINT, timeout=TIMEOUT):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        status = self.process.wait(timeout)
        self.log_file.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log_file.close()
        assert "Sanitizer" not in self.log() and "runtime error" not in self.log(), self.log()

    def tcp(self, port=None, **kwargs):
        return socket.create_connection((self.host, port or self.port), timeout=TIMEOUT, **kwargs)

    def context(self):
        context = ssl.create_default_context(cafile=self.folder / "ca.crt")
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 has it
        return context

    def tls(self, context=None, name="localhost"):
        raw = self.tcp()
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return (context or self.context()).wrap_socket(raw, server_hostname=name, suppress_ragged_eofs=False)

    def ask(self, body, sock=None, **kwargs):
        """The answer to one review."""
        with contextlib.nullcontext(sock) if sock else self.tls() as s:
            s.sendall(post(body, **kwargs))
            return answer_of(s)

    def say(self, data, port="tls"):
        """The answer to bytes, and whether the connection ended behind it."""
        with self.tls() if port == "tls" else self.tcp(self.plain) as sock:
            sock.sendall(data)
            answer = answer_of(sock, data.split(b" ")[0].decode(errors="replace"))
            sock.settimeout(3)
            return answer, answer.closes and is_closed(sock)

    def get(self, path):
        with self.tcp(self.plain) as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return answer_of(sock, "GET")

    def metrics(self):
        text = self.get("/metrics").body.decode()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#"}

    def status(self, name):
        return re.search(rf"{name}:\s*(\S+)", open(f"/proc/{self.process.pid}/status").read())[1]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def patched(of, answer):
    """The pod, with the patch of an answer."""
    return jsonpatch.apply_patch(of, json.loads(base64.b64decode(answer["patch"])))
