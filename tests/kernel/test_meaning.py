# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules that are written differently and do the same: an apply leaves them, with --reconcile it writes its own."""

import ipaddress
import os
import random

import configs
import lib
import native
import pytest
import test_oracle
import upstream

SAME = "unchanged, what is live means the same"
IPTABLES = pytest.mark.backends("iptables-legacy", "iptables-nft")
FIRST = int(os.environ.get("ISTIO_INIT_SEED", "1"))
SEEDS = range(FIRST, FIRST + (300 if os.environ.get("ISTIO_INIT_FAULTS") == "all" else 8))


def check_same(netns, backend, *args, env=None):
    """apply and diff say that it means the same; --reconcile then makes it what an apply makes of nothing."""
    words, before = [*args, f"--backend={backend}"], netns.snapshot()
    diff = netns.istio_init("diff", *words, env=env)
    assert diff.returncode == 0 and diff.stdout and "no packet is treated differently" in diff.stderr, diff
    result = netns.istio_init("apply", *words, env=env)
    assert result.returncode == 0 and SAME in result.stderr, result
    assert len(result.stderr.splitlines()) == 1 and netns.snapshot() == before
    said = lib.document(netns.istio_init("diff", "--output=json", *words, env=env).stdout)
    assert said["equal"] and said["refused"] is None and said["actions"]
    lib.checked(netns.istio_init("apply", "--reconcile", *words, env=env))
    with lib.Netns() as other:
        lib.checked(other.istio_init("apply", *words, env=env))
        assert other.istio_init("show").stdout == netns.istio_init("show").stdout


def cidrs(n):
    rng = random.Random(1)
    four = [f"{ipaddress.ip_address(rng.getrandbits(32))}/{rng.randint(9, 32)}" for _ in range(n)]
    six = [f"{ipaddress.ip_address((2 << 124) | rng.getrandbits(125))}/{rng.randint(30, 128)}" for _ in range(n)]
    return ",".join(four + six)


@IPTABLES
@pytest.mark.parametrize("option", ["istio-service-exclude-cidr", "istio-service-cidr", "exclude-inbound-cidrs"])
def test_lines_of_the_peer_for_a_tree_of_ours(netns, backend, option):
    config = {"sidecar": True, "istio-service-cidr": "*", option: cidrs(100)}
    for family in lib.FAMILIES:
        netns.restore(family, upstream.restore_text(config, family), backend.split("-")[1])
    netns.sh("; ".join(upstream.plumbing(config, lib.FAMILIES)))
    check_same(netns, backend, "--sidecar", f"--{option}={config[option]}")


@IPTABLES
@pytest.mark.parametrize("live, wanted", [("linear", "tree"), ("tree", "linear")])
def test_layouts_of_lists(netns, backend, live, wanted):
    args = ["--sidecar", f"--istio-service-exclude-cidr={cidrs(80)}", f"--backend={backend}"]
    lib.checked(netns.istio_init("apply", *args, f"--long-lists={live}"))
    check_same(netns, backend, *args, f"--long-lists={wanted}")


@pytest.mark.parametrize("live, wanted", [
    (["-o", "80,81"], ["-o", "80-81"]), (["--comments"], []), ([], ["--comments"])])
def test_options_that_ask_for_the_same(netns, backend, live, wanted):
    lib.checked(netns.istio_init("apply", "--sidecar", *live, f"--backend={backend}"))
    check_same(netns, backend, "--sidecar", *wanted)


@IPTABLES
@pytest.mark.parametrize("tamper", [
    "-A ISTIO_OUTPUT -j ACCEPT", "-I OUTPUT -j ISTIO_OUTPUT", "-N ISTIO_EXTRA",
    "-A ISTIO_INBOUND -m comment --comment x -j RETURN", "-I ISTIO_OUTPUT -o lo -s 127.0.0.6 -j RETURN"])
def test_what_makes_no_difference(netns, backend, tamper):
    lib.checked(netns.istio_init("apply", "--sidecar", f"--backend={backend}"))
    netns.sh(f"{backend} -t nat {tamper}")
    check_same(netns, backend, "--sidecar")


