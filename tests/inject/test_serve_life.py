# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of the webhook: start, privileges, reload, stop."""

import base64
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import lib
import pytest
import serving
from serving import answer_of, eventually, injection, is_closed, post, review

OTHER_IMAGE = injection.CONFIG.replace("proxy:1}", "proxy:2}")


def image(answer):
    return "proxy:2" if b"proxy:2" in base64.b64decode(answer.json()["patch"]) else "proxy:1"


def serial(server):
    with server.tls() as sock:
        return sock.getpeercert()["serialNumber"]


class Load:
    """Requests without end, on connections that stay and on new ones; what has gone wrong is in failed."""

    def __init__(self, server):
        self.server, self.failed, self.done, self.over = server, [], 0, False
        self.threads = [threading.Thread(target=self.run, args=(keep,)) for keep in (True, False)]

    def run(self, keep):
        sock = self.server.tls()
        while not self.over:
            try:
                answer = self.server.ask(review(), sock)
                assert answer.status == 200 and answer.json()["allowed"] and answer.json()["patch"]
                self.done += 1
                if not keep or answer.closes:
                    sock.close()
                    sock = self.server.tls()
            except Exception as error:  # whatever it is
                self.failed.append(repr(error))
                return
        sock.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error):
        self.over = True
        for thread in self.threads:
            thread.join()


def test_privileges(tmp_path):
    with serving.Server(tmp_path) as server:
        assert server.status("Seccomp") == "2" and server.status("NoNewPrivs") == "1"
        for name in "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
            assert server.status(name) == "0" * 16, name
        assert len(server.lines("runs as root")) == 1
        assert server.status("Threads") == "1"
        server.ask(review())
        children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        assert children.read_text() == ""


def test_as_any_user():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        serving.make_ca(folder)
        serving.make_leaf(folder)
        (folder / "tls.key").chmod(0o644)
        with serving.Server(folder, user=lib.NOBODY, group=lib.NOBODY, extra_groups=[]) as server:
            assert server.status("Seccomp") == "2" and server.status("Uid") == str(lib.NOBODY)
            assert not server.lines("warn")
            assert server.ask(review()).status == 200
            assert server.stop() == 0


def test_both_families(tmp_path):
    with serving.Server(tmp_path, "--listen", f":{(port := serving.free_port())}") as server:
        for host in "127.0.0.1", "::1":
            with socket.create_connection((host, port), timeout=10) as raw, \
                    server.context().wrap_socket(raw, server_hostname="localhost") as sock:
                assert server.ask(review(), sock).status == 200
        server.host = "127.0.0.1"


def test_without_plain_port(tmp_path):
    with serving.Server(tmp_path, plain=False) as server:
        assert server.ask(review()).status == 200
        with pytest.raises(ConnectionRefusedError):
            server.get("/healthz")


def test_answer_in_one_write(tmp_path):
    """A second one waits for the acknowledgement of the first, which is delayed: 40 ms."""
    with serving.Server(tmp_path) as server, server.tls() as sock:
        server.ask(review(), sock)
        trace = subprocess.Popen(["strace", "-p", str(server.process.pid), "-e", "trace=network,write,writev", "-o",
                                  tmp_path / "trace"], stderr=subprocess.PIPE, text=True)
        trace.stderr.readline()
        for _ in range(3):
            server.ask(review(), sock)
        trace.terminate()
        trace.communicate()
        calls = [line.split("(")[0] for line in (tmp_path / "trace").read_text().splitlines()]
        assert calls.count("sendto") == 3 and "writev" not in calls
        # a line of the log each
        assert calls.count("write") == 3
    nodelay = "TCP_NODELAY"
    run = subprocess.run(["strace", "-e", "trace=setsockopt", injection.BINARY, "serve", "-c", "/nowhere", "--listen",
                          f"127.0.0.1:{serving.free_port()}", "--http="], capture_output=True, text=True, env={}, check=False)
    assert nodelay in run.stderr


def kubernetes_volume(folder, name, **files):
    """The files as a kubelet lays out a Secret or ConfigMap: links to ..data, itself a link to a directory with a time."""
    folder.mkdir(exist_ok=True)
    new = folder / f"..{name}"
    new.mkdir()
    for path, text in files.items():
        (new / path.replace("_", ".")).write_text(text)
        link = folder / path.replace("_", ".")
        if not link.is_symlink():
            link.symlink_to(f"..data/{link.name}")
    (folder / "..data_tmp").symlink_to(new.name)
    (folder / "..data_tmp").rename(folder / "..data")


