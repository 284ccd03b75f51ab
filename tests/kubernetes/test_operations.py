# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done to a running installation, while pods are created all the time."""

import base64
import collections
import concurrent.futures
import contextlib
import json
import signal
import ssl
import subprocess
import threading
import time

import lib
from apiserver import names, pod, until

OURS = ["istio-init", "istio-proxy"]
CREATES, THREADS = 2000, 8


class Stream:
    """Creates pods in a namespace from several threads, until stopped; what came of each."""

    def __init__(self, api, namespace):
        self.api, self.namespace = api, namespace
        self.results, self.stop = [], threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(THREADS)
        self.work = [self.pool.submit(self.run) for _ in range(THREADS)]

    def run(self):
        while not self.stop.is_set():
            answer = self.api.create(self.namespace, pod("stream-"))
            started = [(one["name"], one["image"]) for one in answer.object["spec"].get("initContainers", [])] \
                if answer.status == 201 else answer.message
            self.results.append((answer.status, started))

    def last_containers(self):
        status, started = self.results[-1]
        assert status == 201, started
        return started

    def finish(self):
        """[(status, init containers or the message)]"""
        self.stop.set()
        for work in self.work:
            work.result()
        self.pool.shutdown()
        return self.results


@contextlib.contextmanager
def stream(api, namespace):
    running = Stream(api, namespace)
    try:
        yield running
    finally:
        running.finish()


def serial(pem):
    return lib.checked(lib.run(["openssl", "x509", "-noout", "-serial"], input=pem)).strip()


def shown(replica):
    """The serial number of the certificate that the server shows to who connects now."""
    return serial(ssl.get_server_certificate((replica.address, replica.installation.ports["https"])))


def test_rotation_and_reload(server, install, figure):
    """A new certificate and a new configuration again and again, bad ones between them: no create fails.

    Each pod is wholly of one configuration, and what was wrong is counted.
    """
    installation = install(server)
    [replica] = installation.start()
    server.api.namespace("reload", installation.labels)
    configmap = installation.objects["ConfigMap"]
    path = f"/api/v1/namespaces/{installation.namespace}/configmaps/{configmap['metadata']['name']}"
    text, rounds, bad, slowest = installation.config, 0, 0, 0
    with stream(server.api, "reload") as creates:
        while len(creates.results) < CREATES:
            rounds += 1
            new, image = text.replace(":1", f":{rounds}"), f"example.org/proxy:{rounds}"
            if rounds % 4 == 3:
                new, bad = "overlays: [", bad + 1
            server.api.must("PUT", path, {**configmap, "data": dict.fromkeys(configmap["data"], new)})
            installation.cert()
            installation.secret()
            installation.mount()
            started = time.monotonic()
            certificate = serial((installation.dir / "tls/tls.crt").read_text())
            until(lambda: shown(replica) == certificate, 5)
            if rounds % 4 == 3:
                until(lambda: replica.metrics()['istio_inject_config_reloads_total{result="failed"}'] >= bad, 5)
            else:
                until(lambda: ("istio-proxy", image) in creates.last_containers(), 5)
            slowest = max(slowest, time.monotonic() - started)
        results = creates.finish()
    failures = [result for result in results if result[0] != 201]
    assert failures == [], failures[:3]
    assert {tuple(name for name, _ in started) for _, started in results} == {tuple(OURS)}
    mixed = [started for _, started in results if started[0][1].split(":")[1] != started[1][1].split(":")[1]]
    metrics = replica.metrics()
    assert rounds >= 4 and mixed == [], mixed[:3]
    assert metrics['istio_inject_certificate_reloads_total{result="ok"}'] >= rounds
    figure(f"{len(results)} creates under {rounds} rotations and reloads, {bad} of them bad: {len(failures)} failed; "
           f"new files count after {slowest:.1f} s at most")


def test_new_ca(server, install):
    """Another CA: first both in the caBundle, then the leaf, then the new one alone; no create fails."""
    installation = install(server)
    [replica] = installation.start()
    server.api.namespace("new-ca", installation.labels)
    with stream(server.api, "new-ca") as creates:
        old = (installation.dir / "tls/ca.crt").read_bytes()
        new = base64.b64decode(installation.cert(directory="new"))
        for step, bundle in enumerate((old + new, new)):
            text = base64.b64encode(bundle).decode()
            installation.webhooks(lambda webhook: webhook["clientConfig"].update(caBundle=text))
            time.sleep(2)
            if not step:
                for name in ("tls.crt", "tls.key"):
                    (installation.dir / "tls" / name).write_bytes((installation.dir / "new" / name).read_bytes())
                before = shown(replica)
                installation.secret()
                installation.mount()
                until(lambda: shown(replica) != before, 5)
        # Another replica is new connections, which are checked anew
        fresh = installation.start()[-1]
        installation.route([fresh])
        replica.signal(signal.SIGTERM)
        assert replica.process.wait(20) == 0
        seen = len(creates.results)
        until(lambda: len(creates.results) > seen + 50)
        results = creates.finish()
    assert [result for result in results if result[0] != 201] == []
    assert fresh.metrics()["sidecar_injection_success_total"] > 50


