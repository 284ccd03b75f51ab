# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS: what is spoken and what is not, keys, bad files, peers that speak something else."""

import random
import re
import shutil
import socket
import ssl
import subprocess
import time

import pytest
import serving
from serving import eventually, is_closed, post, review

NO_EXTENDED_MASTER_SECRET = 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving.Server(tmp_path_factory.mktemp("serve"), "--log_output_level=debug") as server:
        yield server
        assert server.process.poll() is None


def s_client(server, *args, say=b"", timeout=10):
    run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", server.folder / "ca.crt",
                          "-verify_return_error", *args], input=say, capture_output=True, timeout=timeout, check=False)
    return (run.stdout + run.stderr).decode(errors="replace")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(server, version):
    context = server.context()
    context.minimum_version = context.maximum_version = version
    with server.tls(context) as sock:
        assert server.ask(review(), sock).status == 200
        # one record after the other, and one that is full
        assert server.ask(review(serving.pod(annotations={"a": "x" * 100_000})), sock).status == 200


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions(server, version):
    text = s_client(server, version, "-cipher", "ALL:@SECLEVEL=0")
    assert "protocol version" in text and "Cipher is (NONE)" in text


# Kx, Au, Enc, Mac of others: RSA without ECDHE, DHE, CBC, CCM, PSK, none
@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "AES256-SHA", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA",
                                    "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-CCM", "PSK-AES128-GCM-SHA256", "eNULL"])
def test_other_ciphers(server, cipher):
    assert "Cipher is (NONE)" in s_client(server, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")


CIPHERS = {"-tls1_2": ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"],
           "-tls1_3": ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]}


@pytest.mark.parametrize("version, cipher", [(v, c) for v, names in CIPHERS.items() for c in names])
def test_ciphers(server, version, cipher):
    option = "-cipher" if version == "-tls1_2" else "-ciphersuites"
    assert f"Cipher is {cipher}" in s_client(server, version, option, cipher)


@pytest.mark.parametrize("version", CIPHERS)
def test_groups(tmp_path, version):
    """With a key of RSA: that of a certificate of ECDSA must be among what a client of TLS 1.2 offers."""
    serving.make_ca(tmp_path)
    serving.make_leaf(tmp_path, kind="rsa2048")
    with serving.Server(tmp_path) as server:
        for group, key in {"X25519": "X25519, 253 bits", "P-256": "ECDH, prime256v1", "P-384": "ECDH, secp384r1"}.items():
            assert f"Server Temp Key: {key}" in s_client(server, version, "-groups", group)


def test_other_groups(server):
    assert "Cipher is (NONE)" in s_client(server, "-tls1_3", "-groups", "P-521")
    # the first is a guess that the server corrects
    assert "Server Temp Key: X25519" in s_client(server, "-tls1_3", "-groups", "P-521:X25519")


def test_extended_master_secret(server):
    assert "Extended master secret: yes" in s_client(server, "-tls1_2")
    context = server.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= NO_EXTENDED_MASTER_SECRET
    with server.tls(context) as sock:
        assert server.ask(review(), sock).status == 200


def test_renegotiation(server):
    """Refused by a warning; the connection could go on, but this client ends it."""
    text = s_client(server, "-tls1_2", say=b"R\n")
    assert "RENEGOTIATING" in text and "no renegotiation" in text
    assert server.ask(review()).status == 200


def test_no_client_certificate_and_no_tickets(server):
    for version in CIPHERS:
        text = s_client(server, version)
        assert "No client certificate CA names sent" in text
        assert "New Session Ticket" not in text and "TLS session ticket:" not in text
        assert "Verify return code: 0 (ok)" in text


@pytest.mark.parametrize("offered, chosen", {("http/1.1",): "http/1.1", ("h2", "http/1.1"): "http/1.1", (): None}.items())
def test_alpn(server, offered, chosen):
    context = server.context()
    if offered:
        context.set_alpn_protocols(list(offered))
    with server.tls(context) as sock:
        assert sock.selected_alpn_protocol() == chosen


def test_alpn_of_others(server):
    context = server.context()
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        server.tls(context)


@pytest.mark.parametrize("kind", ["prime256v1", "secp384r1", "rsa2048", "rsa3072"])
@pytest.mark.parametrize("pkcs8", [False, True])
def test_keys(tmp_path, kind, pkcs8):
    serving.make_ca(tmp_path, kind=kind)
    serving.make_leaf(tmp_path, kind=kind)
    if pkcs8:
        serving.openssl("pkcs8", "-topk8", "-nocrypt", "-in", tmp_path / "tls.key", "-out", tmp_path / "new.key")
        (tmp_path / "new.key").rename(tmp_path / "tls.key")
    with serving.Server(tmp_path) as server:
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            context = server.context()
            context.minimum_version = context.maximum_version = version
            with server.tls(context) as sock:
                assert server.ask(review(), sock).status == 200