@IPTABLES
@pytest.mark.parametrize("foreign, tamper", [
    # an ACCEPT in front of somebody's rule, what cannot be read, where packets are not followed, and each state
    ("-A OUTPUT -p udp --dport 9 -j REDIRECT --to-ports 99", "-A ISTIO_OUTPUT -j ACCEPT"),
    ("", "-A ISTIO_OUTPUT -m length --length 9 -j RETURN"),
    ("", "-A ISTIO_INBOUND -m statistic --mode random --probability 0.5 -j RETURN"),
    ("-N ISTIO_OUTER", "-A POSTROUTING -j ISTIO_OUTER"),
    ("", "-I ISTIO_INBOUND -m conntrack --ctstate ESTABLISHED -j RETURN"),
    ("", "-I ISTIO_OUTPUT -m mark --mark 0x1/0x80000000 -j RETURN; BACKEND -t mangle -N ISTIO_X; "
     "BACKEND -t mangle -A ISTIO_X -p icmp -j MARK --set-mark 7; BACKEND -t mangle -A OUTPUT -j ISTIO_X")])
def test_what_makes_one(netns, backend, foreign, tamper):
    lib.checked(netns.istio_init("apply", "--sidecar", f"--backend={backend}"))
    netns.sh(f"{backend} -t nat {foreign}" if foreign else ":")
    netns.sh(f"{backend} -t nat {tamper.replace('BACKEND', backend)}")
    before = netns.snapshot()
    result = netns.istio_init("apply", "--sidecar", f"--backend={backend}")
    assert result.returncode == 1 and "--reconcile" in result.stderr and netns.snapshot() == before


@pytest.mark.backends("nftables")
def test_a_proxy_that_is_down(netns, backend):
    """A native tproxy lets go where nobody listens: without the drop behind it nothing is the same."""
    words = ["--sidecar", "-m", "TPROXY", f"--backend={backend}"]
    lib.checked(netns.istio_init("apply", *words))
    listed = netns.sh("nft -a list chain inet istio-proxy-mangle istio-tproxy")
    drop = [line.split()[-1] for line in listed.splitlines() if " drop " in line][-1]
    netns.sh(f"nft delete rule inet istio-proxy-mangle istio-tproxy handle {drop}")
    result = netns.istio_init("apply", *words)
    assert result.returncode == 1 and "--reconcile" in result.stderr


@pytest.mark.parametrize("seed", SEEDS)
def test_random_pairs(backend, seed, tmp_path):
    """Where an apply says that what is live means the same, the traffic of all new connections is the same."""
    rng = random.Random(seed)
    one = test_oracle.random_config(rng)
    other = {**one, **dict(rng.sample(sorted(test_oracle.random_config(rng).items()), 1))}
    (live, live_env), (wanted, env) = (configs.command_line(config, tmp_path) for config in (one, other))
    with lib.Netns() as netns:
        if netns.istio_init("apply", *live, f"--backend={backend}", env=live_env).returncode:
            return
        result = netns.istio_init("apply", *wanted, f"--backend={backend}", env=env)
        if SAME in result.stderr:
            assert netns.istio_init("diff", "--traffic", *wanted, f"--backend={backend}", env=env).returncode == 0, (live, wanted)


def peer_natively(netns, config):
    """What istio-iptables --native-nftables leaves."""
    families = lib.FAMILIES[:1] if config.get("ipv6") == "off" else lib.FAMILIES
    lib.checked(netns.run(["nft", "-f", "-"], input=native.script(config)))
    netns.sh("; ".join(upstream.plumbing(config, families)) or ":")


def check_replaced(netns, config, directory):
    args, env = configs.command_line(config, directory)
    args.append("--backend=nftables")
    diff = netns.istio_init("diff", *args, env=env)
    assert diff.returncode == 2 and "Istio's own native tables, which mean the same" in diff.stderr, diff
    result = netns.istio_init("apply", *args, env=env)
    assert result.returncode == 0 and "applied over Istio's own native tables" in result.stderr, result
    result = netns.istio_init("apply", *args, env=env)
    assert result.returncode == 0 and "unchanged, all was right already" in result.stderr, result
    with lib.Netns() as other:
        lib.checked(other.istio_init("apply", *args, env=env))
        assert other.istio_init("show").stdout == netns.istio_init("show").stdout


