# SPDX-License-Identifier: GPL-2.0-or-later
"""Jumps to our chains behind tests that we cannot read are ours all the same, on every backend."""

import lib
import pytest

# As the nft tool puts them into a table, in front of a jump to our chain.
NFT = {
    "limit": "limit rate 5/second", "fib": "fib daddr type local", "numgen": "numgen random mod 2 0",
    "quota": "quota over 1 mbytes", "ct count": "ct count over 3", "socket": "socket transparent 1",
    "log": 'log prefix "x"', "ct helper": 'ct helper "ftp"', "ct direction": "ct direction original",
    "packet type": "meta pkttype unicast", "option": "tcp option maxseg size 1-500", "hash": "jhash ip saddr mod 2 0",
    "route": "rt mtu 500", "set": "tcp dport { 80, 443 }", "odd mask": "meta mark & 0xf0 != 0x10",
    "notrack": "notrack", "mark set": "meta mark set 7", "map": "meta mark set tcp dport map { 80 : 1, 443 : 2 }",
    "payload": "tcp sequence 22", "update": "update @seen { ip saddr }", "limit twice": "limit rate 5/second fib daddr type local",
}
# As iptables puts them there.
XT = {
    "statistic": "-m statistic --mode nth --every 2 --packet 0", "xt limit": "-m limit --limit 5/second", "string": "-m string --algo bm --string x",
    "addrtype": "-m addrtype --dst-type LOCAL", "syn": "-p tcp --syn", "recent": "-m recent --name r --set",
    "length": "-m length --length 1:500", "comment": "-m comment --comment x", "multiport": "-p tcp -m multiport --dports 80,443",
    "icmp": "-p icmp", "any ports": "-p tcp -m multiport --ports 80",
}
NATIVE_JUMP = {"nat": ("output", "istio-output"), "raw": ("output", "istio-output-dns")}
OPTIONS = ["--sidecar", "--redirect-dns", "--resolv-conf=/dev/null", "--capture-all-dns"]


def spoil(netns, backend, how):
    """Puts one more jump to our chain, behind something that we cannot read, in front of all."""
    if how in XT:
        netns.sh(f"{backend} -t nat -I OUTPUT {XT[how]} -j ISTIO_OUTPUT")
        return
    # To switch tracking off is for raw alone.
    table = "raw" if how == "notrack" else "nat"
    if backend == "nftables":
        where, (chain, jump) = f"inet istio-proxy-{table}", NATIVE_JUMP[table]
    else:
        where, chain, jump = f"ip {table}", "OUTPUT", {"nat": "ISTIO_OUTPUT", "raw": "ISTIO_OUTPUT_DNS"}[table]
    if how == "update":
        netns.sh(f"nft 'add set {where} seen {{ type ipv4_addr; size 16; flags dynamic; }}'")
    rule = f"insert rule {where} {chain} {NFT[how]} jump {jump}\n"
    lib.checked(netns.run(["nft", "-f", "-"], input=rule))


def cases():
    for backend in lib.BACKENDS:
        if backend != "iptables-legacy":
            yield from ((backend, how) for how in NFT)
        if backend != "nftables":
            yield from ((backend, how) for how in XT)


@pytest.mark.parametrize(("holder", "how"), cases())
def test_a_jump_behind_what_cannot_be_read_is_ours(holder, how, netns):
    args = [*OPTIONS, f"--backend={holder}"]
    other = {"iptables-nft": "nftables", "nftables": "iptables-legacy", "iptables-legacy": "iptables-nft"}[holder]
    lib.checked(netns.istio_init(*args))
    right = netns.state()
    spoil(netns, holder, how)
    # What can be read after all makes no difference: all packets come to that chain.
    found, run = netns.istio_init("diff", *args), netns.istio_init(*args)
    assert (found.returncode, run.returncode) == (2, 1) or (found.stdout and "means the same" in run.stderr)
    lib.checked(netns.istio_init("--reconcile", *args))
    if how == "update" and holder == "iptables-nft":
        netns.sh("nft delete set ip nat seen")
    assert netns.state() == right
    spoil(netns, holder, how)
    lib.checked(netns.istio_init("--reconcile", *OPTIONS, f"--backend={other}"))
    assert netns.istio_init("diff", *OPTIONS, f"--backend={other}").returncode == 0
    lib.checked(netns.istio_init(*args, "--reconcile"))
    if how == "update" and holder == "iptables-nft":
        netns.sh("nft delete set ip nat seen")
    spoil(netns, holder, how)
    lib.checked(netns.istio_init("clean"))
    assert not netns.has_istio("ipv4")