def test_chain(tmp_path):
    """An intermediate CA that the client does not know goes along."""
    serving.make_ca(tmp_path)
    serving.make_key(tmp_path / "middle.key", "prime256v1")
    serving.openssl("req", "-new", "-key", tmp_path / "middle.key", "-subj", "/CN=middle",
                    "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
                    "-out", tmp_path / "middle.csr")
    serving.sign(tmp_path, "middle")
    serving.make_leaf(tmp_path, ca="middle")
    with open(tmp_path / "tls.crt", "ab") as leaf:
        leaf.write((tmp_path / "middle.crt").read_bytes())
    with serving.Server(tmp_path) as server:
        assert server.ask(review()).status == 200


def encrypt(folder):
    serving.openssl("ec", "-in", folder / "tls.key", "-aes128", "-passout", "pass:x", "-out", folder / "new.key")
    shutil.move(folder / "new.key", folder / "tls.key")


def encrypt8(folder):
    serving.openssl("pkcs8", "-topk8", "-in", folder / "tls.key", "-passout", "pass:x", "-out", folder / "new.key")
    shutil.move(folder / "new.key", folder / "tls.key")


def cut(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]) + "!!!\n")


BAD = {
    "other key": (lambda d: serving.make_key(d / "tls.key", "prime256v1"), "the key is not that of the certificate"),
    "RSA 1024": (lambda d: serving.make_leaf(d, kind="rsa1024"), "RSA from 2048 bits"),
    "P-521": (lambda d: serving.make_leaf(d, kind="secp521r1"), "tls.crt"),
    "encrypted": (encrypt, "not encrypted"),
    "encrypted PKCS#8": (encrypt8, "not encrypted"),
    "cut key": (lambda d: cut(d / "tls.key"), "expected a private key in PEM"),
    "cut certificate": (lambda d: cut(d / "tls.crt"), "tls.crt"),
    "empty key": (lambda d: (d / "tls.key").write_text(""), "expected a private key in PEM"),
    "empty certificate": (lambda d: (d / "tls.crt").write_text(""), "expected a certificate in PEM"),
    "swapped": (lambda d: ((d / "tls.key").rename(d / "x"), (d / "tls.crt").rename(d / "tls.key"),
                           (d / "x").rename(d / "tls.crt")), "expected a certificate in PEM"),
    "bytes": (lambda d: (d / "tls.crt").write_bytes(bytes(range(256))), "expected a certificate in PEM"),
    "config": (lambda d: (d / "config.yaml").write_text("frob: 1\n"), "config.yaml:1: frob: expected"),
}


def run_once(folder, *args):
    return subprocess.run([serving.injection.BINARY, "serve", "-c", folder / "config.yaml", "--tls-cert", folder / "tls.crt",
                           "--tls-key", folder / "tls.key", "--listen", "127.0.0.1:" + str(serving.free_port()), "--http=", *args],
                          env={}, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("name", BAD)
def test_bad_at_start(tmp_path, name):
    change, message = BAD[name]
    serving.make_ca(tmp_path)
    serving.make_leaf(tmp_path)
    (tmp_path / "config.yaml").write_text(serving.injection.CONFIG)
    change(tmp_path)
    run = run_once(tmp_path)
    assert run.returncode == 64 and message in run.stderr, run.stderr
    assert run.stdout == "" and "serves" not in run.stderr
    assert len([line for line in run.stderr.splitlines() if "error" in line]) == 1


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "config.yaml"])
def test_missing_at_start(tmp_path, name):
    serving.make_ca(tmp_path)
    serving.make_leaf(tmp_path)
    (tmp_path / "config.yaml").write_text(serving.injection.CONFIG)
    (tmp_path / name).unlink()
    run = run_once(tmp_path)
    assert run.returncode == 1 and f"{name}: No such file or directory" in run.stderr


@pytest.mark.parametrize("option, value", {"--listen": "8443", "--http": "[::1]", "--drain": "soon", "--max-connections": "0"}.items())
def test_bad_options(tmp_path, option, value):
    run = run_once(tmp_path, f"{option}={value}")
    assert run.returncode == 64 and option in run.stderr and value in run.stderr
    assert run_once(tmp_path, f"{option}=").returncode == (1 if option == "--http" else 64)


def test_address_in_use(server, tmp_path):
    run = run_once(tmp_path, f"--listen=127.0.0.1:{server.port}")
    assert run.returncode == 1 and "--listen" in run.stderr and "in use" in run.stderr


