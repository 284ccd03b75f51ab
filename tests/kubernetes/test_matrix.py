# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is injected, by which webhook: every label of a namespace with every kind of pod, and `check` said so before."""

import json

import lib
import pytest
from apiserver import RESTRICTED, names, pod
from installation import CONFIG, istio_inject

INJECT, REV, INJECTION = "sidecar.istio.io/inject", "istio.io/rev", "istio-injection"
STATUS = "sidecar.istio.io/status"
INSTALLATIONS = {"default": ("default", ()), "revision": ("canary", ()), "everywhere": ("default", ("--everywhere",))}
PROXY = {"name": "istio-proxy", "image": "auto"}


def owned(kind, api_version, name):
    return {"ownerReferences": [{"apiVersion": api_version, "kind": kind, "name": name, "controller": True,
                                 "uid": "6f1c1e3a-0000-4000-8000-000000000001"}]}


def pods(revision):
    """The pods, by what is special about them."""
    other = {"name": "other", "image": "example.org/other:1"}
    of_job = pod("nightly-28000000-", {"batch.kubernetes.io/job-name": "nightly-28000000"}, restartPolicy="Never")
    of_job["metadata"] |= owned("Job", "batch/v1", "nightly-28000000")
    of_deployment = pod("web-7d4f9c6b5-", {"pod-template-hash": "7d4f9c6b5"})
    of_deployment["metadata"] |= owned("ReplicaSet", "apps/v1", "web-7d4f9c6b5")
    by_filter = json.dumps({"initContainers": ["istio-init", "istio-proxy"], "containers": None, "volumes": None,
                            "imagePullSecrets": None, "revision": "ci"})
    return {
        "plain": pod("a"),
        "inject true": pod("a", {INJECT: "true"}),
        "inject false": pod("a", {INJECT: "false"}),
        "inject neither": pod("a", {INJECT: "maybe"}),
        "inject empty": pod("a", {INJECT: ""}),
        "annotation true": pod("a", annotations={INJECT: "true"}),
        "annotation false": pod("a", annotations={INJECT: "false"}),
        "label true, annotation false": pod("a", {INJECT: "true"}, {INJECT: "false"}),
        "its revision": pod("a", {REV: revision}),
        "another revision": pod("a", {REV: "stable"}),
        "its revision, inject false": pod("a", {REV: revision, INJECT: "false"}),
        "its revision, inject true": pod("a", {REV: revision, INJECT: "true"}),
        "hostNetwork": pod("a", hostNetwork=True),
        "hostNetwork, inject true": pod("a", {INJECT: "true"}, hostNetwork=True),
        "windows": pod("a", {INJECT: "true"}, os={"name": "windows"}),
        "own init containers": pod("a", initContainers=[other, {**other, "name": "second"}]),
        "own istio-init": pod("a", initContainers=[other, {"name": "istio-init", "image": "example.org/own:1"}]),
        "own proxy": pod("a", containers=[{"name": "app", "image": "example.org/app:1"}, PROXY]),
        "own native proxy": pod("a", initContainers=[{**PROXY, "restartPolicy": "Always"}]),
        "injected by the filter": pod("a", annotations={STATUS: by_filter}, initContainers=[
            {"name": "istio-init", "image": "example.org/old:1"}, {**PROXY, "image": "example.org/old:1"}]),
        "of a Job": of_job,
        "of a Deployment": of_deployment,
        "generateName": pod("some-"),
    }


def namespaces(revision):
    return {"none": {}, "enabled": {INJECTION: "enabled"}, "disabled": {INJECTION: "disabled"},
            "rev": {REV: revision}, "stable": {REV: "stable"}, "both": {INJECTION: "enabled", REV: revision},
            "disabled-rev": {INJECTION: "disabled", REV: revision}}


def webhook(revision, everywhere, namespace, item):
    """The first part of the name of the webhook that is asked, by the table of the manual; None: none."""
    labels = item["metadata"].get("labels", {})
    inject = labels.get(INJECT)
    if item["spec"].get("hostNetwork"):
        return None
    if INJECTION not in namespace and namespace.get(REV) == revision:
        return "rev.namespace" if inject != "false" else None
    if revision == "default" and namespace.get(INJECTION) == "enabled":
        return "namespace" if inject != "false" else None
    if INJECTION in namespace or REV in namespace:
        return None
    if inject != "false" and labels.get(REV) == revision:
        return "rev.object"
    if revision == "default" and REV not in labels:
        if inject == "true":
            return "object"
        if everywhere and inject is None:
            return "auto"
    return None


