# SPDX-License-Identifier: GPL-2.0-or-later
"""A labelled namespace, istio-init as an init container, Envoy as native sidecar: the default of deploy/inject/envoy.yaml."""

import contextlib
import os
import re
import signal
import time

import app
import cluster as parts
import lib
import pytest
from apiserver import until

T = "traffic.sidecar.istio.io/"
ANNOTATIONS = {T + "excludeOutboundPorts": str(app.EXCLUDED), T + "excludeInboundPorts": str(app.EXCLUDED),
               T + "excludeOutboundIPRanges": f"{parts.EXCLUDED}/32",
               "istio-init/redirect-dns": "true", "istio-init/capture-all-dns": "true"}
TWICE = "outbound,inbound"
# What becomes of a connection while Envoy dies, is dead, or comes up
BROKEN = ("ConnectionRefusedError", "ConnectionResetError", "RemoteDisconnected")
# Seconds a container that has ended may stay down: the kubelet waits from the second end on.
BACK = 60


class Mesh:
    """Two pods of a labelled namespace, one of another."""

    def __init__(self, cluster):
        self.cluster, self.injector = cluster, cluster.injector()
        cluster.api.namespace("shop", {"istio-injection": "enabled"})
        cluster.api.namespace("plain")
        self.web, self.client = (cluster.application(name, "shop", ANNOTATIONS) for name in ("web", "client"))
        self.plain = cluster.application("plain", "plain", ANNOTATIONS)
        for pod in self.web, self.client, self.plain:
            pod.wait()


@pytest.fixture(scope="module")
def mesh(cluster):
    return Mesh(cluster)


def test_who_is_injected_and_in_which_order(mesh):
    assert mesh.web.containers() == mesh.client.containers() == ["istio-init", "istio-proxy", "app"]
    assert mesh.plain.containers() == ["app"]


def test_rules(mesh):
    """As the stock tools list them from the node; the pod beside has none."""
    live = mesh.web.netns.sh("nft list ruleset")
    assert all(f"redirect to :{port}" in live for port in (15001, 15006, 15053))
    assert mesh.plain.netns.sh("nft list ruleset") == "" and not mesh.plain.netns.has_istio("ipv4")


def grown(pods, action, expected):
    """Asserts by how much the counters of the pods' Envoys grow; what the action gives."""
    before = [pod.counters() for pod in pods]
    result = action()

    def now():
        return [[b - a for a, b in zip(old, pod.counters())] for old, pod in zip(before, pods)]
    with contextlib.suppress(AssertionError):
        until(lambda: now() == expected, 5)
    assert now() == expected
    return result


def test_request_from_pod_to_pod(mesh):
    """It passes both Envoys, by header and by their own counters; the application sees its own proxy as the client."""
    answer = grown([mesh.client, mesh.web], lambda: mesh.client.get(mesh.web.address), [[1, 0, 0], [0, 1, 0]])
    assert answer == {"name": "web", "port": app.HTTP, "peer": "127.0.0.6", "passes": TWICE}


def test_request_from_outside_the_mesh(mesh):
    answer = grown([mesh.web], lambda: mesh.plain.get(mesh.web.address), [[0, 1, 0]])
    assert answer["passes"] == "inbound" and answer["peer"] == "127.0.0.6"


def test_request_to_outside_the_mesh(mesh):
    answer = grown([mesh.client], lambda: mesh.client.get(parts.OUTSIDE), [[1, 0, 0]])
    assert answer == {"name": "outside", "port": app.HTTP, "peer": mesh.client.address, "passes": "outbound"}


def test_an_excluded_port(mesh):
    answer = grown([mesh.client, mesh.web], lambda: mesh.client.get(mesh.web.address, app.EXCLUDED), [[0, 0, 0]] * 2)
    assert answer == {"name": "web", "port": app.EXCLUDED, "peer": mesh.client.address, "passes": ""}


def test_an_excluded_cidr(mesh):
    answer = grown([mesh.client], lambda: mesh.client.get(parts.EXCLUDED), [[0, 0, 0]])
    assert answer["name"] == "outside" and answer["passes"] == ""


