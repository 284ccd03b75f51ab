# SPDX-License-Identifier: GPL-2.0-or-later
"""A labelled namespace, istio-init as an init container, Envoy as native sidecar: the default of deploy/inject/envoy.yaml."""

import json
import os
import re
import signal
import time

import app
import cluster as parts
import lib
from apiserver import until
from shop import ANNOTATIONS, TWICE, grown

# What becomes of a connection while Envoy dies, is dead, or comes up
BROKEN = ("ConnectionRefusedError", "ConnectionResetError", "RemoteDisconnected")
# Seconds a container that has ended may stay down: the kubelet waits from the second end on.
BACK = 60


def test_who_is_injected_and_in_which_order(shop):
    assert shop.web.containers() == shop.client.containers() == ["istio-init", "istio-proxy", "app"]
    assert shop.plain.containers() == ["app"]


def test_rules(shop):
    """As the stock tools list them from the node; the pod beside has none."""
    live = shop.web.netns.sh("nft list ruleset")
    assert all(f"redirect to :{port}" in live for port in (15001, 15006, 15053))
    assert shop.plain.netns.sh("nft list ruleset") == "" and not shop.plain.netns.has_istio("ipv4")


def test_request_from_pod_to_pod(shop):
    """It passes both Envoys, by header and by their own counters; the application sees its own proxy as the client."""
    answer = grown([shop.client, shop.web], lambda: shop.client.get(shop.web.address), [[1, 0, 0], [0, 1, 0]])
    assert answer == {"name": "web", "port": app.HTTP, "peer": "127.0.0.6", "passes": TWICE}


def test_request_from_outside_the_mesh(shop):
    answer = grown([shop.web], lambda: shop.plain.get(shop.web.address), [[0, 1, 0]])
    assert answer["passes"] == "inbound" and answer["peer"] == "127.0.0.6"


def test_request_to_outside_the_mesh(shop):
    answer = grown([shop.client], lambda: shop.client.get(parts.OUTSIDE), [[1, 0, 0]])
    assert answer == {"name": "outside", "port": app.HTTP, "peer": shop.client.address, "passes": "outbound"}


def test_an_excluded_port(shop):
    answer = grown([shop.client, shop.web], lambda: shop.client.get(shop.web.address, app.EXCLUDED), [[0, 0, 0]] * 2)
    assert answer == {"name": "web", "port": app.EXCLUDED, "peer": shop.client.address, "passes": ""}


def test_an_excluded_cidr(shop):
    answer = grown([shop.client], lambda: shop.client.get(parts.EXCLUDED), [[0, 0, 0]])
    assert answer["name"] == "outside" and answer["passes"] == ""


def test_dns_capture(shop):
    """Envoy's DNS filter answers, whatever resolver the kubelet has written into the pod: nobody has that address."""
    answer = grown([shop.client], lambda: shop.client.get("agent.test."), [[1, 0, 2]])
    assert answer["name"] == "outside" and answer["passes"] == "outbound"
    assert "agent.test" in shop.plain.get("agent.test.")


def test_explain_says_the_same(shop):
    """From the node, of the rules that are live in the pod."""
    for packet, verdict in (
            (["out", f"dst={shop.web.address}", f"dport={app.HTTP}"], "REDIRECT to :15001: captured"),
            (["out", f"dst={shop.web.address}", f"dport={app.EXCLUDED}"], "PASSES: not captured"),
            (["out", f"dst={parts.EXCLUDED}", f"dport={app.HTTP}"], "PASSES: not captured"),
            (["out", "proto=udp", "dst=10.96.0.10", "dport=53"], "REDIRECT to :15053: captured"),
            (["out", f"dst={shop.web.address}", f"dport={app.HTTP}", "uid=1337"], "PASSES: not captured"),
            (["in", f"dport={app.HTTP}"], "REDIRECT to :15006: captured"),
            (["in", f"dport={app.EXCLUDED}"], "PASSES: not captured")):
        said = lib.checked(shop.client.netns.istio_init("explain", "--live", *packet))
        assert f"verdict: {verdict}" in said, said