NATIVE = pytest.mark.backends("nftables")
PEERS = [name for name, config in configs.NAMED.items()
         if config.keys() <= {*native.OPTIONS} and not upstream.has_loopback(config.get("istio-service-cidr", ""))]


@NATIVE
@pytest.mark.parametrize("ipv6", ["on", "off"])
@pytest.mark.parametrize("name", PEERS)
def test_native_tables_of_the_peer(netns, name, ipv6, tmp_path):
    config = {**configs.NAMED[name], "ipv6": ipv6}
    peer_natively(netns, config)
    check_replaced(netns, config, tmp_path)


@NATIVE
@pytest.mark.parametrize("seed", SEEDS)
def test_random_native_tables_of_the_peer(netns, seed, tmp_path):
    rng = random.Random(seed)
    wanted = test_oracle.random_config(rng)
    config = {option: value for option, value in wanted.items() if option in native.OPTIONS}
    config.setdefault("ipv6", rng.choice(["on", "off"]))
    if upstream.has_loopback(config.get("istio-service-cidr", "")):
        del config["istio-service-cidr"]  # then nothing need be different, and nothing is written
    peer_natively(netns, config)
    check_replaced(netns, config, tmp_path)


# A chain of somebody's in a table of ours, where we follow no packet.
ELSEWHERE = "nft 'add chain inet istio-proxy-nat other { type filter hook input priority 0; policy drop; }'"


@NATIVE
@pytest.mark.parametrize("live, wanted, tamper", [
    ({}, {"drop-invalid": True}, ":"),
    ({}, {"istio-inbound-interception-mode": "TPROXY"}, ":"),
    ({"ipv6": "on"}, {"ipv6": "off"}, ":"),
    ({"ipv6": "off"}, {"ipv6": "on"}, ":"),
    ({}, {}, "nft insert rule inet istio-proxy-nat istio-output tcp dport 9 counter return"),
    ({}, {}, "nft insert rule inet istio-proxy-nat istio-output meta length 9 counter return"),
    (configs.DNS, {}, "nft insert rule inet istio-proxy-raw istio-output-dns udp dport 54 ct zone set 3"),
    (configs.TPROXY, {}, "nft add rule inet istio-proxy-mangle output meta mark set 7"),
    (configs.TPROXY, {}, "nft insert rule inet istio-proxy-mangle prerouting iifname eth0 ct mark set meta mark"),
    (configs.TPROXY, {}, "nft insert rule inet istio-proxy-mangle prerouting meta l4proto udp ct state invalid drop"),
    ({}, {}, ELSEWHERE)])
def test_native_tables_that_mean_something_else(netns, live, wanted, tamper, tmp_path):
    config = {**configs.SIDECAR, "ipv6": "off", "resolv.conf": configs.DNS_V4, **live}
    peer_natively(netns, config)
    netns.sh(tamper)
    args, env = configs.command_line({**config, **wanted}, tmp_path)
    before = netns.snapshot()
    result = netns.istio_init("apply", *args, "--backend=nftables", env=env)
    assert result.returncode == 1 and "--reconcile" in result.stderr and netns.snapshot() == before


@NATIVE
@pytest.mark.parametrize("ipv6", ["on", "off"])
def test_native_tables_of_ours(netns, backend, ipv6):
    """They are never taken for Istio's own: what means the same stays, and what does not is refused."""
    words = ["--sidecar", f"--ipv6={ipv6}"]
    lib.checked(netns.istio_init("apply", *words, f"--backend={backend}"))
    netns.sh("nft add rule inet istio-proxy-nat istio-output return")
    check_same(netns, backend, *words)
    netns.sh(ELSEWHERE)
    before = netns.snapshot()
    result = netns.istio_init("apply", *words, f"--backend={backend}")
    assert result.returncode == 1 and "--reconcile" in result.stderr and netns.snapshot() == before
