# SPDX-License-Identifier: GPL-2.0-or-later
"""explain --live says what is so: of foreign rules, of what sleeps, of what is missing, of who else decides."""

import lib
import pytest

TPROXY = ["--sidecar", "-m", "TPROXY"]
OUT = ["out", "dst=192.0.2.7", "dport=80"]
NO_OPTION = "by a rule that no option asks for"


def verdict(netns, *words, args=()):
    """The verdict, and the lines behind it, joined."""
    said = lib.checked(netns.istio_init("explain", "--live", *args, *words))
    return said.partition("verdict: ")[2].rstrip("\n")


@pytest.fixture
def live(netns, backend):
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    return netns


@pytest.mark.parametrize("words", [OUT, ["in"], ["in", "dst=2001:db8::1"]])
def test_nothing_is_there(words, netns):
    assert verdict(netns, *words) == "PASSES: not captured, because no Istio rules are live in this network namespace"


@pytest.mark.backends("iptables-legacy", "iptables-nft")
@pytest.mark.parametrize(("rule", "says"), [
    ("-p tcp -j DNAT --to-destination 10.9.9.9:81", f"DNAT to 10.9.9.9 port 81: not captured, but sent there, {NO_OPTION}"),
    ("-p tcp -j DNAT --to-destination 10.9.9.9", f"DNAT to 10.9.9.9: not captured, but sent there, {NO_OPTION}"),
    ("-p tcp -j DNAT --to-destination :81", f"DNAT to :81: not captured, but sent there, {NO_OPTION}"),
    ("-p tcp -j DNAT --to-destination 127.0.0.1:15001", f"DNAT to 127.0.0.1 port 15001: captured, Envoy outbound, {NO_OPTION}"),
    ("-p tcp -j REDIRECT --to-ports 81", f"REDIRECT to :81: not captured, but sent to that port of the pod itself, {NO_OPTION}"),
    ("-p tcp -m multiport --dports 80,443 -j ACCEPT", "PASSES: not captured, because of a rule that no option asks for"),
    ("-p tcp -m multiport --dports 81,443 -j ACCEPT", "REDIRECT to :15001: captured, Envoy outbound"),
    ("-p icmp -j ACCEPT", "REDIRECT to :15001: captured, Envoy outbound"),
    ("-p tcp -j LOG", "REDIRECT to :15001: captured, Envoy outbound"),
    ("-d 192.0.2.8 -m addrtype --dst-type LOCAL -j ACCEPT", "REDIRECT to :15001: captured, Envoy outbound"),
    ("-m addrtype --dst-type LOCAL -j ACCEPT", "may be decided by -t nat -A OUTPUT -j ACCEPT [addrtype], which istio-init cannot read; "
     "else REDIRECT to :15001: captured, Envoy outbound"),
    ("-p tcp -j DNAT --to-destination 10.9.9.9:80-90", "may be decided by -t nat -A OUTPUT -p tcp [DNAT], which istio-init cannot "
     "read; else REDIRECT to :15001: captured, Envoy outbound"),
])
def test_foreign_rules_in_front(rule, says, backend, live):
    live.sh(f"{backend} -t nat -I OUTPUT {rule}")
    assert verdict(live, *OUT) == says


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_foreign_chains(backend, live):
    """What cannot be read of the way into a chain makes doubtful only what the chain decides."""
    live.sh(f"""{backend} -t nat -N A; {backend} -t nat -N B; {backend} -t nat -A A -p tcp -g B
        {backend} -t nat -A B -p tcp --dport 81 -j ACCEPT; {backend} -t nat -A B -p tcp --dport 82 -m length --length 1 -j ACCEPT
        {backend} -t nat -I OUTPUT -m addrtype ! --dst-type LOCAL -j A""")
    assert verdict(live, *OUT) == "REDIRECT to :15001: captured, Envoy outbound"
    assert verdict(live, "out", "dport=81").startswith("may be decided by -t nat -A OUTPUT -j A [addrtype], which")
    assert verdict(live, "out", "dport=82").startswith("may be decided by -t nat -A B -p tcp -m tcp --dport 82 -j ACCEPT [length], which")


@pytest.mark.parametrize(("rule", "says"), [
    ("fib daddr type local accept", "OUTPUT: counter accept [fib]"), ("limit rate 1/second drop", "OUTPUT: counter drop [limit]"),
    ("dnat ip to 10.9.9.9", "OUTPUT: counter [nat]")])
@pytest.mark.backends("nftables")
def test_rules_in_a_native_table(rule, says, backend, live):
    live.sh(f"nft insert rule inet istio-proxy-nat output {rule}")
    assert verdict(live, *OUT).startswith(f"may be decided by istio-proxy-nat {says}, which istio-init cannot read; else REDIRECT")


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_a_policy_drops(backend, live):
    live.sh(f"{backend} -t mangle -P OUTPUT DROP")
    said = lib.checked(live.istio_init("explain", "--live", *OUT))
    assert said.endswith("mangle OUTPUT\n  -P OUTPUT DROP\nverdict: DROP: the last rule above drops it\n")