def test_explain_in_a_debug_container(shop):
    """As deploy/operating.md has it, in a pod whose securityContext names no user."""
    pod = shop.cluster.application("bare", "shop", ANNOTATIONS, securityContext={}).wait()
    lib.checked(shop.cluster.server.kubectl(
        "debug", "-n", "shop", "bare", f"--image={parts.INIT}", "--profile=netadmin", "-c", "debug", "--",
        "/istio-init", "explain", "--live", "in", f"dport={app.HTTP}"))
    until(lambda: pod.state("debug")[0] == "terminated", 30)
    assert "verdict: REDIRECT to :15006: captured" in pod.logs("debug")
    pod.close()


def test_logs_of_istio_init(shop):
    """One line: how it was made, of how many rules, for whom, in which time."""
    assert re.fullmatch(r"istio-init: applied: \d+ rules \(ipv4 and ipv6\) through nftables \(.*\) in [\d.]+ ms; "
                        r"UID 1337 and GID 1337 are let through\n", shop.web.logs("istio-init"))


def test_envoy_is_killed(shop):
    """Nothing slips by: each request fails, or has passed Envoy; what is excluded goes on.  The kubelet starts it again."""
    for victim, asks, host, passes in ((shop.web, shop.plain, shop.web.address, "inbound"),
                                       (shop.client, shop.client, parts.OUTSIDE, "outbound")):
        assert asks.ask(host) == passes
        restarts = victim.status("istio-proxy")["restartCount"]
        os.kill(victim.pid("istio-proxy"), signal.SIGKILL)
        seen, deadline = [], time.monotonic() + BACK
        while not seen or seen[-1] != passes:
            assert asks.ask(shop.web.address, app.EXCLUDED) == ""
            seen.append(asks.ask(host))
            assert time.monotonic() < deadline, seen
        assert "ConnectionRefusedError" in seen and set(seen) <= {*BROKEN, passes}, seen
        assert victim.wait().status("istio-proxy")["restartCount"] == restarts + 1


def test_node_restart(shop):
    """containerd and kubelet are killed: pods run on as they are, and are taken over."""
    before = [[pod.id(name) for name in pod.containers()] for pod in (shop.web, shop.client)]
    address, rules = shop.web.address, shop.web.netns.sh("nft -s list ruleset")
    shop.cluster.kill_kubelet()
    shop.cluster.node.kill()
    assert shop.client.ask(address) == TWICE
    shop.cluster.node.start()
    shop.cluster.start_kubelet()
    # Time to do something wrong
    time.sleep(3)
    assert shop.web.netns.sh("nft -s list ruleset") == rules
    assert shop.client.get(address)["passes"] == TWICE
    assert [[pod.id(name) for name in pod.containers()] for pod in (shop.web, shop.client)] == before


def test_init_container_again(shop):
    """All containers of a pod are gone, its sandbox is there (a clean-up of the node): istio-init finds its rules."""
    runtime, old = shop.cluster.node.runtime, shop.web.id("istio-init")
    sandbox, rules = runtime.container_info(old)["sandboxID"], shop.web.netns.sh("nft -s list ruleset")
    shop.cluster.kill_kubelet()
    for container in runtime.containers(sandbox):
        runtime.remove_container(container)
    shop.cluster.start_kubelet()
    until(lambda: shop.web.id("istio-init") != old and shop.web.is_ready(), BACK)
    assert shop.web.state("istio-init")[1]["exitCode"] == 0
    assert re.fullmatch(r"istio-init: unchanged, all was right already: .*\n", shop.web.logs("istio-init"))
    assert shop.web.netns.sh("nft -s list ruleset") == rules
    assert shop.client.get(shop.web.address)["passes"] == TWICE


def test_sandbox_is_killed(shop):
    """The kubelet makes another, with a network namespace that is new: istio-init makes the rules again."""
    runtime, old = shop.cluster.node.runtime, shop.web.id("istio-init")
    sandbox = runtime.container_info(old)["sandboxID"]
    os.kill(json.loads(runtime.sandbox_info(sandbox)[2])["pid"], signal.SIGKILL)
    until(lambda: shop.web.id("istio-init") != old and shop.web.is_ready(), BACK)
    del shop.web.netns
    assert shop.web.logs("istio-init").startswith("istio-init: applied: ")
    assert shop.client.get(shop.web.address)["passes"] == TWICE
