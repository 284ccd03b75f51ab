# SPDX-License-Identifier: GPL-2.0-or-later
"""Replacing, cleaning, comparing and showing what is live."""

import configs
import lib
import pytest
import upstream

VARIED = ["sidecar", "sidecar-ipv4", "nothing", "tproxy", "tproxy-istio", "dns-v4", "tproxy-list", "dns", "dns-all",
          "inbound-list", "outbound-everything", "uids-gids", "groups-many", "exclude-ports-for-uids",
          "inbound-cidrs", "drop-invalid"]
# Pairs of neighbours, so that each is replaced by something else.
PAIRS = list(zip(VARIED, VARIED[1:] + VARIED[:1]))


@pytest.fixture
def pod(netns, backend, tmp_path):
    """run(name, *words) runs the program with a named configuration and the backend under test."""
    def run(name, *words):
        args, env = configs.command_line(configs.NAMED[name], tmp_path)
        return netns.istio_init(*words, *args, f"--backend={backend}", env=env)

    netns.apply = run
    return netns


@pytest.mark.parametrize("old, new", PAIRS)
def test_reconcile_replaces_all(pod, backend, old, new):
    lib.checked(pod.apply(old))
    lib.checked(pod.apply(new, "--reconcile"))
    after = pod.snapshot()
    with lib.Netns() as fresh:
        args, env = configs.command_line(configs.NAMED[new], fresh.dir)
        lib.checked(fresh.istio_init(*args, f"--backend={backend}", env=env))
        assert pod.state() == fresh.state()
    lib.checked(pod.apply(new))
    assert pod.snapshot() == after


@pytest.mark.parametrize("name", VARIED)
def test_clean_needs_no_options(pod, backend, name):
    before = pod.state()
    lib.checked(pod.apply(name))
    assert pod.state() != before
    for _ in range(2):
        lib.checked(pod.istio_init("clean", f"--backend={backend}"))
        assert pod.state() == before


@pytest.mark.parametrize("name", ["exclude-interfaces", "virt-all", "tproxy-interfaces"])
def test_clean_with_the_options_of_the_install(pod, name):
    before = pod.state()
    lib.checked(pod.apply(name))
    lib.checked(pod.apply(name, "--cleanup-only"))
    assert pod.state() == before


def test_nothing_to_clean_touches_nothing(pod):
    before = pod.snapshot()
    lib.checked(pod.istio_init("clean"))
    lib.checked(pod.istio_init("--cleanup-only"))
    assert pod.snapshot() == before


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_clean_and_reconcile_leave_foreign_rules(pod, backend):
    flavour = "legacy" if backend == "iptables-legacy" else "nft"
    lib.checked(pod.apply("tproxy-dns"))
    pod.sh(f"""
        {backend} -t nat -I OUTPUT -p tcp --dport 9 -j ACCEPT -c 7 700
        {backend} -t nat -A PREROUTING -p udp --dport 9 -j REDIRECT --to-ports 8 -c 8 800
        {backend} -t mangle -I OUTPUT 2 -p tcp --dport 9 -j MARK --set-mark 9 -c 9 900
        {backend} -t mangle -A PREROUTING -p tcp -m mark --mark 0x9 -j CONNMARK --save-mark -c 10 1000
        {backend} -t raw -I PREROUTING -p udp -j RETURN -c 11 1100
        {backend} -t filter -A INPUT -p udp -j ACCEPT -c 12 1200
        ip rule add fwmark 9 lookup 99; ip route add local default dev lo table 99
        ip -6 addr add ::7/128 dev lo""")

    def foreign():
        rules = [line for line in pod.save("ipv4", counters=True, flavour=flavour).splitlines()
                 if line.startswith("[") and not line.startswith("[0:0]")]
        return (rules, pod.ip("rule").count("fwmark 0x9 lookup 99"), pod.ip("route show table 99"),
                pod.ip("-6 addr").count("::7/128"))

    before = foreign()
    assert len(before[0]) == 6
    lib.checked(pod.apply("sidecar", "--reconcile"))
    assert foreign() == before
    lib.checked(pod.apply("tproxy", "--reconcile"))
    assert foreign() == before
    lib.checked(pod.istio_init("clean"))
    assert foreign() == before
    assert not pod.has_istio("ipv4") and not pod.has_istio("ipv6")


@pytest.mark.backends("iptables-legacy", "iptables-nft")
@pytest.mark.parametrize("name", ["sidecar", "tproxy", "dns-all", "tproxy-istio"])
def test_clean_and_reconcile_after_upstream(pod, backend, name, tmp_path):
    def upstreams():
        for family in lib.FAMILIES:
            pod.restore(family, upstream.restore_text(configs.NAMED[name], family),
                        "legacy" if backend == "iptables-legacy" else "nft")
        pod.ip("addr add ::6/128 dev lo nodad")
        for family in ["-4", "-6"] if "tproxy" in name else []:
            pod.ip(f"{family} rule add fwmark 1337 lookup 133")
            pod.ip(f"{family} route add local default dev lo table 133")

    empty = pod.state()
    upstreams()
    lib.checked(pod.istio_init("clean"))
    assert pod.state() == empty
    upstreams()
    lib.checked(pod.apply("inbound-list", "--reconcile"))
    with lib.Netns() as fresh:
        args, env = configs.command_line(configs.NAMED["inbound-list"], tmp_path)
        lib.checked(fresh.istio_init(*args, f"--backend={backend}", env=env))
        assert pod.state() == fresh.state()


def test_diff(pod):
    lib.checked(pod.apply("sidecar"))
    before = pod.snapshot()
    same = pod.apply("sidecar", "diff")
    assert (same.returncode, same.stdout) == (0, "")
    other = pod.apply("ports", "diff")
    assert other.returncode == 2
    changed = [line for line in other.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert any(line.startswith("-") and "15001" in line for line in changed)
    assert any(line.startswith("+") and "16001" in line for line in changed)
    assert all("1500" in line or "1600" in line for line in changed)
    assert pod.snapshot() == before


def test_diff_of_nothing(pod):
    before = pod.snapshot()
    result = pod.apply("sidecar", "diff")
    assert result.returncode == 2
    assert "+-A ISTIO_OUTPUT" in result.stdout or "istio-output" in result.stdout
    assert pod.snapshot() == before


@pytest.mark.backends("iptables-legacy", "iptables-nft")
@pytest.mark.parametrize("name", VARIED)
def test_show_prints_what_the_dry_run_promised(pod, backend, name):
    lib.checked(pod.apply(name))
    before = pod.snapshot()
    assert lib.shown(pod, backend) == lib.checked(pod.apply(name, "--dry-run"))
    assert pod.snapshot() == before
