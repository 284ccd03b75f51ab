# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody who creates a pod sees when it is refused, and when the webhook's answer is none."""

import json
import signal
import time

import pytest
from apiserver import names, pod
from installation import istio_inject

PORTS = "traffic.sidecar.istio.io/excludeInboundPorts"
BAD = {PORTS: "80,x"}
LINE = f'annotation {PORTS}: "80,x": item "x": expected a port (1-65535) or a range a-b'
# What the answer lacks → how the API server puts it
FAULTS = {
    "/slow/3": "context deadline exceeded",
    "/cut": "unexpected EOF",
    "/uid": "expected response.uid",
    "/status/500": "an error on the server",
    "/garbage": "couldn't get version/kind",
    "/broken": "nonexistent key",
}


@pytest.mark.parametrize("version", ["current", "1.35"])
def test_bad_annotation(servers, install, version):
    """400, and our one line after the API server's words; so for a dry run, and nothing is stored."""
    server = servers(version)
    installation = install(server)
    installation.start()
    server.api.namespace("refused", installation.labels)
    name = "rev.namespace.sidecar-injector.istio.io"
    for dry in (True, False):
        answer = server.api.create("refused", pod("a", annotations=BAD), dry)
        assert answer.status == 400 and answer.object["reason"] == "BadRequest", answer
        assert answer.message == f'admission webhook "{name}" denied the request: {LINE}'
    assert server.api("GET", "/api/v1/namespaces/refused/pods/a").status == 404
    seen = server.kubectl("create", "-n", "refused", "-f", "-", input=json.dumps(pod("a", annotations=BAD)))
    assert seen.returncode == 1 and seen.stderr.count("\n") == 1, seen
    assert seen.stderr.startswith("Error from server") and seen.stderr.rstrip().endswith(f"denied the request: {LINE}")
    assert installation.replicas[0].metrics()['sidecar_injection_failure_total{reason="annotation"}'] == 3


def test_warnings(server, install):
    """Our warnings reach the client."""
    installation = install(server)
    installation.start()
    server.api.namespace("warned", installation.labels)
    answer = server.api.create("warned", pod("a", {"sidecar.istio.io/inject": "maybe"}))
    assert names(answer) == ["istio-init", "istio-proxy"]
    assert any("maybe" in text and "sidecar.istio.io/inject" in text for text in answer.warnings), answer.warnings


def test_wrong_ca(server, install):
    """A caBundle of another CA is accepted, then no pod can be created; check --webhook had said so, by its name."""
    installation = install(server)
    [replica] = installation.start()
    server.api.namespace("wrong-ca", installation.labels)
    server.api.namespace("no-label")
    other = installation.cert(directory="other")
    expected = f"{installation.name}.{installation.namespace}.svc"
    asked = ("check", "--webhook", f"{replica.address}:{installation.ports['https']}", "--server-name")
    good = istio_inject(*asked, expected, "--ca", installation.dir / "tls/ca.crt")
    assert good.returncode == 0 and "TLSv1.3" in good.stdout.replace("TLS 1.3", "TLSv1.3"), good
    bad = istio_inject(*asked, expected, "--ca", installation.dir / "other/ca.crt")
    assert bad.returncode == 69 and bad.stderr.count("\n") == 1 and "CA" in bad.stderr, bad
    misnamed = istio_inject(*asked, "another.svc", "--ca", installation.dir / "tls/ca.crt")
    assert misnamed.returncode == 69 and expected in misnamed.stderr, misnamed

    installation.webhooks(lambda webhook: webhook["clientConfig"].update(caBundle=other))
    installation.settle(lambda answer: answer.status != 201)
    answer = server.api.create("wrong-ca", pod("a"))
    assert answer.status == 500 and "failed calling webhook" in answer.message and "x509" in answer.message, answer
    assert names(server.api.create("no-label", pod("a"))) == []
    installation.webhooks(lambda webhook: webhook.update(failurePolicy="Ignore"))
    installation.settle(lambda answer: answer.status == 201)
    assert names(server.api.create("wrong-ca", pod("b"))) == []


@pytest.mark.parametrize("path", FAULTS)
def test_faulty_answer(server, install, rival, path):
    """Our configuration before a server that fails: refused by Fail, in without a proxy by Ignore."""
    installation = install(server)
    namespace = "fault-" + path.strip("/").replace("/", "-")
    server.api.namespace(namespace, installation.labels)
    server.api.namespace(f"{namespace}-no-label")

    def change(webhook):
        webhook |= {"clientConfig": rival.client_config(path), "timeoutSeconds": 1}
    installation.webhooks(change)
    installation.settle(lambda answer: answer.status == 500 and FAULTS[path] in answer.message)
    assert server.api.create(namespace, pod("a")).status == 500
    assert names(server.api.create(f"{namespace}-no-label", pod("a"))) == []
    installation.webhooks(lambda webhook: webhook.update(failurePolicy="Ignore"))
    if path == "/broken":
        # A patch that does not apply is no failure to call: Ignore does not cover it
        time.sleep(1)
        assert server.api.create(namespace, pod("a")).status == 500
        return
    installation.settle(lambda answer: answer.status == 201)
    assert names(server.api.create(namespace, pod("b"))) == []


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_stopped_process(server, install, policy):
    """Ours, stopped: nobody answers until the time is up; once it goes on all is as before."""
    installation = install(server)
    [replica] = installation.start()
    namespace = f"stopped-{policy.lower()}"
    server.api.namespace(namespace, installation.labels)
    installation.webhooks(lambda webhook: webhook.update(timeoutSeconds=1, failurePolicy=policy))
    time.sleep(1)  # a change that nothing but the time shows
    replica.signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        answer = server.api.create(namespace, pod("a"))
        assert 0.9 < time.monotonic() - started < 5
        if policy == "Fail":
            assert answer.status == 500 and "deadline" in answer.message, answer
        else:
            assert names(answer) == []
    finally:
        replica.signal(signal.SIGCONT)
    assert names(server.api.create(namespace, pod("b"))) == ["istio-init", "istio-proxy"]