OTHERS = {"HTTP": b"GET /inject HTTP/1.1\r\nHost: x\r\n\r\n", "SSH": b"SSH-2.0-OpenSSH_9.2\r\n", "SSLv2": b"\x80\x2e\x01\x00\x02",
          "zeros": bytes(1000), "bytes": random.Random(1).randbytes(5000), "PROXY": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n"}


@pytest.mark.parametrize("name", OTHERS)
def test_other_protocols(server, name):
    """One debug line, and the connection ends."""
    before = len(server.log().splitlines())
    with server.tcp() as sock:
        sock.sendall(OTHERS[name])
        sock.settimeout(3)
        while not is_closed(sock):
            continue
    lines = server.log().splitlines()[before:]
    assert len(lines) == 1 and "debug: 127.0.0.1: no TLS" in lines[0], lines
    assert server.ask(review()).status == 200


def test_gone_before_the_handshake(server):
    """A probe of a port by TCP alone, as load balancers make them."""
    before = len(server.log().splitlines())
    server.tcp().close()
    lines = eventually(lambda: server.log().splitlines()[before:])
    assert len(lines) == 1 and "debug: " in lines[0], lines


def test_client_that_does_not_trust(server, tmp_path):
    """The line that tells of a wrong caBundle."""
    serving.make_ca(tmp_path, name="other")
    context = ssl.create_default_context(cafile=tmp_path / "other.crt")
    for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
        context.minimum_version = context.maximum_version = version
        before = len(server.log().splitlines())
        with pytest.raises(ssl.SSLCertVerificationError):
            server.tls(context)
        lines = eventually(lambda: server.log().splitlines()[before:])
        assert len(lines) == 1 and "warn" in lines[0] and "caBundle" in lines[0], lines


class Recorder:
    """What a client says in a whole connection: a handshake and a request, with its bytes as they went out."""

    def __init__(self, server, version):
        context = server.context()
        context.minimum_version = context.maximum_version = version
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.sock = server.tcp()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self, send):
        """The status of the answer; @send is given all that is to be sent."""
        with self.sock:
            self.step(self.tls.do_handshake, send)
            self.tls.write(post(review()))
            send(self.sock, self.outgoing.read())
            text = b""
            while b"\r\n\r\n" not in text:
                text += self.step(lambda: self.tls.read(4096), send)
            return int(re.match(rb"HTTP/1.1 (\d+)", text)[1])

    def step(self, function, send):
        while True:
            try:
                return function()
            except ssl.SSLWantReadError:
                send(self.sock, self.outgoing.read())
                data = self.sock.recv(65536)
                if not data:
                    raise EOFError from None
                self.incoming.write(data)
            finally:
                send(self.sock, self.outgoing.read())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_cut_and_delayed(server, version):
    """However the bytes are cut, and with pauses between them, the answer is the same."""
    rng = random.Random(version)

    def dribble(sock, data):
        while data:
            n = rng.choice([1, 1, 2, 5, 6, 50, 1000])
            sock.sendall(data[:n])
            data = data[n:]
            if rng.random() < 0.05:
                time.sleep(0.002)

    for _ in range(10):
        assert Recorder(server, version).run(dribble) == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_mutated(server, version):
    """A byte that is another, lost, or twice, a piece that goes missing: an end, in good time, and nobody else sees it."""
    rng = random.Random(version)
    descriptors = server.descriptors()

    def mutate(sock, data):
        if data and rng.random() < 0.5:
            at = rng.randrange(len(data))
            data = rng.choice([
                data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1:],
                data[:at] + data[at + 1:],
                data[:at] + data[at:at + 1] + data[at:],
                data[:at] + data[at + rng.randrange(200):],
                data[:at] + rng.randbytes(rng.randrange(200)) + data[at:],
                data + data,
                data[:at],
            ])
        sock.sendall(data)

    answered = 0
    for _ in range(100):
        recorder = Recorder(server, version)
        recorder.sock.settimeout(0.1)
        try:
            answered += recorder.run(mutate) == 200
        except (OSError, EOFError, ValueError):
            pass
    assert answered < 90
    assert Recorder(server, version).run(lambda sock, data: sock.sendall(data)) == 200
    assert server.ask(review()).status == 200
    eventually(lambda: server.descriptors() <= descriptors, 40)


def test_answer_of_many_records(tmp_path):
    """A patch that is longer than a record of TLS."""
    config = serving.injection.CONFIG.replace("image: example.org/proxy:1}", "image: example.org/proxy:1, env: [{name: X, value: '"
                                              + "x" * 100_000 + "'}]}")
    with serving.Server(tmp_path, config=config) as server, server.tls() as sock:
        for _ in range(5):
            answer = server.ask(review(), sock)
            assert len(answer.body) > 130_000 and answer.json()["patch"]