def is_injected(asked, item):
    if asked is None or item["spec"].get("os"):
        return False
    labels, annotations = item["metadata"].get("labels", {}), item["metadata"].get("annotations", {})
    if INJECT in labels:
        return True
    return annotations.get(INJECT) != "false"


def said(tmp_path, revision, namespace, labels, items):
    """What `check` says of the pods: [(webhook, injected)]."""
    (tmp_path / "config.yaml").write_text(CONFIG.format(revision=revision))
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    words = ",".join(f"{key}={value}" for key, value in labels.items())
    result = istio_inject("check", "-c", tmp_path / "config.yaml", "-n", namespace, f"--namespace-labels={words}",
                          "-o", "json", input=text)
    assert result.returncode in (0, 2), result.stderr
    return [(one["webhook"], one["injected"]) for one in json.loads(result.stdout)]


def did(server, revision, namespace, item):
    """What the API server does with the pod: (webhook, injected)."""
    answer = server.api.create(namespace, item)
    assert answer.status == 201, answer
    asked = {name.removesuffix(".sidecar-injector.istio.io") for name, _ in server.webhooks_asked(answer)}
    assert len(asked) <= 1, asked
    status = answer.object["metadata"].get("annotations", {}).get(STATUS, "{}")
    injected = json.loads(status).get("revision") == revision
    if injected:
        assert names(answer)[:2] == ["istio-init", "istio-proxy"], names(answer)
        assert answer.object["metadata"]["labels"]["overlay"] == "proxy"
    return (asked.pop() if asked else None), injected


@pytest.mark.parametrize("version", ["current", "1.35"])
@pytest.mark.parametrize("name", INSTALLATIONS)
def test_matrix(servers, install, tmp_path, figure, version, name):
    server, (revision, arguments) = servers(version), INSTALLATIONS[name]
    installation = install(server, revision=revision, arguments=arguments)
    installation.start()
    count = ours = 0
    for title, labels in namespaces(revision).items():
        namespace = f"matrix-{name}-{title}"
        server.api.namespace(namespace, labels)
        kinds = pods(revision)
        items = list(kinds.values())
        for number, item in enumerate(items):
            if "name" in item["metadata"]:
                item["metadata"]["name"] = f"pod{number}"
        # What auto would ask about, `check` leaves out: it cannot know whether it was printed
        expected = said(tmp_path, revision, namespace, labels, items)
        for kind, item, by_check in zip(kinds, items, expected, strict=True):
            asked = webhook(revision, "--everywhere" in arguments, labels, item)
            wanted = (asked, is_injected(asked, item))
            assert did(server, revision, namespace, item) == wanted, (title, kind)
            assert by_check == (wanted if asked != "auto" else (None, False)), (title, kind)
            count, ours = count + 1, ours + wanted[1]
    figure(f"matrix {name} on {version}: {count} pods, {ours} injected, all as the table and check say")
    assert 0 < ours < count


def test_never_asked(server, install):
    """What must start for the cluster to live, and the webhook itself, does not depend on the webhook."""
    installation = install(server)
    installation.start()
    for namespace in ("kube-system", installation.namespace):
        labels = {"metadata": {"labels": {INJECTION: "enabled"}}}
        server.api.must("PATCH", f"/api/v1/namespaces/{namespace}", labels, kind="application/merge-patch+json")
        if server.api("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default").status == 404:
            server.api.account(namespace, "default")
        app = {"name": "app", "image": "example.org/app:1", "securityContext": RESTRICTED}
        answer = server.api.create(namespace, pod("never-", {INJECT: "true"}, containers=[app]))
        assert (names(answer), server.webhooks_asked(answer)) == ([], []), namespace


def test_kubectl(server, install):
    """As people do it: kubectl create, and what it prints."""
    installation = install(server)
    installation.start()
    server.api.namespace("kubectl", installation.labels)
    made = lib.checked(server.kubectl("create", "-f", "-", "-n", "kubectl", "-o", "json", input=json.dumps(pod("a"))))
    assert [one["name"] for one in json.loads(made)["spec"]["initContainers"]] == ["istio-init", "istio-proxy"]