def leaf(folder, name):
    serving.make_leaf(folder, name=name)
    return {"tls_crt": (folder / f"{name}.crt").read_text(), "tls_key": (folder / f"{name}.key").read_text()}


def test_reload_of_mounted_volumes_under_load(tmp_path):
    """Certificates and configurations change under a stream of requests: none fails, and each is seen."""
    serving.make_ca(tmp_path)
    leaves = [leaf(tmp_path, f"leaf{i}") for i in range(4)]
    kubernetes_volume(tmp_path / "tls", "0", **leaves[0])
    kubernetes_volume(tmp_path / "config", "0", config_yaml=injection.CONFIG)
    args = ["-c", tmp_path / "config/config.yaml", "--tls-cert", tmp_path / "tls/tls.crt", "--tls-key", tmp_path / "tls/tls.key"]
    with serving.Server(tmp_path, *args, make=False, config=None) as server:
        with Load(server) as load, server.tls() as old:
            for i in range(1, 4):
                was = serial(server)
                kubernetes_volume(tmp_path / "tls", str(i), **leaves[i])
                kubernetes_volume(tmp_path / "config", str(i), config_yaml=OTHER_IMAGE if i % 2 else injection.CONFIG)
                eventually(lambda: serial(server) != was, 10)
                eventually(lambda: image(server.ask(review())) == ("proxy:2" if i % 2 else "proxy:1"), 10)
                shutil.rmtree(tmp_path / f"tls/..{i - 1}")
                # connections that are open stay
                assert server.ask(review(), old).status == 200
        assert not load.failed and load.done > 100
        m = server.metrics()
        assert m['istio_inject_certificate_reloads_total{result="ok"}'] == 3
        assert m['istio_inject_config_reloads_total{result="ok"}'] == 3
        assert m['istio_inject_certificate_reloads_total{result="failed"}'] == 0


def test_reload_in_place(tmp_path):
    with serving.Server(tmp_path) as server:
        # at once, so within one tick of the file system's clock, maybe
        for i in range(6):
            (tmp_path / "config.yaml").write_text(injection.CONFIG.replace("proxy:1", f"proxy:{i % 2 + 1}"))
        eventually(lambda: image(server.ask(review())) == "proxy:2", 10)


def test_reload_of_what_is_bad(tmp_path):
    with serving.Server(tmp_path) as server:
        failed = lambda what: server.metrics()[f'istio_inject_{what}_reloads_total{{result="failed"}}']  # noqa: E731
        was = serial(server)
        (tmp_path / "config.yaml").write_text("frob: 1\n")
        eventually(lambda: failed("config") == 1, 10)
        serving.make_key(tmp_path / "tls.key", "prime256v1")
        eventually(lambda: failed("certificate") == 1, 10)
        (tmp_path / "tls.crt").unlink()
        eventually(lambda: failed("certificate") == 2, 10)
        # once a change, not once a look
        time.sleep(3)
        assert failed("config") == 1 and failed("certificate") == 2
        assert len(server.lines("config.yaml:1: frob: expected")) == 1
        assert len(server.lines("the key is not that of the certificate")) == 1
        assert len(server.lines("tls.crt: No such file or directory; the old certificate goes on")) == 1
        assert server.ask(review()).json()["patch"] and serial(server) == was
        assert server.get("/readyz").status == 200
        (tmp_path / "config.yaml").write_text(OTHER_IMAGE)
        serving.make_leaf(tmp_path)
        eventually(lambda: image(server.ask(review())) == "proxy:2" and serial(server) != was, 10)


def test_sighup(tmp_path):
    with serving.Server(tmp_path) as server:
        time.sleep(2.5)
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(server.lines("has been read again")) == 2)
        assert server.ask(review()).status == 200