def test_dns_capture(mesh):
    """Envoy's DNS filter answers, whatever resolver the kubelet has written into the pod: nobody has that address."""
    answer = grown([mesh.client], lambda: mesh.client.get("agent.test."), [[1, 0, 2]])
    assert answer["name"] == "outside" and answer["passes"] == "outbound"
    assert "agent.test" in mesh.plain.get("agent.test.")


def test_explain_says_the_same(mesh):
    """From the node, of the rules that are live in the pod."""
    for packet, verdict in (
            (["out", f"dst={mesh.web.address}", f"dport={app.HTTP}"], "REDIRECT to :15001: captured"),
            (["out", f"dst={mesh.web.address}", f"dport={app.EXCLUDED}"], "PASSES: not captured"),
            (["out", f"dst={parts.EXCLUDED}", f"dport={app.HTTP}"], "PASSES: not captured"),
            (["out", "proto=udp", "dst=10.96.0.10", "dport=53"], "REDIRECT to :15053: captured"),
            (["out", f"dst={mesh.web.address}", f"dport={app.HTTP}", "uid=1337"], "PASSES: not captured"),
            (["in", f"dport={app.HTTP}"], "REDIRECT to :15006: captured"),
            (["in", f"dport={app.EXCLUDED}"], "PASSES: not captured")):
        said = lib.checked(mesh.client.netns.istio_init("explain", "--live", *packet))
        assert f"verdict: {verdict}" in said, said


def test_logs_of_istio_init(mesh):
    """One line: how it was made, of how many rules, for whom, in which time."""
    assert re.fullmatch(r"istio-init: applied: \d+ rules \(ipv4\) through nftables \(.*\) in [\d.]+ ms; "
                        r"UID 1337 and GID 1337 are let through\n", mesh.web.logs("istio-init"))


def test_envoy_is_killed(mesh):
    """Nothing slips by: each request fails, or has passed Envoy; what is excluded goes on.  The kubelet starts it again."""
    for victim, asks, host, passes in ((mesh.web, mesh.plain, mesh.web.address, "inbound"),
                                       (mesh.client, mesh.client, parts.OUTSIDE, "outbound")):
        assert asks.ask(host) == passes
        os.kill(victim.pid("istio-proxy"), signal.SIGKILL)
        seen, deadline = [], time.monotonic() + BACK
        while not seen or seen[-1] != passes:
            assert asks.ask(mesh.web.address, app.EXCLUDED) == ""
            seen.append(asks.ask(host))
            assert time.monotonic() < deadline, seen
        assert "ConnectionRefusedError" in seen and set(seen) <= {*BROKEN, passes}, seen
        assert victim.wait().status("istio-proxy")["restartCount"] == 1


def test_node_restart(mesh):
    """containerd and kubelet are killed: pods run on as they are, and are taken over."""
    before = [[pod.id(name) for name in pod.containers()] for pod in (mesh.web, mesh.client)]
    address, rules = mesh.web.address, mesh.web.netns.sh("nft -s list ruleset")
    mesh.cluster.kill_kubelet()
    mesh.cluster.node.kill()
    assert mesh.client.ask(address) == TWICE
    mesh.cluster.node.start()
    mesh.cluster.start_kubelet()
    mesh.cluster.wait_ready()
    time.sleep(3)
    assert mesh.web.netns.sh("nft -s list ruleset") == rules
    assert mesh.client.get(address)["passes"] == TWICE
    assert [[pod.id(name) for name in pod.containers()] for pod in (mesh.web, mesh.client)] == before


def test_init_container_again(mesh):
    """All containers of a pod are gone, its sandbox is there (a clean-up of the node): istio-init finds its rules."""
    runtime, old = mesh.cluster.node.runtime, mesh.web.id("istio-init")
    sandbox, rules = runtime.container_info(old)["sandboxID"], mesh.web.netns.sh("nft -s list ruleset")
    mesh.cluster.kill_kubelet()
    for container in runtime.containers(sandbox):
        runtime.remove_container(container)
    mesh.cluster.start_kubelet()
    until(lambda: mesh.web.id("istio-init") != old and mesh.web.is_ready(), BACK)
    assert mesh.web.state("istio-init")[1]["exitCode"] == 0
    assert re.fullmatch(r"istio-init: unchanged, all was right already: .*\n", mesh.web.logs("istio-init"))
    assert mesh.web.netns.sh("nft -s list ruleset") == rules
    assert mesh.client.get(mesh.web.address)["passes"] == TWICE
