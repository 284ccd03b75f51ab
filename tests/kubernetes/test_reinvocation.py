# SPDX-License-Identifier: GPL-2.0-or-later
"""The API server asks more than once, and others change the pod in between."""

import json

import pytest
from apiserver import names, pod, until

OURS = ["istio-init", "istio-proxy"]
STATUS = "sidecar.istio.io/status"


def rounds(server, answer):
    """Whether we changed the pod, a call each."""
    return [changed for name, changed in server.webhooks_asked(answer) if name.endswith(".sidecar-injector.istio.io")]


@pytest.mark.parametrize("version", ["current", "1.35"])
def test_token(servers, install, version):
    """The token is mounted into our containers after the first answer: asked again, there is nothing to change."""
    server = servers(version)
    installation = install(server)
    [replica] = installation.start()
    server.api.namespace("token", installation.labels)
    before = replica.metrics()
    answer = server.api.create("token", pod("a"))
    assert names(answer) == OURS and rounds(server, answer) == [True, False]
    mounts = [mount["mountPath"] for container in answer.object["spec"]["initContainers"]
              for mount in container["volumeMounts"]]
    assert len(mounts) == 2 and set(mounts) == {"/var/run/secrets/kubernetes.io/serviceaccount"}
    after = replica.metrics()
    for name in ("requests", "success"):
        name = f"sidecar_injection_{name}_total"
        assert after[name] - before[name] == 2
    without = server.api.create("token", pod("b", automountServiceAccountToken=False))
    assert names(without) == OURS and rounds(server, without) == [True]


RIVALS = {
    "in front": ("/front/rival", [*OURS, "rival"], ["app"]),
    "behind": ("/append/rival", [*OURS, "rival"], ["app"]),
    "container": ("/container/rival", OURS, ["app", "rival"]),
}


# Asked in the order of the configurations' names: ours begins with istio-inject
@pytest.mark.parametrize("order", [("a-rival", "b-second"), ("a-rival", "z-second"), ("y-rival", "z-second")])
@pytest.mark.parametrize("what", RIVALS)
def test_rivals(server, install, rival, order, what):
    """Webhooks that add containers: ours come first whatever the order, theirs are there once and unharmed."""
    installation = install(server)
    installation.start()
    path, inits, containers = RIVALS[what]
    namespace = f"{'-'.join(order)}-{what.replace(' ', '-')}"
    server.api.namespace(namespace, {**installation.labels, "rival": "yes"})
    own = {"name": "own", "image": "example.org/own:1"}
    wanted = sorted([*inits, *containers, "own", "second"])

    def created():
        answer = server.api.create(namespace, pod("a-", initContainers=[own]))
        return answer if sorted(names(answer) + names(answer, "containers")) == wanted else None
    with rival.webhook(server.api, order[0], path, {"rival": "yes"}), \
            rival.webhook(server.api, order[1], path.replace("rival", "second"), {"rival": "yes"}):
        answer = until(created)
    assert names(answer)[:2] == OURS, names(answer)
    assert json.loads(answer.object["metadata"]["annotations"][STATUS])["initContainers"] == OURS
    images = {one["name"]: one["image"] for where in ("initContainers", "containers")
              for one in answer.object["spec"][where]}
    assert images["rival"] == images["second"] == "example.org/rival:1" and images["own"] == own["image"]


def test_two_replicas(server, install):
    """The second question goes to the other replica: the same pod as from one alone."""
    installation = install(server)
    first, second = installation.start(2)
    server.api.namespace("two", installation.labels)
    for number in range(40):
        answer = server.api.create("two", pod(f"a{number}"))
        assert names(answer) == OURS and rounds(server, answer) == [True, False]
    key = "sidecar_injection_requests_total"
    # One connection may carry all; so each of them alone, too
    assert first.metrics()[key] + second.metrics()[key] >= 80
    for replica in (first, second):
        installation.route([replica])
        assert names(server.api.create("two", pod("alone-"))) == OURS


def test_dry_run(server, install):
    """--dry-run=server shows the injected pod and stores none."""
    installation = install(server)
    installation.start()
    server.api.namespace("dry", installation.labels)
    answer = server.api.create("dry", pod("a"), dry=True)
    assert names(answer) == OURS
    assert server.api("GET", "/api/v1/namespaces/dry/pods/a").status == 404
    real = server.api.create("dry", pod("a"))

    def timeless(item):
        text = json.dumps({"spec": item.object["spec"], "annotations": item.object["metadata"]["annotations"]})
        [volume] = {one["name"] for one in item.object["spec"]["volumes"]}
        return text.replace(volume, "token")
    assert timeless(answer) == timeless(real)


def test_large_pod(server, install, figure):
    """A pod of 1 MB, which the API server sends to us with its managed fields."""
    installation = install(server)
    [replica] = installation.start()
    server.api.namespace("large", installation.labels)
    values = [{"name": f"V{number}", "value": "é\"\\ " * 2000} for number in range(100)]
    large = pod("a", containers=[{"name": "app", "image": "example.org/app:1", "env": values}])
    assert len(json.dumps(large, ensure_ascii=False).encode()) > 10 ** 6
    answer = server.api.create("large", large)
    assert names(answer) == OURS and rounds(server, answer) == [True, False]
    assert answer.object["spec"]["containers"][0]["env"] == values
    metrics = replica.metrics()
    took = metrics["sidecar_injection_time_seconds_sum"] / metrics["sidecar_injection_time_seconds_count"]
    figure(f"a pod of 1 MB and its neighbours: {1e3 * took:.1f} ms a review, mean")
