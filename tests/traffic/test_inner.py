# SPDX-License-Identifier: GPL-2.0-or-later
"""Containers and virtual machines behind the pod: what they send counts as outbound, and their DNS lives."""

import lib
import pytest
from pod import DNS, DNS6, POD, SERVICE, SERVICE6, Pod, wire

CASES = [("REDIRECT", []), ("TPROXY", []), ("REDIRECT", ["--capture-all-dns"]), ("REDIRECT", ["--dns-zones=off"])]


def start(pod, backend, *words):
    (pod.netns.dir / "resolv.conf").write_text(f"nameserver {DNS}\nnameserver {DNS6}\n")
    return pod.netns.istio_init(*words, "--sidecar", "--dual-stack", "-u", "1337", "--resolv-conf",
                                pod.netns.dir / "resolv.conf", f"--backend={backend}")


def masquerade(pod, backend):
    """As container engines do it, in the tables that are not the native backend's."""
    tool = "legacy" if backend == "iptables-legacy" else "nft"
    pod.netns.sh(f"iptables-{tool} -t nat -A POSTROUTING -s 10.2.0.0/24 -o eth0 -j MASQUERADE; "
                 f"ip6tables-{tool} -t nat -A POSTROUTING -s fd02::/64 -o eth0 -j MASQUERADE")


@pytest.mark.parametrize("ifaces", ["eth1", "br0,eth1+"])
@pytest.mark.parametrize("mode, words", CASES)
def test_what_comes_from_inside(backend, mode, words, ifaces):
    with Pod() as pod:
        masquerade(pod, backend)
        result = start(pod, backend, "--redirect-dns", f"--inner-interfaces={ifaces}", "-m", mode, *words)
        lib.checked(result)
        assert ("no interface br0" in result.stderr) == ("br0" in ifaces)
        for server, service in (DNS, SERVICE), (DNS6, SERVICE6):
            assert pod.connect("vm", service, 80) == ("proxy", (service, 80))
            for proto in "udp", "tcp":
                for origin in "vm", "pod":
                    assert pod.connect(origin, server, 53, proto)[0] == "dns"
            # Other servers are asked themselves, where not all of DNS is captured.
            assert pod.connect("vm", service, 53, "udp")[0] == ("dns" if "--capture-all-dns" in words else "peer")
            assert pod.connect("pod", server, 53, "udp", uid=1337, gid=1337)[0] == "peer"
        assert pod.connect("peer", POD, 80)[0] == "inbound"
        lib.checked(start(pod, backend, "diff", "--redirect-dns", f"--inner-interfaces={ifaces}", "-m", mode, *words))
        lib.checked(pod.netns.istio_init("clean"))
        assert not pod.netns.has_istio("ipv4") and not pod.netns.has_istio("ipv6")
        assert "eth1" not in pod.netns.sh("iptables-legacy-save; nft list ruleset")


def test_dns_that_is_not_captured_is_forwarded(backend):
    with Pod() as pod:
        masquerade(pod, backend)
        lib.checked(start(pod, backend, "--inner-interfaces=eth1"))
        for server in DNS, DNS6:
            assert pod.connect("vm", server, 53, "udp")[0] == "peer"
            assert pod.connect("vm", server, 53, "tcp")[0] == "proxy"


@pytest.mark.parametrize("option", ["kube-virt-interfaces", "istio-exclude-interfaces"])
def test_upstreams_options_are_warned_of(backend, option):
    with Pod() as pod:
        masquerade(pod, backend)
        result = start(pod, backend, "--redirect-dns", f"--{option}=eth1")
        lib.checked(result)
        assert [line for line in result.stderr.splitlines() if option in line and "--inner-interfaces" in line]
        assert pod.connect("vm", DNS, 53, "udp") == "peer, and no answer came back"
        result = start(pod, backend, "--redirect-dns", f"--{option}=eth1", "--dns-zones=off", "--reconcile")
        lib.checked(result)
        assert "--inner-interfaces" not in result.stderr
        assert pod.connect("vm", DNS, 53, "udp")[0] == "peer"


@pytest.mark.parametrize("ifaces", ["br0,br1", "br+"])
@pytest.mark.parametrize("mode", ["REDIRECT", "TPROXY"])
def test_several_bridges(backend, mode, ifaces):
    with Pod() as pod, lib.Netns() as first, lib.Netns() as second:
        masquerade(pod, backend)
        containers = []
        for n, container in enumerate([first, second]):
            addresses = [(f"10.2.0.{17 + 16 * n}", f"10.2.0.{18 + 16 * n}"), (f"fd02:{n + 1}::1", f"fd02:{n + 1}::2")]
            wire(pod.netns, f"veth{n}", container, [])
            pod.netns.sh(f"ip link add br{n} type bridge; ip link set veth{n} master br{n}; ip link set br{n} up")
            for own, its in addresses:
                bits, nodad, version = (64, "nodad", 6) if ":" in own else (28, "", 4)
                pod.netns.sh(f"ip addr add {own}/{bits} dev br{n} {nodad}")
                container.sh(f"ip addr add {its}/{bits} dev eth0 {nodad}; ip -{version} route add default via {own}")
            containers.append(container)
        pod.netns.sh(f"ip6tables-{'legacy' if backend == 'iptables-legacy' else 'nft'} -t nat -A POSTROUTING -s fd02::/16 "
                     "-o eth0 -j MASQUERADE")
        result = start(pod, backend, "--redirect-dns", f"--inner-interfaces={ifaces}", "-m", mode)
        lib.checked(result)
        assert "no interface" not in result.stderr
        for container in containers:
            pod.vm = container
            for server, service in (DNS, SERVICE), (DNS6, SERVICE6):
                assert pod.connect("vm", service, 80) == ("proxy", (service, 80))
                for proto in "udp", "tcp":
                    assert pod.connect("vm", server, 53, proto)[0] == "dns"
                assert pod.connect("vm", service, 53, "udp")[0] == "peer"
        lib.checked(start(pod, backend, "diff", "--redirect-dns", f"--inner-interfaces={ifaces}", "-m", mode))
