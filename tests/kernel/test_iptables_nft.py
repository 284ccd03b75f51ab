# SPDX-License-Identifier: GPL-2.0-or-later
"""What iptables-nft itself would have written, and what belongs to others in its tables."""

import re
import socket
import struct

import configs
import lib
import pytest

NETLINK_NETFILTER = 12
GETTABLE, GETCHAIN, GETRULE = 1, 4, 7
# include/uapi/linux/netfilter/nf_tables.h: what differs from run to run is left out.
TABLE_NAME, TABLE_FLAGS, TABLE_USE = 1, 2, 3
CHAIN_TABLE, CHAIN_NAME, CHAIN_HOOK, CHAIN_POLICY, CHAIN_TYPE = 1, 3, 4, 5, 7
RULE_TABLE, RULE_CHAIN, RULE_EXPRESSIONS, RULE_USERDATA = 1, 2, 4, 7


def attributes(data):
    found, at = {}, 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        found[kind & 0x3fff] = data[at + 4:at + size]
        at += (size + 3) & ~3
    return found


def dump(netns, kind, keys):
    """Each object of the kind: its family and the attributes named by @keys, as bytes."""
    objects = []
    with netns.entered(), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netlink:
        netlink.send(struct.pack("=IHHIIxxxx", 20, 10 << 8 | kind, 0x301, 1, 0))
        while True:
            data, at = netlink.recv(1 << 17), 0
            while at < len(data):
                size, message = struct.unpack_from("=IH", data, at)
                if message in (2, 3):  # NLMSG_ERROR, NLMSG_DONE
                    return objects
                attrs = attributes(data[at + 20:at + size])
                objects.append((data[at + 16], *(attrs.get(key) for key in keys)))
                at += (size + 3) & ~3


def kernel_state(netns):
    """Tables and chains in any order, the rules of each chain in theirs: byte for byte."""
    rules = {}
    for rule in dump(netns, GETRULE, (RULE_TABLE, RULE_CHAIN, RULE_EXPRESSIONS, RULE_USERDATA)):
        rules.setdefault(rule[:3], []).append(rule[3:])
    return (sorted(dump(netns, GETTABLE, (TABLE_NAME, TABLE_FLAGS, TABLE_USE))),
            sorted(map(repr, dump(netns, GETCHAIN, (CHAIN_TABLE, CHAIN_NAME, CHAIN_HOOK, CHAIN_POLICY, CHAIN_TYPE)))),
            rules)


def saved(netns):
    """What both iptables-nft-save print, which must not complain."""
    text = ""
    for tool in "iptables-nft-save", "ip6tables-nft-save":
        result = netns.run([tool, "-c"])
        text += re.sub(r"(?m)^#.*\n", "", lib.checked(result))
        assert not result.stderr
    return text


@pytest.mark.parametrize("name", configs.NAMED)
def test_the_kernel_holds_what_iptables_nft_would_write(netns, name, tmp_path):
    args, env = configs.command_line(configs.NAMED[name], tmp_path)
    lib.checked(netns.istio_init("--backend=iptables-nft", *args, env=env))
    with lib.Netns() as stock:
        for family in lib.FAMILIES:
            if family == "ipv6" and configs.NAMED[name].get("ipv6") == "off":
                continue
            stock.restore(family, lib.checked(stock.istio_init("--dry-run", f"--family={family}", *args, env=env)), "nft")
        # Later versions spell some tests in other expressions, which the save tools read as the same.
        if "v1.8.9 " in lib.checked(stock.run(["iptables-nft", "--version"])):
            assert kernel_state(netns) == kernel_state(stock)
        assert saved(netns) == saved(stock)


FOREIGN = """
    iptables-nft -t nat -A OUTPUT -p tcp --dport 9 -j ACCEPT -c 7 700
    iptables-nft -t nat -N MINE; iptables-nft -t nat -A PREROUTING -j MINE -c 8 800
    iptables-nft -t nat -A POSTROUTING -o eth0 -j MASQUERADE
    iptables-nft -t mangle -P FORWARD DROP; nft add table ip raw; nft add set ip raw mine '{ type ipv4_addr; }'
    nft add table ip6 nat; nft add chain ip6 nat mine; nft add rule ip6 nat mine counter"""
