# SPDX-License-Identifier: GPL-2.0-or-later
"""Pods on a node whose network has our plugin at its end: the rules they have, what the runtime is told, what is called."""

import json
import re
import socket

import lib
import pytest
from node import INJECTED, Pod, refused, until

T = "traffic.sidecar.istio.io/"
RESTRICTED = ["-p", "15001", "-z", "15006", "-u", "1337", "-g", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*"]


@pytest.mark.parametrize("backend", lib.BACKENDS)
def test_a_pod_with_the_annotation_has_its_rules(node, backend):
    node.configure(capture={"backend": backend})
    pod = node.injected("web", {T + "excludeOutboundPorts": "3306", T + "excludeInboundPorts": "8080"})
    with pod.netns() as netns:
        if backend == "nftables":
            live = netns.sh("nft list ruleset")
            assert re.search(r"dport (\{ )?3306", live) and re.search(r"dport .*\b8080\b", live)
        else:
            live = netns.save("ipv4", flavour=backend.removeprefix("iptables-"))
            assert "-A ISTIO_OUTPUT -p tcp -m tcp --dport 3306 -j RETURN" in live
            assert "-A ISTIO_INBOUND -p tcp -m tcp --dport 8080 -j RETURN" in live
        lib.checked(netns.istio_init("diff", f"--backend={backend}", *RESTRICTED, "-o", "3306", "-d", "8080,15020,15021,15090"))
    container = pod.container("app")
    node.runtime.start(container)
    assert node.runtime.exit_code(container) is None


@pytest.mark.parametrize("annotations", [
    None, {"app": "web"}, {**INJECTED, "sidecar.istio.io/inject": "false"},
    {"sidecar.istio.io/status": '{"initContainers":["istio-init"]}', T + "excludeInboundPorts": "any"},
])
def test_a_pod_that_is_not_ours_has_none(node, annotations):
    pod = node.pod("web", annotations)
    with pod.netns() as netns:
        assert not netns.has_istio("ipv4") and netns.sh("nft list ruleset") == ""
    node.runtime.start(pod.container("app"))


def test_rules_count_for_traffic(node):
    """Who connects from the node to any port of the pod meets its proxy; to a port that is left out, nobody."""
    pod = node.injected("web", {T + "excludeInboundPorts": "8080"})
    with pod.netns() as netns, netns.socket(socket.AF_INET, socket.SOCK_STREAM) as proxy:
        proxy.bind(("0.0.0.0", 15006))
        proxy.listen()
        proxy.settimeout(10)
        with socket.create_connection((pod.address(), 80), timeout=10) as client, proxy.accept()[0] as accepted:
            client.sendall(b"x")
            assert accepted.recv(1) == b"x"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((pod.address(), 8080), timeout=10)


def test_a_bad_annotation_fails_the_sandbox_with_our_words(node):
    node.witness()
    message = refused(node.injected, "web", {T + "includeInboundPorts": "80,x"})
    assert 'type="istio-init-cni" failed (add)' in message
    assert T + 'includeInboundPorts: "80,x": item "x": expected a port (1-65535) or a range a-b' in message
    # What the runtime then does for a pod that never was: every plugin's DEL, ours too, and nothing is kept.
    until(lambda: "DEL" in [call.split()[0] for call in node.calls()])
    assert "ADD" not in [call.split()[0] for call in node.calls()]
    node.clear()
    node.injected("web", {T + "includeInboundPorts": "80"})


def test_a_bad_entry_fails_every_pod_with_its_key(node):
    node.configure()
    node.edit_entry(capture={"bakend": "auto"})
    assert "capture.bakend" in refused(node.injected, "web")
    assert "capture.bakend" in refused(node.pod, "web-2")
    node.configure()
    assert node.injected("web").has_rules()


def test_plugins_behind_us_get_the_result_and_the_netns(node):
    """One that writes down what it is called with, and a real one that sets something in the pod."""
    node.witness({"type": "tuning", "sysctl": {"net.core.somaxconn": "777"}})
    pod = node.injected("web")
    with pod.netns() as netns:
        assert netns.has_istio("ipv4")
        assert netns.sh("cat /proc/sys/net/core/somaxconn") == "777\n"
        assert pod.address() in netns.ip("addr show eth0")
    assert [call.split()[0] for call in node.calls()] == ["ADD"]
    pod.remove()
    assert {call.split()[0] for call in node.calls()[1:]} == {"DEL"}


def test_removed_twice_and_after_its_processes_are_dead(node):
    pod = node.injected("web")
    pid = json.loads(pod.info()[2])["pid"]
    lib.checked(lib.run(["kill", "-9", str(pid)]))
    until(lambda: not pod.is_ready())
    for _ in range(2):
        node.runtime.call("StopPodSandbox", id=pod.id)
    pod.remove()


def test_a_pod_on_the_network_of_its_node_is_none_of_ours(node):
    node.witness()
    assert Pod(node, "web", INJECTED, host=True).is_ready()
    assert node.calls() == []


def test_excluded_namespaces(node):
    node.configure(excludeNamespaces=["shop"])
    assert not node.injected("web").has_rules()


def test_fail_open(node):
    log = node.dir / "plugin.log"
    node.configure(failOpen=True, logFile=str(log))
    pod = node.injected("web", {T + "includeInboundPorts": "x"})
    assert not pod.has_rules()
    assert re.search(r"istio-init-cni: shop/web: .*includeInboundPorts.*failOpen: the pod starts without", log.read_text())
