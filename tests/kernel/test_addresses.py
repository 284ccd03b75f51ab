# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses come and go after the first apply; the same command brings the rules to what a fresh netns would have."""

import socket
import struct
import time

import lib
import pytest
from pod import wire

CALLS = {
    "sidecar": ["--sidecar"],
    "tproxy": ["--sidecar", "-m", "TPROXY"],
    "dns": ["--sidecar", "--redirect-dns", "--resolv-conf={resolv}"],
    "lists": ["-b", "80,443", "-i", "10.0.0.0/8,fd00::/8", "-x", "10.9.0.0/16", "-q", "1", "-o", "22,3306", "-u", "1337,1338"],
    "all": ["--sidecar", "-m", "TPROXY", "-c", "eth7", "-k", "vm0", "--drop-invalid", "--redirect-dns", "--capture-all-dns",
            "--resolv-conf=/dev/null"],
}
V4, V6 = "10.1.0.2/24 dev eth0", "fd01::2/64 dev eth0 nodad"


class Machine:
    def __init__(self, netns, backend, call, *more):
        resolv = netns.dir / "resolv.conf"
        resolv.write_text("nameserver 10.96.0.10\nnameserver fd96::a\n")
        self.netns = netns
        self.args = [*(word.format(resolv=resolv) for word in CALLS[call]), *more, f"--backend={backend}"]
        netns.sh("ip link add eth0 type veth peer name far0; ip link set eth0 up; ip link set far0 up")

    def run(self, *words):
        return self.netns.istio_init(*words, *self.args)

    def completes(self):
        """Once more, without --reconcile: diff has told of it, and now the netns is as a fresh one would be."""
        changes = self.run("diff").returncode == 2
        result = self.run()
        lib.checked(result)
        assert ("applied" in result.stderr) == changes
        self.is_as_fresh()
        return changes

    def is_as_fresh(self):
        assert self.run("diff").returncode == 0 and "unchanged" in self.run().stderr
        with lib.Netns() as fresh:
            lib.checked(fresh.istio_init(*self.args, f"--ipv6={'on' if self.netns.has_istio('ipv6') else 'off'}"))
            assert fresh.istio_init("show").stdout == self.netns.istio_init("show").stdout


@pytest.mark.parametrize("call", CALLS)
def test_ipv6_comes_after_the_start(netns, backend, call):
    machine = Machine(netns, backend, call, "--dual-stack")
    netns.ip(f"addr add {V4}")
    lib.checked(machine.run())
    assert not netns.has_istio("ipv6")
    netns.ip(f"-6 addr add {V6}")
    assert machine.completes()
    assert netns.has_istio("ipv6") and "::6" in netns.ip("-6 addr show dev lo")
    # A second interface with more of both changes nothing.
    netns.sh("ip link add net1 type veth peer name far1; ip link set net1 up; ip addr add 10.2.0.2/24 dev net1; "
             "ip addr add fd02::2/64 dev net1")
    assert not machine.completes()
    lib.checked(netns.istio_init("clean"))
    assert not netns.has_istio("ipv4") and not netns.has_istio("ipv6")


@pytest.mark.parametrize("call", CALLS)
def test_all_addresses_come_after_the_start(netns, backend, call):
    """Before DHCP and router advertisements nobody knows: both families are on, and stay."""
    machine = Machine(netns, backend, call, "--dual-stack")
    lib.checked(machine.run())
    assert netns.has_istio("ipv6")
    for address in V6, V4:
        netns.ip(f"addr add {address}")
        assert not machine.completes()


def test_an_ipv6_address_of_a_mesh_of_ipv4(netns, backend):
    """Envoy does not listen there: nothing changes but that it is said."""
    machine = Machine(netns, backend, "sidecar")
    netns.ip(f"addr add {V4}")
    lib.checked(machine.run())
    netns.ip(f"-6 addr add {V6}")
    result = machine.run()
    assert result.returncode == 0 and "unchanged" in result.stderr and "--dual-stack" in result.stderr
    assert machine.run("diff").returncode == 0


@pytest.mark.parametrize("call", CALLS)
def test_an_address_is_lost(netns, backend, call):
    """Rules of a family that is off now are a difference, and --reconcile takes them away; both families on one: no change."""
    machine = Machine(netns, backend, call, "--dual-stack")
    netns.sh(f"ip addr add {V4}; ip -6 addr add {V6}; ip -6 addr add fd01::3/64 dev eth0 nodad")
    lib.checked(machine.run())
    netns.ip("-6 addr del fd01::3/64 dev eth0")
    assert not machine.completes()
    netns.ip("addr del 10.1.0.2/24 dev eth0")
    assert not machine.completes()
    netns.sh(f"ip addr add {V4}; ip -6 addr del fd01::2/64 dev eth0")
    before = netns.state()
    result = machine.run()
    assert result.returncode == 1 and "--reconcile" in result.stderr and netns.state() == before
    lib.checked(machine.run("--reconcile"))
    assert not netns.has_istio("ipv6") and "::6" not in netns.ip("-6 addr show dev lo")
    machine.is_as_fresh()
    # And back.
    netns.ip(f"-6 addr add {V6}")
    assert machine.completes()


@pytest.mark.parametrize("call", CALLS)
def test_lo_goes_down(netns, backend, call):
    """The kernel takes ::6 and TPROXY's routes away with it."""
    machine = Machine(netns, backend, call, "--dual-stack")
    netns.sh(f"ip addr add {V4}; ip -6 addr add {V6}")
    lib.checked(machine.run())
    netns.ip("link set lo down")
    assert machine.completes()
    assert ",UP" in netns.ip("link show lo")
    assert ("local default dev lo table 133" in netns.plumbing()) == ("TPROXY" in machine.args)


def advertise(router):
    """A router's advertisement of fd05::/64 (RFC 4861, 4.2 and 4.6.2)."""
    prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xc0, 7200, 3600, 0, bytes.fromhex("fd05" + "00" * 14))
    with router.entered():
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        target = "ff02::1", 0, 0, socket.if_nametoindex("eth0")
    with sock:
        sock.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix, target)


def test_a_router_advertises_after_the_start(netns, backend):
    with lib.Netns() as router:
        wire(netns, "eth0", router, [("10.1.0.2", "10.1.0.1")])
        args = ["--sidecar", "-m", "TPROXY", "--dual-stack", f"--backend={backend}"]
        lib.checked(netns.istio_init(*args))
        assert not netns.has_istio("ipv6")
        deadline = time.monotonic() + 10
        while "fd05:" not in netns.ip("-6 addr show dev eth0"):
            assert time.monotonic() < deadline
            advertise(router)
            time.sleep(0.1)
        assert netns.istio_init("diff", *args).returncode == 2
        lib.checked(netns.istio_init(*args))
        assert netns.has_istio("ipv6") and netns.istio_init("diff", *args).returncode == 0