def test_kill(server, install, figure):
    """kill -9 of the only replica: what fails is what failurePolicy says, and only where a label asks for us."""
    installation = install(server)
    [replica] = installation.start()
    server.api.namespace("kill", installation.labels)
    server.api.namespace("kill-no-label")
    for policy, wanted in (("Fail", 500), ("Ignore", 201)):
        installation.webhooks(lambda webhook, policy=policy: webhook.update(failurePolicy=policy))
        time.sleep(1)
        with stream(server.api, "kill") as asked, stream(server.api, "kill-no-label") as others:
            until(lambda: len(asked.results) > 100)
            replica.signal(signal.SIGKILL)
            replica.process.wait()
            installation.route([])
            dead = time.monotonic()
            until(lambda: asked.results[-1] == (201, []) if wanted == 201 else asked.results[-1][0] == wanted)
            time.sleep(0.5)
            replica.start()
            installation.route([replica])
            until(lambda: names_of(asked.results[-1]) == OURS, 60)
            down = time.monotonic() - dead
            of_asked, of_others = asked.finish(), others.finish()
        count = collections.Counter(status for status, _ in of_asked)
        figure(f"kill -9, {policy}: {count[201]} creates passed, {count[500]} failed, in {down:.1f} s; "
               f"{len(of_others)} elsewhere, none failed")
        assert {status for status, _ in of_others} == {201}
        assert set(count) == {201, wanted}
        assert all("failed calling webhook" in message for status, message in of_asked if status == 500)
        without = sum(result == (201, []) for result in of_asked)
        assert (without > 0) == (policy == "Ignore")


def names_of(result):
    return [name for name, _ in result[1]] if result[0] == 201 else None


def test_termination(server, install, figure):
    """SIGTERM of one of two replicas, its end told to kube-proxy a second later, and a new one: no create fails."""
    installation = install(server)
    installation.start(2)
    server.api.namespace("termination", installation.labels)
    with stream(server.api, "termination") as creates:
        for number in range(4):
            old, other = installation.replicas[-2:]
            seen = len(creates.results)
            until(lambda seen=seen: len(creates.results) > seen + 50)
            old.signal(signal.SIGTERM)
            until(lambda old=old: old.get(installation.readiness)[0] != 200, 2)
            time.sleep(1)
            installation.route([other])
            assert old.process.wait(20) == 0, old.log.read_text()[-1000:]
            installation.start()
            installation.route(installation.replicas[-2:])
        results = creates.finish()
    figure(f"SIGTERM of one of two replicas, {number + 1} times: {len(results)} creates, "
           f"{sum(status != 201 for status, _ in results)} failed")
    assert [result for result in results if result[0] != 201 or names_of(result) != OURS] == []


def test_both_replicas_gone(server, install):
    """No endpoint at all is a refused connection: an answer at once, which says what to look at."""
    installation = install(server)
    server.api.namespace("gone", installation.labels)
    installation.settle(lambda answer: answer.status == 500)
    started = time.monotonic()
    answer = server.api.create("gone", pod("a"))
    assert answer.status == 500 and time.monotonic() - started < 5, answer
    assert installation.name in answer.message and "refused" in answer.message, answer.message
    installation.start()
    assert names(server.api.create("gone", pod("b"))) == OURS


def test_one_write(server, install, tmp_path):
    """Each answer leaves in one write: two would cost 40 ms, by Nagle's algorithm and delayed acknowledgements."""
    installation = install(server)
    [replica] = installation.start()
    server.api.namespace("write", installation.labels)
    trace = tmp_path / "trace"
    server.api.create("write", pod("warm-"))  # its handshake is over when the program is traced
    strace = subprocess.Popen(["strace", "-f", "-o", trace, "-e", "trace=read,recvfrom,write,writev,sendto,sendmsg",
                               "-p", str(replica.process.pid)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True)
    try:
        assert "attached" in strace.stderr.readline()
        for number in range(5):
            assert names(server.api.create("write", pod(f"a{number}", automountServiceAccountToken=False))) == OURS
    finally:
        strace.send_signal(signal.SIGINT)
        strace.communicate()
    calls = trace.read_text().splitlines()
    # TLS records of application data (type 23) on a connection; logs go to standard error
    answers = [call for call in calls if any(f"{name}(" in call for name in ("write", "writev", "sendto", "sendmsg"))
               and r'"\27\3\3' in call]
    assert len(answers) == 5, json.dumps(calls, indent=1)
