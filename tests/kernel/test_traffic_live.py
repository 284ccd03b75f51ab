# SPDX-License-Identifier: GPL-2.0-or-later
"""explain traffic --live and diff --traffic of what is in a network namespace: any backend, foreign rules, plumbing."""

import configs
import lib
import pytest
from test_explain_live import OTHERS, TPROXY

SAME = "no packet is treated differently\n"
DIFFERS = "no packet is treated differently, though the rules differ\n"


def compared(netns, *args, env=None):
    """The document of diff --traffic, which changes nothing."""
    before = netns.state()
    found = netns.istio_init("diff", "--traffic", "--output=json", *args, env=env)
    said = lib.document(found.stdout)
    assert found.returncode == (0 if said["equal"] else 2), found.stderr
    assert netns.state() == before
    return said


@pytest.mark.parametrize("other", lib.BACKENDS)
@pytest.mark.parametrize("name", ["sidecar", "tproxy-inbound-cidrs", "dns-uids-gids", "groups-many", "inner-and-others"])
def test_another_backend_makes_no_difference(name, other, backend, netns, tmp_path):
    args, env = configs.command_line(configs.NAMED[name], tmp_path)
    lib.checked(netns.istio_init(*args, f"--backend={backend}", env=env))
    found = netns.istio_init("diff", "--traffic", *args, f"--backend={other}", env=env)
    assert (found.returncode, found.stdout) == (0, SAME if other == backend else DIFFERS), found.stdout


def test_a_tree_makes_no_difference(backend, netns):
    many = ",".join(f"10.{n}.0.0/16" for n in range(0, 200, 2))
    lib.checked(netns.istio_init("--sidecar", "-x", many, f"--backend={backend}", "--long-lists=tree"))
    found = netns.istio_init("diff", "--traffic", "--sidecar", "-x", many, "--long-lists=linear")
    assert (found.returncode, found.stdout) == (0, SAME if backend == "nftables" else DIFFERS)
    [change] = compared(netns, "--sidecar", "-x", many.replace("10.4.0.0/16,", ""))["changes"]
    assert change["dst"] == ["10.4.0.0/16"] and change["from"]["because"] == ["--istio-service-exclude-cidr"]
    assert (change["to"]["fate"], change["to"]["port"]) == ("redirect", 15001)


def test_nothing_is_live(netns):
    said = compared(netns, "--sidecar")
    assert said["exact"] and {one["from"]["fate"] for one in said["changes"]} == {"passes"}
    found = netns.istio_init("explain", "traffic", "--live")
    assert (found.returncode, found.stderr) == (0, "istio-init: no Istio rules are live in this network namespace\n")
    assert found.stdout.split() == ["in", "PASSES", "out", "PASSES"]


def test_other_tables_are_named(backend, netns):
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    lib.checked(netns.run(["nft", "-f", "-"], input=OTHERS))
    said = lib.document(lib.checked(netns.istio_init("explain", "traffic", "--live", "--output=json")))
    assert not said["exact"]
    assert [line.partition("chain ")[2].split()[0] for line in said["unless"]] == ["pre", "out", "closed", "out"]
    text = lib.checked(netns.istio_init("explain", "traffic", "--live"))
    assert text.endswith("".join(f"  {line}\n" for line in said["unless"]))
    same = compared(netns, "--sidecar")
    assert same["equal"] and not same["exact"] and same["unless"] == said["unless"]


@pytest.mark.parametrize("other", ["iptables-legacy", "iptables-nft"])
def test_another_backend_is_named(other, netns):
    lib.checked(netns.istio_init("--sidecar", "--backend=nftables"))
    netns.sh(f"{other} -t nat -A OUTPUT -d 192.0.2.7 -j ACCEPT")
    assert lib.document(lib.checked(netns.istio_init("explain", "traffic", "--live", "--output=json")))["exact"]
    netns.sh(f"{other} -t nat -A OUTPUT -p tcp -d 192.0.2.7 -j REDIRECT --to-ports 7")
    said = lib.document(lib.checked(netns.istio_init("explain", "traffic", "--live", "--output=json")))
    assert said["unless"] == [f"unless it is decided otherwise by the rules of {other}, which there are, too"]


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_foreign_rules_count_on_both_sides(backend, netns):
    """Docker's rule takes its packets now and then; what it takes is in no change."""
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    netns.sh(f"{backend} -t nat -I OUTPUT -d 10.7.0.0/16 -p tcp --dport 443 -j DNAT --to-destination 192.0.2.9:8443")
    [change] = compared(netns, "--sidecar", "-x", "10.7.0.0/16")["changes"]
    assert (change["dst"], change["dport"]) == (["10.7.0.0/16"], ["0-442", "444-65535"])
    lib.checked(netns.istio_init("--sidecar", "--reconcile", "-x", "10.7.0.0/16"))
    assert compared(netns, "--sidecar", "-x", "10.7.0.0/16")["equal"]


@pytest.mark.parametrize("break_it", ["ip rule del fwmark 1337", "ip route flush table 133"])
def test_tproxy_without_its_routes(break_it, backend, netns):
    lib.checked(netns.istio_init(*TPROXY, f"--backend={backend}"))
    assert compared(netns, *TPROXY)["equal"]
    netns.sh(break_it)
    said = compared(netns, *TPROXY)
    assert {(one["family"], one["from"]["fate"], one["to"]["fate"]) for one in said["changes"]} == {("ipv4", "lost", "tproxy")}
    text = lib.checked(netns.istio_init("explain", "traffic", "--live", *TPROXY))
    lack = "ip rule is missing (fwmark 1337)" if "del" in break_it else "route is missing (local default dev lo table 133)"
    assert f"lost: the {lack}" in text


@pytest.mark.backends("iptables-nft")
def test_what_sleeps_decides_nothing(netns):
    lib.checked(netns.istio_init("--sidecar", "--backend=iptables-nft", "--ipv6=off"))
    netns.sh("nft 'add table ip nat { flags dormant; }'")
    found = netns.istio_init("explain", "traffic", "--live")
    assert found.stdout.split() == ["in", "PASSES", "out", "PASSES"]
    assert "warn: a table is dormant, or a chain is not hooked in as its name says, and decides nothing\n" in found.stderr
