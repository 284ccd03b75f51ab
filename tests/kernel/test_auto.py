# SPDX-License-Identifier: GPL-2.0-or-later
"""--backend=auto: which backend it takes, and that looking changes nothing."""

import itertools
import pathlib
import platform

import lib
import pytest

DENY = pathlib.Path(__file__).resolve().parent.parent / "deny.py"
SIDECAR = ["--sidecar", "-u", "1337"]


def lacking(*parts):
    if platform.machine() != "x86_64":
        pytest.skip("deny.py knows the system calls of x86-64 only")
    return ["/usr/bin/python3", "-B", DENY, ",".join(parts)]


def taken(result):
    """The backend of the summary line."""
    lib.checked(result)
    return result.stderr.rsplit(" through ", 1)[1].split()[0]


def test_nothing_is_there(netns):
    assert taken(netns.istio_init(*SIDECAR)) == "nftables"


def test_a_policy_against_nftables(netns):
    deny = lacking("nftables-by-policy")
    assert netns.istio_init(*SIDECAR, prefix=deny).returncode == 77
    assert taken(netns.istio_init(*SIDECAR, "--backend=iptables-legacy", prefix=deny)) == "iptables-legacy"


def test_looking_makes_no_table(netns):
    before = netns.snapshot()
    lib.checked(netns.istio_init("show"))
    assert netns.istio_init("diff", *SIDECAR).returncode == 2
    lib.checked(netns.istio_init("clean"))
    assert netns.sh("cat /proc/net/ip_tables_names /proc/net/ip6_tables_names") == ""
    assert netns.snapshot() == before


def test_legacy_rules_of_others(netns):
    netns.sh("iptables-legacy -t nat -A OUTPUT -p tcp --dport 9 -j ACCEPT")
    assert taken(netns.istio_init(*SIDECAR)) == "iptables-legacy"


def test_empty_legacy_tables_are_nobody_s(netns):
    netns.sh("iptables-legacy -t nat -L >/dev/null")
    assert taken(netns.istio_init(*SIDECAR)) == "nftables"


@pytest.mark.parametrize("holder", ["iptables-legacy", "iptables-nft", "nftables"])
def test_istio_rules_are_there(netns, holder):
    lib.checked(netns.istio_init(*SIDECAR, f"--backend={holder}"))
    again = netns.istio_init(*SIDECAR)
    assert taken(again) == holder
    assert "unchanged" in again.stderr
    assert taken(netns.istio_init(*SIDECAR, "-q", "99", "--reconcile")) == holder


@pytest.mark.parametrize("other", ["iptables-legacy", "iptables-nft"])
def test_istio_rules_are_in_two(netns, other):
    lib.checked(netns.istio_init(*SIDECAR, "--backend=nftables"))
    refused = netns.istio_init(*SIDECAR, f"--backend={other}")
    assert refused.returncode == 1
    assert "nftables" in refused.stderr and "--reconcile" in refused.stderr
    with lib.Netns() as fresh:
        lib.checked(fresh.istio_init(*SIDECAR, f"--backend={other}"))
        flavour = other.removeprefix("iptables-")
        for family in lib.FAMILIES:
            netns.restore(family, fresh.save(family, flavour=flavour), flavour)
    refused = netns.istio_init(*SIDECAR)
    assert refused.returncode == 1
    assert f"live in several backends of this network namespace: nftables and {other}" in refused.stderr
    assert "--reconcile" in refused.stderr
    # What --reconcile would do; and what is there can still be explained.
    compared = netns.istio_init("diff", *SIDECAR)
    assert compared.returncode == 2 and "\n--A ISTIO_OUTPUT " in compared.stdout and "redirect to" not in compared.stdout
    explained = lib.checked(netns.istio_init("explain", "--live", "out"))
    assert f"captured, Envoy outbound\n  unless {other} decides otherwise: " in explained
    lib.checked(netns.istio_init(*SIDECAR, "--reconcile"))
    assert not any("ISTIO_" in netns.save(family, flavour=flavour) for family in lib.FAMILIES)
    assert "unchanged" in netns.istio_init(*SIDECAR).stderr


@pytest.mark.parametrize("old, new", itertools.permutations(["iptables-legacy", "iptables-nft", "nftables"], 2))
def test_move_to_another_backend(netns, old, new):
    lib.checked(netns.istio_init(*SIDECAR, f"--backend={old}"))
    assert taken(netns.istio_init(*SIDECAR, f"--backend={new}", "--reconcile")) == new
    with lib.Netns() as fresh:
        lib.checked(fresh.istio_init(*SIDECAR, f"--backend={new}"))
        assert netns.state() == fresh.state()


def test_no_nf_tables(netns):
    assert taken(netns.istio_init(*SIDECAR, prefix=lacking("nftables"))) == "iptables-legacy"


def test_no_legacy_tables(netns):
    assert taken(netns.istio_init(*SIDECAR, prefix=lacking("legacy"))) == "nftables"
    refused = netns.istio_init(*SIDECAR, "--backend=iptables-legacy", "--reconcile", prefix=lacking("legacy"))
    assert refused.returncode == 69
    assert "iptable_nat" in refused.stderr and "--backend=nftables" in refused.stderr


def test_neither(netns):
    before = netns.snapshot()
    refused = netns.istio_init(*SIDECAR, prefix=lacking("nftables", "legacy"))
    assert refused.returncode == 69
    for backend in "nftables", "iptables-nft", "iptables-legacy":
        assert f"{backend}: " in refused.stderr
    assert netns.snapshot() == before


def test_net_admin_alone(netns):
    only = ["setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all"]
    assert taken(netns.istio_init(*SIDECAR, prefix=only)) == "nftables"


def in_user_namespace(*args):
    """In a user namespace in which UID 1337 is not mapped, and a network namespace of its own."""
    return lib.run(["unshare", "--user", "--map-root-user", "--net", lib.BINARY, *SIDECAR, *args],
                   env={"XTABLES_LOCKFILE": "/nowhere/lock"})


def test_unmapped_uid():
    assert taken(in_user_namespace()) == "nftables"
    refused = in_user_namespace("--backend=iptables-legacy")
    assert refused.returncode == 69
    assert "user namespace" in refused.stderr and "--backend=nftables" in refused.stderr


def test_netns_of_another_user_namespace():
    """Root of a child user namespace, in a netns that its parent's owns: xt's owner match is refused there."""
    inner = f"exec unshare --user --map-root-user {lib.BINARY} {' '.join(SIDECAR)}"
    refused = lib.run(["unshare", "--user", "--map-root-user", "--net", "sh", "-c", inner])
    assert refused.returncode == 77
    assert "another user namespace" in refused.stderr