def test_term_drains(tmp_path):
    with serving.Server(tmp_path, "--drain=2s") as server:
        idle = server.tls()
        assert not server.ask(review(), idle).closes
        with Load(server) as load:
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            ready = eventually(lambda: (a := server.get("/readyz")).status == 503 and a)
            assert ready.body == b"stopping\n"
            assert server.get("/healthz").status == 200
            # on a connection that is there, and on a new one
            for sock in idle, server.tls():
                answer = server.ask(review(), sock)
                assert answer.status == 200 and answer.closes and is_closed(sock)
            time.sleep(max(0, began + 1.5 - time.monotonic()))
            load.over = True
        assert not load.failed and load.done
        assert server.process.wait(5) == 0
        assert 1.9 < time.monotonic() - began < 8
        with pytest.raises(ConnectionRefusedError):
            server.tcp()


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_what_has_begun_is_finished(tmp_path, sig):
    request = post(review())
    with serving.Server(tmp_path, "--drain=1s") as server, server.tls() as sock, server.tls() as idle:
        server.ask(review(), idle)
        sock.sendall(request[:-10])
        time.sleep(0.2)
        server.process.send_signal(sig)
        assert is_closed(idle)
        time.sleep(0.5)
        assert server.process.poll() is None
        sock.sendall(request[-10:])
        answer = answer_of(sock)
        assert answer.status == 200 and answer.closes
        sock.close()
        assert server.process.wait(5) == 0


def test_second_signal(tmp_path):
    with serving.Server(tmp_path) as server:
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 1


def test_killed_and_back(tmp_path):
    with serving.Server(tmp_path) as server, server.tls() as sock:
        server.ask(review(), sock)
        server.process.kill()
        server.process.wait()
        assert is_closed(sock)
        with serving.Server(tmp_path, "--listen", f"127.0.0.1:{server.port}") as again:
            again.port = server.port
            assert again.ask(review()).status == 200


def dated(folder, start, end):
    """A leaf that is valid from and to so many days from now."""
    form = "%Y%m%d%H%M%SZ"
    serving.make_leaf(folder)
    (folder / "index").write_text("")
    (folder / "ca.conf").write_text(f"""\
[ca]
default_ca = default
[default]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = optional
""")
    stamp = lambda days: time.strftime(form, time.gmtime(time.time() + days * 86400))  # noqa: E731
    serving.openssl("ca", "-batch", "-config", folder / "ca.conf", "-cert", folder / "ca.crt", "-keyfile", folder / "ca.key", "-in",
                    folder / "tls.csr", "-out", folder / "tls.crt", "-startdate", stamp(start), "-enddate", stamp(end), "-notext")


@pytest.mark.parametrize("start, end, code, why, warning", [
    (-20, -10, 503, "has expired", "has expired"),
    (10, 90, 503, "is not yet valid", None),
    (-20, 10.5, 200, "ready", "expires in 10 days"),
    (-20, 40, 200, "ready", None),
])
def test_validity(tmp_path, start, end, code, why, warning):
    serving.make_ca(tmp_path)
    dated(tmp_path, start, end)
    with serving.Server(tmp_path) as server:
        ready = server.get("/readyz")
        assert ready.status == code and why in ready.body.decode()
        time.sleep(2.5)
        assert len(server.lines("certificate (serial")) == (warning is not None)
        assert not warning or server.lines(warning)
        assert abs(server.metrics()["istio_inject_certificate_not_after_seconds"] - time.time() - end * 86400) < 60
        # it answers, whatever clients think of it
        context = ssl._create_unverified_context()
        with server.tls(context) as sock:
            assert server.ask(review(), sock).status == 200


def test_json_log(tmp_path):
    with serving.Server(tmp_path, "--log_as_json") as server:
        server.ask(review())
        line = json.loads(server.log().splitlines()[-1])
        assert line["level"] == "info" and line["scope"] == "istio-inject" and re.match("shop/app: Pod app: injected", line["msg"])


def test_variables(tmp_path):
    """Options of the environment."""
    with serving.Server(tmp_path, env={"ISTIO_INJECT_MAX_CONNECTIONS": "3", "ISTIO_INJECT_DRAIN": "0s"}) as server:
        assert not server.lines("no option")
        assert server.stop(signal.SIGTERM) == 0


def test_nothing_of_the_process_is_left_open(tmp_path):
    with serving.Server(tmp_path) as server:
        names = sorted(os.readlink(f"/proc/{server.process.pid}/fd/{fd}").split(":")[0]
                       for fd in os.listdir(f"/proc/{server.process.pid}/fd"))
        assert names == sorted(["/dev/null", str(tmp_path / "log"), str(tmp_path / "log"), "anon_inode", "anon_inode", "socket", "socket"])