@pytest.mark.backends("iptables-nft", "nftables")
def test_what_sleeps_decides_nothing(backend, live):
    where = "inet istio-proxy-nat" if backend == "nftables" else "ip nat"
    live.sh(f"nft 'add table {where} {{ flags dormant; }}'")
    assert verdict(live, *OUT) == ("PASSES: not captured, because a table is dormant, or a chain is not hooked in as its name says, "
                                   "and decides nothing")


@pytest.mark.backends("iptables-nft")
def test_a_chain_out_of_its_place_decides_nothing_that_is_known(backend, netns):
    netns.sh("""nft 'add table ip nat; add chain ip nat OUTPUT { type nat hook output priority -99; }; add chain ip nat ISTIO_OUTPUT
        add rule ip nat OUTPUT jump ISTIO_OUTPUT; add rule ip nat ISTIO_OUTPUT accept'""")
    said = verdict(netns, *OUT)
    assert said.startswith("PASSES: not captured, because a table is dormant, or a chain is not hooked in")
    assert said.endswith("\n  unless it is decided otherwise by table ip nat, which istio-init does not read: chain OUTPUT (nat hook "
                         "output, priority -99)")


@pytest.mark.parametrize(("break_it", "says"), [
    ("ip rule del fwmark 1337", "lost: the ip rule is missing (fwmark 1337)"),
    ("ip route flush table 133", "lost: the route is missing (local default dev lo table 133)")])
def test_tproxy_without_its_routes(break_it, says, backend, netns):
    lib.checked(netns.istio_init(*TPROXY, f"--backend={backend}"))
    netns.sh(break_it)
    assert verdict(netns, "in").startswith(says)
    whole = verdict(netns, "in", "dst=2001:db8::1")
    assert whole == "TPROXY to :15006: captured, Envoy inbound, both addresses kept"
    lib.checked(netns.istio_init(*TPROXY, f"--backend={backend}"))
    assert verdict(netns, "in") == whole


def test_tproxy_behind_an_interface_of_virtual_machines(backend, netns):
    """nat's rule for what comes in there changes where the proxy believes that the client meant to go."""
    lib.checked(netns.istio_init(*TPROXY, "-k", "eth1", f"--backend={backend}"))
    assert verdict(netns, "in", "iif=eth1") == "TPROXY to :15006: captured, Envoy inbound, but nat then changes the destination"
    assert verdict(netns, "in", "iif=eth0") == "TPROXY to :15006: captured, Envoy inbound, both addresses kept"


OTHERS = """
table inet user {
    chain pre { type nat hook prerouting priority -110; tcp dport 80 accept; }
    chain out { type filter hook output priority 0; counter; }
    chain closed { type filter hook output priority 1; policy drop; }
    chain empty { type filter hook output priority 2; }
    chain behind { type nat hook postrouting priority 100; counter masquerade; }
    chain plain { counter accept; }
}
table ip6 six {
    chain out { type route hook output priority 3; counter; }
}
table inet asleep {
    flags dormant;
    chain out { type filter hook output priority 4; counter; }
}
"""


def test_other_tables(backend, live):
    """Those are named whose chains do anything, where the packet comes by."""
    lib.checked(live.run(["nft", "-f", "-"], input=OTHERS))
    unless = "\n  unless it is decided otherwise by table inet user, which istio-init does not read: chain "
    captured, *chains = verdict(live, *OUT).split(unless)
    assert captured == "REDIRECT to :15001: captured, Envoy outbound"
    assert chains == ["pre (nat hook prerouting, priority -110)", "out (filter hook output, priority 0)",
                     "closed (filter hook output, priority 1)"]
    assert verdict(live, "in") == f"REDIRECT to :15006: captured, Envoy inbound{unless}pre (nat hook prerouting, priority -110)"
    assert "table ip6 six" in verdict(live, "out", "dst=2001:db8::1")


@pytest.mark.parametrize("other", ["iptables-legacy", "iptables-nft"])
def test_rules_in_another_backend(other, netns):
    """Docker's DNS rules beside native ones."""
    lib.checked(netns.istio_init("--sidecar", "--backend=nftables"))
    dnat = "-d 127.0.0.11/32 -p udp -m udp --dport 53 -j DNAT --to-destination 127.0.0.11:41000"
    netns.sh(f"{other} -t nat -A OUTPUT {dnat}")
    said = verdict(netns, "out", "proto=udp", "dst=127.0.0.11", "dport=53")
    assert said.endswith(f"\n  unless {other} decides otherwise: -t nat -A OUTPUT {dnat}"), said
    assert "unless" not in verdict(netns, *OUT)
    netns.sh(f"{other} -t filter -A INPUT -j ACCEPT")
    assert "filter" in verdict(netns, "in")
