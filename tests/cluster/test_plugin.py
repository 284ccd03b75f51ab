# SPDX-License-Identifier: GPL-2.0-or-later
"""`init: cni`: the plugin makes the rules, by deploy/cni; no container of a pod may do anything to the network."""

import concurrent.futures
import json
import threading
import time

import app
import cluster as parts
import node as nodes
import pytest
from apiserver import names, until
from shop import ANNOTATIONS, MODE, OWN, T, TWICE, transparent

LEVEL = "pod-security.kubernetes.io/enforce"
CONTAINERS = ["istio-validation", "istio-proxy", "app"]
# Seconds of waiting after which a pod would have started
LONG = 5


@pytest.fixture(scope="module")
def injector(cluster):
    """A revision beside the one that makes init containers; its namespace is of the strictest level."""
    one = cluster.injector(revision="cni", init="cni")
    cluster.api.namespace("strict", {"istio.io/rev": "cni", LEVEL: "restricted"})
    return one


@pytest.fixture(scope="module")
def plugin(cluster):
    return parts.Plugin(cluster)


@pytest.fixture
def start(cluster, injector):
    """A function that makes a pod in the namespace; they end with the test."""
    made = []

    def one(name, annotations=(), namespace="strict"):
        made.append(cluster.application(name, namespace, annotations))
        return made[-1]
    yield one
    for pod in made:
        pod.close()


def test_status_holds_pods_back(cluster, start, plugin):
    """The list came with the node's image, our program did not: the node is NotReady until the DaemonSet has put it there."""
    cluster.node.list.write_text(json.dumps(cluster.node.base() | {"plugins": [*cluster.node.base()["plugins"], nodes.ENTRY]}))
    until(lambda: "istio-init-cni" in cluster.ready_message(), 60)
    pod = start("held", ANNOTATIONS)
    time.sleep(LONG)
    assert not any(pod.status(name).get("containerID") for name in CONTAINERS)
    assert any(event.startswith("NetworkNotReady: ") and "istio-init-cni" in event for event in pod.events()), pod.events()
    plugin.install()
    assert pod.wait().containers() == CONTAINERS and pod.netns.has_istio("ipv4")


def test_under_the_restricted_level(cluster, start, plugin):
    """No init container that makes rules, no capability for anyone, and the same traffic."""
    plugin.install()
    web, client = (start(name, ANNOTATIONS).wait() for name in ("web", "client"))
    spec = web.object()["spec"]
    assert web.containers() == CONTAINERS
    for container in spec["initContainers"] + spec["containers"]:
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    for family, own in OWN.items():
        answer = client.get(web.addresses[family])
        assert answer == {"name": "web", "port": app.HTTP, "peer": own, "passes": TWICE}
    assert client.get(web.address, app.EXCLUDED)["passes"] == client.get(parts.EXCLUDED)["passes"] == ""
    assert client.get("agent.test.")["passes"] == "outbound"
    assert "redirect to :15053" in client.netns.sh("nft list ruleset")


def test_tproxy(cluster, injector, plugin):
    """The plugin makes its rules, too; what Envoy needs for it, the restricted level refuses."""
    plugin.install()
    refused = cluster.api.create("strict", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "annotations": MODE},
                                            "spec": {"containers": [{"name": "app", "image": parts.APP}]}})
    assert refused.status == 403 and '"istio-proxy" must not include "NET_ADMIN"' in refused.message
    cluster.api.namespace("roomy", {"istio.io/rev": "cni"})
    with transparent(cluster, "roomy") as (web, client):
        assert web.containers() == CONTAINERS
        for family, address in web.addresses.items():
            answer = client.get(address)
            assert answer == {"name": web.name, "port": app.HTTP, "peer": client.addresses[family], "passes": TWICE}


def test_taken_out_and_put_in_again(start, plugin):
    """Pods that run go on; one that starts meanwhile is stopped by istio-validation, and one that is made anew is right."""
    plugin.install()
    old, client = start("old").wait(), start("client").wait()
    plugin.uninstall()
    assert client.get(old.address)["passes"] == TWICE
    between = start("between")
    until(lambda: between.status("istio-validation").get("restartCount"), 60)
    assert not between.is_ready() and not between.status("app").get("containerID")
    assert between.status("istio-validation")["lastState"]["terminated"]["exitCode"] == 126
    plugin.install()
    assert client.get(start("new").wait().address)["passes"] == TWICE
    assert not between.is_ready()


def test_a_bad_annotation(cluster, start, plugin):
    """The webhook refuses the pod; one that it has not seen fails with our words as its event."""
    plugin.install()
    bad = {T + "excludeInboundPorts": "80,x"}
    answer = cluster.api.create("strict", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bad", "annotations": bad},
                                           "spec": {"containers": [{"name": "app", "image": parts.APP}]}})
    assert answer.status >= 400 and 'item "x": expected a port' in answer.message
    cluster.api.namespace("unseen")
    pod = start("bad", {**nodes.INJECTED, **bad}, namespace="unseen")
    until(lambda: any(event.startswith("FailedCreatePodSandBox: ") for event in pod.events()), 60)
    assert any('type="istio-init-cni" failed (add)' in event and T + 'excludeInboundPorts: "80,x": item "x": expected a port'
               in event for event in pod.events()), pod.events()


def test_upgrade_from_init_container_to_plugin(cluster, shop, plugin, injector):
    """Requests all the time while the plugin comes, the namespace changes over, and the pods are made anew."""
    web, client, stop = shop.web.address, shop.client, threading.Event()

    def load():
        seen = {}
        while not stop.is_set():
            answer = client.ask(web)
            seen[answer] = seen.get(answer, 0) + 1
        return seen
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        result = pool.submit(load)
        try:
            plugin.install()
            # With an istio-init of its own: the plugin leaves it alone.
            own = cluster.application("own", "shop", ANNOTATIONS).wait()
            relabel(cluster, {"istio-injection": None, "istio.io/rev": "cni"}, "istio-validation")
            new = cluster.application("new", "shop", ANNOTATIONS).wait()
            assert own.containers() == ["istio-init", "istio-proxy", "app"] and new.containers() == CONTAINERS
            assert new.get(web)["passes"] == own.get(new.address)["passes"] == client.get(new.address)["passes"] == TWICE
        finally:
            stop.set()
        assert list(result.result()) == [TWICE], result.result()
    # The plugin leaves out Istio's own three ports, whatever the injector's statusPort and proxyPorts say.
    ours, theirs = (pod.netns.sh("nft -s list ruleset") for pod in (own, new))
    assert ours.replace(f"{{ {app.EXCLUDED}, 15021 }}", f"{{ {app.EXCLUDED}, 15020, 15021, 15090 }}") == theirs
    for pod in own, new:
        pod.close()
    relabel(cluster, {"istio-injection": "enabled", "istio.io/rev": None}, "istio-init")


def relabel(cluster, labels, first):
    """Waits until a pod of the namespace would have this init container first."""
    cluster.api.must("PATCH", "/api/v1/namespaces/shop", {"metadata": {"labels": labels}}, kind="application/merge-patch+json")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
           "spec": {"containers": [{"name": "app", "image": parts.APP}]}}
    until(lambda: names(cluster.api.create("shop", pod, dry=True))[0] == first)
