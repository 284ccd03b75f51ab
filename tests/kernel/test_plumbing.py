# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses, ip rules and routes beside the rules, and what decides on IPv6."""

import socket

import lib
import pytest


def apply(netns, backend, *args):
    return lib.checked(netns.istio_init("--sidecar", f"--backend={backend}", *args))


def wire(netns, *addresses):
    netns.ip("link add eth0 type veth peer name far0")
    netns.ip("link set far0 up")
    netns.ip("link set eth0 up")
    for address in addresses:
        netns.ip(f"addr add {address} dev eth0" + (" nodad" if ":" in address else ""))


BOTH = "its IPv6 traffic is left alone; --dual-stack"


@pytest.mark.parametrize("addresses, options, wanted", [
    (["10.0.0.2/24"], [], False),
    (["10.0.0.2/24"], ["--dual-stack"], False),
    (["10.0.0.2/24", "fd00::2/64"], [], False),
    (["10.0.0.2/24", "fd00::2/64"], ["--dual-stack"], True),
    (["10.0.0.2/24", "fd00::2/64"], ["--ipv6=on"], True),
    (["fd00::2/64", "10.0.0.2/24"], [], False),
    (["fd00::2/64", "10.0.0.2/24"], ["--dual-stack"], True),
    (["fd00::2/64"], [], True),
    (["2001:db8::2/128", "192.0.2.1/32"], ["--dual-stack"], True),
    (["169.254.1.1/16", "fe80::77/64"], [], True),
    (["10.0.0.2/24", "fe80::77/64"], [], False),
    (["169.254.1.1/16", "fd00::2/64"], [], True),
    ([], [], True)])
def test_ipv6_auto_decides_as_istio_iptables(netns, backend, addresses, options, wanted):
    wire(netns, *addresses)
    result = netns.istio_init("--sidecar", f"--backend={backend}", *options)
    lib.checked(result)
    assert netns.has_istio("ipv6") == wanted
    assert (BOTH in result.stderr) == (not options and len(addresses) == 2 and not wanted and "fe80::77/64" not in addresses)


def test_a_pod_of_both_families_answers_ipv6_without_dual_stack(netns, backend):
    """Envoy listens on 0.0.0.0 alone then: what reaches the application over IPv6 must not be sent to a closed port."""
    wire(netns, "10.0.0.2/24", "fd00::2/64")
    netns.ip("-6 route add local 2001:db8::/64 dev lo")
    apply(netns, backend)
    with netns.entered():
        listener = socket.create_server(("::", 8080), family=socket.AF_INET6)
        client = socket.create_connection(("2001:db8::1", 8080), timeout=5, source_address=("fd00::2", 0))
    accepted, _ = listener.accept()
    for each in accepted, client, listener:
        each.close()


def test_ipv6_auto_with_only_lo(netns, backend):
    apply(netns, backend)
    assert netns.has_istio("ipv6")


def disable_ipv6(netns):
    for where in "all", "default", "lo":
        netns.write_sysctl(f"ipv6/conf/{where}/disable_ipv6", "1")


def test_ipv6_auto_where_it_is_disabled(netns, backend):
    disable_ipv6(netns)
    wire(netns, "10.0.0.2/24")
    apply(netns, backend)
    assert not netns.has_istio("ipv6")
    assert "::6" not in netns.ip("-6 addr show dev lo")


def test_ipv6_auto_where_it_is_disabled_and_no_address_is_set(netns, backend):
    disable_ipv6(netns)
    result = netns.istio_init("--sidecar", f"--backend={backend}")
    lib.checked(result)
    assert "IPv6" in result.stderr


def test_ipv6_on_where_it_is_disabled_is_an_error(netns, backend):
    disable_ipv6(netns)
    before = netns.snapshot()
    result = netns.istio_init("--sidecar", f"--backend={backend}", "--ipv6=on")
    assert result.returncode in (1, 69) and result.stdout == ""
    assert "IPv6" in result.stderr and len(result.stderr.splitlines()) <= 2
    assert netns.snapshot() == before


def test_ipv6_on_and_off(netns, backend):
    wire(netns, "10.0.0.2/24")
    apply(netns, backend, "--ipv6=on")
    assert netns.has_istio("ipv6")
    with lib.Netns() as other:
        wire(other, "10.0.0.2/24", "fd00::2/64")
        apply(other, backend, "--ipv6=off")
        assert not other.has_istio("ipv6")
        assert "::6/" not in other.ip("-6 addr show dev lo")


def test_inbound_address_is_ready_at_once(netns, backend):
    apply(netns, backend)
    assert "inet6 ::6/128" in netns.ip("-6 addr show dev lo")
    assert "tentative" not in netns.ip("-6 addr show dev lo")
    with netns.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        sock.bind(("::6", 0))


def test_inbound_address_that_is_there_is_no_error(netns, backend):
    netns.ip("addr add ::6/128 dev lo")
    apply(netns, backend)
    assert netns.ip("-6 addr show dev lo").count("inet6 ::6/128") == 1


def tproxy_state(netns):
    return {family: (netns.ip(f"{family} rule"), netns.ip(f"{family} route show table 133")) for family in ("-4", "-6")}


def test_tproxy_rule_and_route(netns, backend):
    apply(netns, backend, "-m", "TPROXY")
    for rules, routes in tproxy_state(netns).values():
        assert [line for line in rules.splitlines() if "fwmark" in line] == ["32765:\tfrom all fwmark 0x539 lookup 133"]
        assert [line.split()[:4] for line in routes.splitlines()] == [["local", "default", "dev", "lo"]]


def test_tproxy_again_is_no_error_and_adds_nothing(netns, backend):
    apply(netns, backend, "-m", "TPROXY")
    before = tproxy_state(netns)
    apply(netns, backend, "-m", "TPROXY")
    assert tproxy_state(netns) == before


def test_tproxy_with_rule_and_route_of_upstream(netns, backend):
    for family in "-4", "-6":
        netns.ip(f"{family} rule add fwmark 1337 lookup 133")
        netns.ip(f"{family} route add local default dev lo table 133")
    before = tproxy_state(netns)
    apply(netns, backend, "-m", "TPROXY")
    assert tproxy_state(netns) == before


def test_tproxy_with_other_mark_and_table(netns, backend):
    apply(netns, backend, "-m", "TPROXY", "-t", "0x77", "-r", "4000", "--ipv6=off")
    assert "fwmark 0x77 lookup 4000" in netns.ip("rule")
    assert "local default dev lo" in netns.ip("route show table 4000")
    assert "fwmark" not in netns.ip("-6 rule")


def test_tproxy_without_inbound_ports_needs_no_route(netns, backend):
    apply(netns, backend, "-m", "TPROXY", "-b", "")
    assert "fwmark" not in netns.ip("rule") + netns.ip("-6 rule")


def test_redirect_mode_has_no_rule(netns, backend):
    apply(netns, backend)
    assert "fwmark" not in netns.ip("rule") + netns.ip("-6 rule")


def test_lo_is_brought_up(backend):
    with lib.Netns(lo_up=False) as netns:
        apply(netns, backend)
        assert ",UP" in netns.ip("link show lo")
        assert netns.has_istio("ipv6") and "inet6 ::6/128" in netns.ip("-6 addr show dev lo")