INSTALL = ["--backend=iptables-nft", "--sidecar", "-m", "TPROXY", "--redirect-dns", "--capture-all-dns",
           "--resolv-conf=/dev/null", "-k", "vm0,vm1", "-c", "eth7"]


@pytest.mark.parametrize("foreign", ["", FOREIGN])
def test_clean_leaves_what_was_there_before(netns, foreign):
    netns.sh(foreign)
    before = netns.snapshot()
    lib.checked(netns.istio_init(*INSTALL))
    lib.checked(netns.istio_init("clean", *INSTALL[1:]))
    assert netns.snapshot() == before


@pytest.mark.parametrize("foreign", ["", FOREIGN])
def test_what_was_written_is_undone(netns, foreign):
    """The legacy rules that were to go cannot be removed: the new ones go again."""
    netns.sh(foreign)
    lib.checked(netns.istio_init("--backend=iptables-legacy", "--sidecar"))
    before = netns.snapshot()
    result = netns.istio_init(*INSTALL, "--reconcile", prefix=[
        "strace", "-f", "-o", netns.dir / "trace", "-e", "inject=setsockopt:error=ENOMEM:when=3+"])
    assert result.returncode == 1, result.stderr
    assert "NFT_MSG_NEWRULE" in (netns.dir / "trace").read_text() or "BATCH_BEGIN" in (netns.dir / "trace").read_text()
    assert netns.snapshot() == before


def nth_delrule(netns, *args):
    """Which sendto of a run it is that removes the first ip rule."""
    netns.istio_init(*args, prefix=["strace", "-f", "-o", netns.dir / "trace", "-e", "trace=sendto"])
    lines = (netns.dir / "trace").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if "RTM_DELRULE" in line)


@pytest.mark.parametrize("change", [["clean", *INSTALL[1:]], ["--backend=iptables-nft", "--sidecar", "--reconcile"]])
def test_what_was_replaced_is_put_back(netns, change):
    """The ip rule of the older install cannot be removed: its rules come back, in place and with their counters."""
    def install(pod):
        pod.sh(FOREIGN)
        lib.checked(pod.istio_init(*INSTALL))
        pod.sh("""iptables-nft -t nat -I OUTPUT 2 -p tcp --dport 8 -j ACCEPT -c 9 900
                  iptables-nft -t nat -R ISTIO_REDIRECT 1 -p tcp -j REDIRECT --to-ports 15001 -c 10 1000
                  iptables-nft -t mangle -I PREROUTING -p udp -j RETURN""")

    with lib.Netns() as rehearsal:
        install(rehearsal)
        call = nth_delrule(rehearsal, *change)
    install(netns)
    before = netns.snapshot()
    result = netns.istio_init(*change, prefix=[
        "strace", "-f", "-o", netns.dir / "trace", "-e", "trace=sendto", "-e", f"inject=sendto:error=ENOMEM:when={call}"])
    assert result.returncode == 1, result.stderr
    assert netns.snapshot() == before


@pytest.mark.parametrize("foreign, word", [
    ("nft add table ip nat; nft add chain ip nat OUTPUT", "hooked in"),
    ("nft add table ip nat '{ flags dormant; }'", "dormant")])
def test_rules_that_would_do_nothing_are_not_written(netns, foreign, word):
    netns.sh(foreign)
    before = netns.snapshot()
    result = netns.istio_init("--backend=iptables-nft", "--sidecar")
    assert result.returncode == 1 and word in result.stderr
    assert netns.snapshot() == before


def test_rules_in_a_table_that_was_put_to_sleep_are_a_difference(netns):
    lib.checked(netns.istio_init("--backend=iptables-nft", "--sidecar"))
    netns.sh("nft add table ip nat '{ flags dormant; }'")
    result = netns.istio_init("--backend=iptables-nft", "--sidecar")
    assert result.returncode == 1 and "--reconcile" in result.stderr
