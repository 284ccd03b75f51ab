# SPDX-License-Identifier: GPL-2.0-or-later
"""Beside rules of others: whose NAT rule comes first, and what becomes of DNS that is translated in the pod."""

import socket

import lib
import pytest
from pod import DNS, POD, VM, Listener, Pod

FLAVOURS = {"iptables-legacy": "legacy", "iptables-nft": "nft"}
IPTABLES = list(FLAVOURS)


def publish(pod, flavour):
    """A container's port, as a container engine publishes it."""
    pod.netns.sh(f"""
        iptables-{flavour} -t nat -N DOCKER
        iptables-{flavour} -t nat -A DOCKER -p tcp -m tcp --dport 8080 -j DNAT --to-destination {VM}:80
        iptables-{flavour} -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER""")
    pod.listen(pod.vm, 80)


def rules(pod, flavour, chain):
    return [line for line in pod.netns.save("ipv4", flavour=flavour).splitlines() if line.startswith(f"-A {chain} ")]


@pytest.mark.backends(*IPTABLES)
def test_a_published_port(backend):
    flavour = FLAVOURS[backend]
    with Pod() as pod:
        def run(*words):
            return pod.netns.istio_init(*words, "--sidecar", "-u", "1337", f"--backend={backend}")

        publish(pod, flavour)
        before = rules(pod, flavour, "PREROUTING")
        shown = "-A PREROUTING -j DOCKER [and what istio-init cannot read: addrtype]"
        result = run()
        lib.checked(result)
        warned = [line for line in result.stderr.splitlines() if "--jump=insert" in line]
        assert len(warned) == 1 and shown in warned[0] and "ISTIO_INBOUND" in warned[0], result.stderr
        assert pod.connect("peer", POD, 8080)[0] == "vm"
        # What is there already stays where it is, however it is asked for.
        assert run("--jump=append").returncode == 0

        result = run("diff", "--jump=insert")
        assert result.returncode == 2, result
        assert f"+-A PREROUTING -p tcp -j ISTIO_INBOUND\n {shown}\n--A PREROUTING -p tcp -j ISTIO_INBOUND\n" in result.stdout
        assert run("--jump=insert").returncode == 1
        result = run("--jump=insert", "--reconcile")
        lib.checked(result)
        assert "--jump=insert" not in result.stderr
        assert pod.connect("peer", POD, 8080) == ("inbound", (POD, 8080))
        for words in [], ["--jump=auto"], ["diff", "--jump=insert"], ["diff"]:
            lib.checked(run(*words))

        # Kept by a change of something else, whatever the place that is asked for then.
        lib.checked(run("--jump=append", "--reconcile", "-z", "15016"))
        lib.checked(run("--jump=insert", "--reconcile"))
        assert rules(pod, flavour, "PREROUTING") == ["-A PREROUTING -p tcp -j ISTIO_INBOUND", *before]

        # Somebody puts himself in front.
        pod.netns.sh(f"iptables-{flavour} -t nat -I PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 9")
        assert run("diff", "--jump=insert").returncode == 2
        assert run("diff").returncode == 0
        # What only counts takes nothing.
        pod.netns.sh(f"iptables-{flavour} -t nat -D PREROUTING 1; iptables-{flavour} -t nat -I PREROUTING -p tcp")
        lib.checked(run("diff", "--jump=insert"))
        lib.checked(run("clean"))
        assert rules(pod, flavour, "PREROUTING") == ["-A PREROUTING -p tcp", *before]


@pytest.mark.backends(*IPTABLES)
@pytest.mark.parametrize("mode", ["REDIRECT", "TPROXY"])
def test_insert_from_the_start(backend, mode):
    flavour = FLAVOURS[backend]
    with Pod() as pod:
        publish(pod, flavour)
        pod.netns.sh(f"iptables-{flavour} -t nat -A OUTPUT -p tcp -m tcp --dport 9090 -j ACCEPT")
        foreign = rules(pod, flavour, "OUTPUT") + rules(pod, flavour, "PREROUTING")
        lib.checked(pod.netns.istio_init("--sidecar", "-u", "1337", "-c", "eth9,eth8", "-m", mode, f"--backend={backend}",
                                         "--jump=insert"))
        nat = lib.tables(pod.netns.save("ipv4", flavour=flavour))["nat"][1]
        assert nat["OUTPUT"] == ["-A OUTPUT -o eth9 -j RETURN", "-A OUTPUT -o eth8 -j RETURN", "-A OUTPUT -j ISTIO_OUTPUT",
                                 foreign[0]]
        assert nat["PREROUTING"][-1] == foreign[1]
        assert pod.connect("pod", "203.0.113.5", 9090)[0] == "proxy"
        lib.checked(pod.netns.istio_init("clean", "-c", "eth9,eth8", "-m", mode))
        assert rules(pod, flavour, "OUTPUT") + rules(pod, flavour, "PREROUTING") == foreign


@pytest.mark.backends(*IPTABLES)
def test_what_stands_in_front_and_takes_nothing(backend):
    """No warning of rules that end no way of ours."""
    flavour = FLAVOURS[backend]
    with lib.Netns() as netns:
        netns.sh(f"""
            iptables-{flavour} -t nat -N EMPTY
            iptables-{flavour} -t nat -A PREROUTING -j EMPTY
            iptables-{flavour} -t nat -A PREROUTING -p udp -j ACCEPT
            iptables-{flavour} -t nat -A PREROUTING -i eth0 -j RETURN
            iptables-{flavour} -t nat -A OUTPUT -j LOG
            iptables-{flavour} -t nat -A OUTPUT -d 127.0.0.11/32 -p udp -m udp --dport 53 -j DNAT --to-destination 127.0.0.11:99""")
        result = netns.istio_init("--sidecar", f"--backend={backend}")
        lib.checked(result)
        assert "--jump" not in result.stderr, result.stderr


@pytest.mark.parametrize("flavour", FLAVOURS.values())
@pytest.mark.backends("nftables")
def test_natively_the_younger_chain_comes_first(backend, flavour):
    with Pod() as pod:
        publish(pod, flavour)
        lib.checked(pod.netns.istio_init("--sidecar", "-u", "1337", f"--backend={backend}"))
        assert pod.connect("peer", POD, 8080) == ("inbound", (POD, 8080))


def test_dry_run_appends(netns):
    plain = lib.checked(netns.istio_init("--sidecar", "--dry-run"))
    assert lib.checked(netns.istio_init("--sidecar", "--dry-run", "--jump=insert")) == plain
