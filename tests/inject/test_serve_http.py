# SPDX-License-Identifier: GPL-2.0-or-later
"""Every kind of request, right and wrong, and its answer."""

import json
import time

import pytest
import serving
from serving import answer_of, is_closed, patched, pod, post, review

BODY = json.dumps(review()).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving.Server(tmp_path_factory.mktemp("serve")) as server:
        yield server
        # whatever was said to it
        assert server.process.poll() is None


def raw(line="POST /inject HTTP/1.1", *, body=BODY, **fields):
    """A request whose fields have _ for - in their names; None leaves one out, a list gives several."""
    fields = {"Host": "localhost", "Content_Type": "application/json", "Content_Length": len(body), **fields}
    head = []
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            if value is not None:
                head.append(f"{name.replace('_', '-')}: {value}\r\n")
    return f"{line}\r\n{''.join(head)}\r\n".encode("latin-1") + body


WRONG = {
    "other path": (404, raw("POST / HTTP/1.1")),
    "like the path": (404, raw("POST /injected HTTP/1.1")),
    "plain port's path": (404, raw("GET /healthz HTTP/1.1")),
    "asterisk": (404, raw("OPTIONS * HTTP/1.1")),
    "other method": (405, raw("GET /inject HTTP/1.1")),
    "unknown method": (405, raw("FROB /inject HTTP/1.1")),
    "no length": (411, raw(Content_Length=None)),
    "chunked": (411, raw(Content_Length=None, Transfer_Encoding="chunked")),
    "identity": (411, raw(Content_Length=None, Transfer_Encoding="identity")),
    "length no number": (400, raw(Content_Length="many")),
    "length negative": (400, raw(Content_Length="-1")),
    "length signed": (400, raw(Content_Length=f"+{len(BODY)}")),
    "length in hexadecimal": (400, raw(Content_Length="0x10")),
    "length empty": (400, raw(Content_Length="")),
    "two lengths": (400, raw(Content_Length=[len(BODY), len(BODY) + 1])),
    "length and encoding": (400, raw(Transfer_Encoding="chunked")),
    "no host": (400, raw(Host=None)),
    "two hosts": (400, raw(Host=["localhost", "localhost"])),
    "no colon": (400, b"POST /inject HTTP/1.1\r\nHost: x\r\nwhat\r\n\r\n"),
    "no name": (400, b"POST /inject HTTP/1.1\r\nHost: x\r\n: what\r\n\r\n"),
    "folded": (400, b"POST /inject HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n"),
    "folded first": (400, b"POST /inject HTTP/1.1\r\n Host: x\r\n\r\n"),
    "blank before colon": (400, b"POST /inject HTTP/1.1\r\nHost : x\r\n\r\n"),
    "control byte": (400, raw(X="a\x01b")),
    "NUL": (400, raw(X="a\x00b")),
    "DEL": (400, raw(X="a\x7fb")),
    "bare CR": (400, raw(X="a\rb")),
    "control byte in a name": (400, b"POST /inject HTTP/1.1\r\nHost: x\r\nX\x01: a\r\n\r\n"),
    "two words": (400, b"POST /inject\r\n\r\n"),
    "one word": (400, b"hello\r\n\r\n"),
    "four words": (400, raw("POST /inject HTTP/1.1 x")),
    "two blanks": (400, raw("POST  /inject HTTP/1.1")),
    "control byte in the path": (400, raw("POST /inj\x01ect HTTP/1.1")),
    "byte of a method": (400, raw("PO(ST /inject HTTP/1.1")),
    "no version": (400, raw("POST /inject HTTQ/1.1")),
    "long version": (400, raw("POST /inject HTTP/1.10")),
    "lower case version": (400, raw("POST /inject http/1.1")),
    "HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/1.2": (505, raw("POST /inject HTTP/1.2")),
    "HTTP/0.9": (505, raw("POST /inject HTTP/0.9")),
    "other expectation": (417, raw(Expect="200-ok")),
    "no type": (415, raw(Content_Type=None)),
    "other type": (415, raw(Content_Type="text/plain")),
    "like the type": (415, raw(Content_Type="application/jsonp")),
    "too large": (413, raw(Content_Length=(8 << 20) + 1, body=b"")),
    "enormous": (413, raw(Content_Length="9" * 40, body=b"")),
    "long line": (431, b"POST /" + b"x" * (16 << 10) + b" HTTP/1.1\r\n"),
    "line without end": (431, b"x" * (16 << 10)),
    "long head": (431, b"POST /inject HTTP/1.1\r\n" + b"A: b\r\n" * 10 + b"X: " + b"y" * (16 << 10)),
    "many fields": (431, b"POST /inject HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n"),
    "empty body": (400, raw(body=b"")),
    "no JSON": (400, raw(body=b"{")),
    "two values": (400, raw(body=BODY + b"{}")),
    "a key twice": (400, raw(body=b'{"a":1,"a":2}')),
    "no object": (400, raw(body=b"[]")),
    "no review": (400, raw(body=b"{}")),
    "a pod": (400, raw(body=json.dumps(pod()).encode())),
    "v1beta1": (400, raw(body=json.dumps({**review(), "apiVersion": "admission.k8s.io/v1beta1"}).encode())),
    "no request": (400, raw(body=json.dumps({**review(), "request": None}).encode())),
    "no uid": (400, raw(body=json.dumps(review(uid="")).encode())),
    "uid no string": (400, raw(body=json.dumps(review(uid=7)).encode())),
    "deep": (400, raw(body=b"[" * 101 + b"]" * 101)),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong(server, name):
    code, request = WRONG[name]
    answer, closed = server.say(request)
    assert answer.status == code, answer.body
    assert closed
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.body.endswith(b"\n") and answer.body.count(b"\n") == 1 and len(answer.body) > 8
    assert (code == 405) == ("Allow" in answer.headers)
    # nothing of it touches anybody else
    assert server.ask(review()).json()["allowed"]


RIGHT = {
    "plain": raw(),
    "path below": raw("POST /inject/cluster/x HTTP/1.1"),
    "query": raw("POST /inject?timeout=10s HTTP/1.1"),
    "absolute form": raw("POST https://localhost:8443/inject?a HTTP/1.1"),
    "parameters": raw(Content_Type="Application/JSON; charset=utf-8"),
    "same length twice": raw(Content_Length=[len(BODY), len(BODY)]),
    "leading zeros": raw(Content_Length="000" + str(len(BODY))),
    "empty lines before": b"\r\n\n\r\n" + raw(),
    "bare LF": raw().replace(b"\r\n", b"\n"),
    "no blank": raw().replace(b": ", b":", 3),
    "any case": raw().replace(b"Content-Length", b"cOnTeNt-lEnGtH"),
    "100 fields": b"POST /inject HTTP/1.1\r\n" + b"A: b\r\n" * 97 + raw().split(b"\r\n", 1)[1],
    "bytes above ASCII": raw(X="\xe4\xff"),
    "empty value": raw(X=""),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right(server, name):
    with server.tls() as sock:
        for _ in range(2):
            sock.sendall(RIGHT[name])
            answer = answer_of(sock)
            assert answer.status == 200 and answer.json()["uid"] == "0"
            assert answer.headers["Content-Type"] == "application/json"
            assert not answer.closes


def test_answers_end_where_they_have_to(server):
    with server.tls() as sock:
        sock.sendall(raw("POST /inject HTTP/1.0", Host=None))
        assert answer_of(sock).status == 200
        assert is_closed(sock)
    for value in "close", "Keep-Alive, Close":
        with server.tls() as sock:
            sock.sendall(raw(Connection=value))
            answer = answer_of(sock)
            assert answer.status == 200 and answer.headers["Connection"] == "close"
            assert is_closed(sock)


def test_each_byte_alone(server):
    with server.tls() as sock:
        for byte in raw():
            sock.sendall(bytes([byte]))
        assert answer_of(sock).status == 200


def test_pipelined(server):
    """Answers come in the order of the requests, whatever the cuts between these are."""
    requests = b"".join(post(review(uid=str(i))) for i in range(200))
    for size in (len(requests), 1000, 16384):
        with server.tls() as sock:
            for at in range(0, len(requests), size):
                sock.sendall(requests[at:at + size])
            assert [answer_of(sock).json()["uid"] for _ in range(200)] == [str(i) for i in range(200)]


def test_pipelined_behind_an_error(server):
    """What stands behind a request that is wrong is not looked at: who knows where it begins."""
    with server.tls() as sock:
        sock.sendall(raw() + WRONG["chunked"][1] + raw())
        assert [answer_of(sock).status for _ in range(2)] == [200, 411]
        assert is_closed(sock)


def test_continue(server):
    with server.tls() as sock:
        head, body = raw(Expect="100-Continue").split(b"\r\n\r\n")
        sock.sendall(head + b"\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert answer_of(sock).status == 200
        # its body is there already
        sock.sendall(raw(Expect="100-continue"))
        assert answer_of(sock).status == 200
    for name in "too large", "no type":
        with server.tls() as sock:
            sock.sendall(WRONG[name][1].split(b"\r\n\r\n")[0] + b"\r\nExpect: 100-continue\r\n\r\n")
            assert answer_of(sock).status == WRONG[name][0]


def test_judged_early(server):
    """The line as soon as it is there, the head as soon as it is there."""
    with server.tls() as sock:
        sock.sendall(b"POST /elsewhere HTTP/1.1\r\n")
        assert answer_of(sock).status == 404
    with server.tls() as sock:
        sock.sendall(raw(Content_Length=9_000_000, body=b""))
        assert answer_of(sock).status == 413


def test_error_arrives_although_the_body_is_unread(server):
    with server.tls() as sock:
        sock.sendall(raw(Content_Type="text/plain", body=b"x" * 200_000))
        assert answer_of(sock).status == 415


@pytest.mark.parametrize("path, code", {"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 404, "/inject": 404}.items())
def test_plain(server, path, code):
    assert server.get(path).status == code
    if code == 200:
        for line, other in {f"POST {path} HTTP/1.1": 405, f"HEAD {path}?x HTTP/1.1": 405, f"GET {path}/x HTTP/1.1": 404}.items():
            assert server.say(f"{line}\r\nHost: x\r\n\r\n".encode(), port="plain")[0].status == other
        with server.tcp(server.plain) as sock:
            for _ in range(3):
                sock.sendall(f"GET {path}?x=y HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert answer_of(sock, "GET").status == 200


def test_plain_takes_no_body(server):
    assert server.say(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", port="plain")[0].status == 413


def test_review(server):
    of = pod(labels={"app": "web"})
    answer = server.ask(review(of, uid="a\u00e4\"\u0001")).json()
    assert answer["uid"] == "a\u00e4\"\u0001" and answer["allowed"] is True and answer["patchType"] == "JSONPatch"
    new = patched(of, answer)
    assert [c["name"] for c in new["spec"]["initContainers"]] == ["istio-init", "istio-proxy"]
    # the API server asks again: there is nothing to do
    answer = server.ask(review(new)).json()
    assert answer == {"uid": "0", "allowed": True}
    # what does not matter
    assert server.ask(review(of, dryRun=True, oldObject=None, options={"kind": "CreateOptions"})).json()["patch"]


SKIPPED = {
    "UPDATE": ("not-a-pod", review(operation="UPDATE")),
    "DELETE": ("not-a-pod", review(operation="DELETE", object=None)),
    "subresource": ("not-a-pod", review(subResource="ephemeralcontainers")),
    "deployment": ("not-a-pod", review(resource={"group": "apps", "version": "v1", "resource": "deployments"})),
    "v2": ("not-a-pod", review(resource={"group": "", "version": "v2", "resource": "pods"})),
    "label": ("label", review(pod(labels={"sidecar.istio.io/inject": "false"}))),
    "annotation": ("annotation", review(pod(annotations={"sidecar.istio.io/inject": "false"}))),
    "namespace": ("ignored-namespace", review(namespace="kube-system")),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_skipped(server, name):
    reason, body = SKIPPED[name]
    key = f'sidecar_injection_skip_total{{reason="{reason}"}}'
    before = server.metrics()[key]
    assert server.ask(body).json() == {"uid": "0", "allowed": True}
    assert server.metrics()[key] == before + 1
    assert f"not injected: {reason}" in server.log().splitlines()[-1]


REFUSED = {
    "annotation": ("annotation", review(pod(annotations={"traffic.sidecar.istio.io/excludeInboundPorts": "80,x"})),
                   'annotation traffic.sidecar.istio.io/excludeInboundPorts: "80,x": item "x"'),
    "spec": ("object", review({**pod(), "spec": []}), "spec"),
    "containers": ("object", review({**pod(), "spec": {"containers": {}}}), "containers"),
    "name": ("object", review({**pod(), "spec": {"containers": [{"name": 7}]}}), "name"),
    "no object": ("object", review(object="x"), "object"),
    "metadata": ("object", review({**pod(), "metadata": 7}), "metadata"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(server, name):
    reason, body, message = REFUSED[name]
    key = f'sidecar_injection_failure_total{{reason="{reason}"}}'
    before = server.metrics()[key]
    answer = server.ask(body).json()
    assert answer["allowed"] is False and "patch" not in answer
    assert answer["status"].items() >= {"code": 400, "reason": "BadRequest"}.items()
    assert message in answer["status"]["message"] and "\n" not in answer["status"]["message"]
    assert server.metrics()[key] == before + 1
    assert "refused" in server.log().splitlines()[-1]


def test_warnings(server):
    """At most 120 bytes of whole characters, nothing that the API server would drop."""
    answer = server.ask(review(pod(labels={"sidecar.istio.io/inject": "\u00e4\n\x01" * 60}))).json()
    assert answer["allowed"] and answer["warnings"]
    for warning in answer["warnings"]:
        assert len(warning.encode()) <= 120 and not any(ord(c) < 32 for c in warning)


def test_one_log_line_a_review(server):
    before = len(server.log().splitlines())
    owner = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4", "controller": True}]
    of = pod(name=None, generateName="web-5d4-", labels={"pod-template-hash": "5d4"}, ownerReferences=owner)
    del of["metadata"]["name"]
    server.ask(review(of))
    lines = server.log().splitlines()[before:]
    assert len(lines) == 1
    for words in "shop/web-5d4-: Deployment web: injected: policy", "overlays proxy", " ms, ", " bytes of patch":
        assert words in lines[0]
    assert "example.org" not in lines[0]


def test_metrics_add_up(server):
    server.say(WRONG["chunked"][1])
    before = server.metrics()
    server.say(WRONG["chunked"][1])
    server.say(WRONG["other path"][1])
    server.ask(review())
    m = server.metrics()
    change = {name: m[name] - before[name] for name in m if m[name] != before[name] and "bucket" not in name}
    seconds = change.pop("sidecar_injection_time_seconds_sum")
    assert 0 < seconds < 1
    assert change == {
        "sidecar_injection_requests_total": 2, "sidecar_injection_success_total": 1,
        'sidecar_injection_failure_total{reason="http"}': 1, "sidecar_injection_time_seconds_count": 1,
        # the metrics themselves are the second
        'istio_inject_http_responses_total{code="200"}': 2, 'istio_inject_http_responses_total{code="404"}': 1,
        'istio_inject_http_responses_total{code="411"}': 1}
    parts = [value for name, value in m.items() if name.startswith(("sidecar_injection_success", "sidecar_injection_skip",
                                                                    "sidecar_injection_failure"))]
    assert m["sidecar_injection_requests_total"] == sum(parts)
    buckets = [value for name, value in m.items() if name.startswith("sidecar_injection_time_seconds_bucket")]
    assert buckets == sorted(buckets) and buckets[-1] == m["sidecar_injection_time_seconds_count"]
    assert m["istio_inject_certificate_not_after_seconds"] > time.time() + 80 * 86400
    for name in ['sidecar_injection_skip_total{reason="host-network"}', 'istio_inject_config_reloads_total{result="failed"}',
                 'istio_inject_certificate_reloads_total{result="ok"}', 'istio_inject_http_responses_total{code="503"}']:
        assert m[name] == 0
    assert m['istio_inject_build_info{version="0.1.0"}'] == 1
