# SPDX-License-Identifier: GPL-2.0-or-later
"""What a network namespace may hold when the program comes: states, made by itself and by the stock tools."""

import collections
import re

import lib

OPTIONS = {
    "sidecar": ["--sidecar"],
    "tproxy": ["--sidecar", "-m", "TPROXY"],
    "dns": ["--sidecar", "--redirect-dns", "--capture-all-dns", "--resolv-conf=/dev/null"],
    "interfaces": ["--sidecar", "-c", "eth7", "-k", "vm0,vm1"],
    "lists": ["-b", "80,443", "-i", "10.0.0.0/8,fd00::/8", "-x", "10.9.0.0/16,10.8.0.0/16", "-q", "1", "-u", "1337,1338"],
    "all tables": ["--sidecar", "-m", "TPROXY", "-c", "eth7", "-k", "vm0", "--drop-invalid", "--redirect-dns",
                   "--capture-all-dns", "--resolv-conf=/dev/null"],
}
TABLES = ["mangle", "nat", "raw"]
TOOLS = {"iptables-legacy": ["iptables-legacy", "ip6tables-legacy"], "iptables-nft": ["iptables-nft", "ip6tables-nft"]}


def tools(backend):
    """Natively rules of users are in legacy tables."""
    return TOOLS.get(backend, TOOLS["iptables-legacy"])


def apply(pod, backend, args, *more, **kwargs):
    return pod.istio_init(*args, *more, f"--backend={backend}", **kwargs)


def others(backend):
    return [name for name in lib.BACKENDS if name != backend]


def nothing(pod, backend, args):
    """Nobody has written anything."""


def install(pod, backend, args):
    lib.checked(apply(pod, backend, args))


def without_ipv6(pod, backend, args):
    lib.checked(apply(pod, backend, args, "--ipv6=off"))


def purge(pod, tool, table):
    """Takes everything of Istio's out of one table of one family; rules of users stay."""
    saved = lib.tables(lib.checked(pod.run([f"{tool}-save", "-t", table]))).get(table, ([], {}))
    # TPROXY's in built-in chains are told by its marks, 1337 and 1338.
    mine = [line for chain in saved[1].values() for line in chain if re.search("ISTIO_|0x539|0x53a", line)]
    script = [f"-D{line[2:]}" for line in mine] + [f"-X {name}" for name in saved[0] if name.startswith("ISTIO_")]
    pod.sh("\n".join(f"{tool} -t {table} {line}" for line in script))


def without_ipv4(pod, backend, args):
    install(pod, backend, args)
    for table in TABLES if backend != "nftables" else []:
        purge(pod, tools(backend)[0], table)


def without_table(table):
    def state(pod, backend, args):
        install(pod, backend, args)
        if backend == "nftables":
            pod.sh(f"nft delete table inet istio-proxy-{table} 2>/dev/null || :")
            return
        for tool in tools(backend):
            purge(pod, tool, table)

    state.__name__ = f"without_{table}"
    return state


def without_table_of_one_family(pod, backend, args):
    install(pod, backend, args)
    if backend != "nftables":
        purge(pod, tools(backend)[1], "nat")


def without_address(pod, backend, args):
    install(pod, backend, args)
    pod.ip("-6 addr del ::6/128 dev lo")


def without_ip_rule(pod, backend, args):
    install(pod, backend, args)
    pod.sh("ip rule del fwmark 1337 2>/dev/null || :")


def without_ip_route(pod, backend, args):
    install(pod, backend, args)
    pod.sh("ip -6 route flush table 133 2>/dev/null || :")


def with_lo_down(pod, backend, args):
    install(pod, backend, args)
    pod.ip("link set lo down")


def stale_ip_rule(pod, backend, args):
    install(pod, backend, args)
    pod.sh("ip rule add fwmark 1337 lookup 99; ip route add local default dev lo table 99")


def repeated_ip_rule(pod, backend, args):
    """Upstream's second run adds one more."""
    install(pod, backend, args)
    pod.sh("ip rule add fwmark 1337 lookup 133; ip -6 rule add fwmark 1337 lookup 133")


def stale_mark(pod, backend, args):
    install(pod, backend, [*args, "-m", "TPROXY", "-t", "0x77", "-r", "77"])


def other_mode(pod, backend, args):
    install(pod, backend, [*args, "-m", "REDIRECT" if "TPROXY" in args else "TPROXY"])


def other_options(pod, backend, args):
    install(pod, backend, [*args, "-o", "3306", "--inbound-tunnel-port=15009"])


def more_interfaces(pod, backend, args):
    """RETURNs that may be a user's are there, and nobody asks for them."""
    install(pod, backend, [*args, "-c", "eth7,eth8"])


def other_backend(pod, backend, args):
    install(pod, others(backend)[0], args)


def rehearsed(backend, args):
    """What an install makes of the native tables, or {family: text} of the iptables backends."""
    with lib.Netns() as rehearsal:
        install(rehearsal, backend, args)
        if backend == "nftables":
            return rehearsal.sh("nft -s list ruleset")
        return {family: rehearsal.save(family, flavour=backend.rpartition("-")[2]) for family in lib.FAMILIES}


def both_others(pod, backend, args):
    """As two rivals without a common lock leave it."""
    for name in others(backend):
        text = rehearsed(name, args)
        if name == "nftables":
            lib.checked(pod.run(["nft", "-f", "-"], input=text))
            continue
        for family in lib.FAMILIES:
            pod.restore(family, text[family], flavour=name.rpartition("-")[2])


def every_backend(pod, backend, args):
    both_others(pod, backend, args)
    lib.checked(apply(pod, backend, args, "--reconcile"))
    both_others(pod, backend, args)


def foreign_alone(pod, backend, args):
    del args
    for tool in tools(backend):
        pod.sh(f"{tool} -t nat -A OUTPUT -p tcp --dport 7 -j ACCEPT; {tool} -t mangle -A PREROUTING -p udp -j ACCEPT")


def foreign_everywhere(pod, backend, args):
    """In front, between and behind."""
    for tool in tools(backend):
        pod.sh(f"{tool} -t nat -A OUTPUT -p tcp --dport 7 -j ACCEPT; {tool} -t nat -A PREROUTING -p udp -j ACCEPT")
    install(pod, backend, args)
    for tool in tools(backend):
        pod.sh(f"""{tool} -t nat -I OUTPUT -p tcp --dport 8 -j ACCEPT; {tool} -t nat -A OUTPUT -p tcp --dport 9 -j ACCEPT
                   for c in PREROUTING OUTPUT; do {tool} -t mangle -I $c 2 -p udp --dport 8 -j ACCEPT || :; done 2>/dev/null
                   {tool} -t nat -I PREROUTING 2 -p udp --dport 8 -j ACCEPT""")


def users_returns(pod, backend, args):
    """As -c and -k make them, and there before."""
    for tool in tools(backend):
        pod.sh(f"{tool} -t nat -A PREROUTING -i eth7 -j RETURN; {tool} -t nat -A OUTPUT -o eth7 -j RETURN")
    install(pod, backend, args)


def doubled_jump(pod, backend, args):
    install(pod, backend, args)
    if backend == "nftables":
        pod.sh("nft add rule inet istio-proxy-nat output counter jump istio-output")
    else:
        pod.sh(f"{tools(backend)[0]} -t nat -A OUTPUT -j ISTIO_OUTPUT")


def lost_jump(pod, backend, args):
    install(pod, backend, args)
    if backend == "nftables":
        pod.sh("nft flush chain inet istio-proxy-nat output")
    else:
        pod.sh(f"{tools(backend)[1]} -t nat -D OUTPUT -j ISTIO_OUTPUT")


def hand_edited(pod, backend, args):
    install(pod, backend, args)
    if backend == "nftables":
        pod.sh("nft insert rule inet istio-proxy-nat istio-output tcp dport 9 counter return")
    else:
        pod.sh(f"{tools(backend)[0]} -t nat -I ISTIO_OUTPUT -p tcp --dport 9 -j RETURN; "
               f"{tools(backend)[1]} -t nat -D ISTIO_REDIRECT 1")


def unreadable(pod, backend, args):
    """A test that the program does not know, in a chain of ours."""
    install(pod, backend, args)
    if backend == "nftables":
        pod.sh("nft add rule inet istio-proxy-nat istio-output meta cpu 1 counter return")
    else:
        pod.sh(f"{tools(backend)[0]} -t nat -A ISTIO_OUTPUT -m statistic --mode nth --every 3 --packet 0 -j RETURN")


def swapped(pod, backend, args):
    """The rules of a chain in another order."""
    install(pod, backend, args)
    if backend == "nftables":
        pod.sh("""nft flush chain inet istio-proxy-nat istio-redirect
                  nft add rule inet istio-proxy-nat istio-redirect counter return
                  nft add rule inet istio-proxy-nat istio-redirect meta l4proto tcp counter redirect to :15001""")
    else:
        pod.sh(f"""t={tools(backend)[0]}; rule=$($t -t nat -S ISTIO_OUTPUT | sed -n '2s/^-A ISTIO_OUTPUT //p')
                   $t -t nat -D ISTIO_OUTPUT 1; $t -t nat -A ISTIO_OUTPUT $rule""")


def strange_chain(pod, backend, args):
    """A chain with a name of ours that no options ask for."""
    install(pod, backend, args)
    if backend == "nftables":
        pod.sh("nft add chain inet istio-proxy-nat mine; nft add rule inet istio-proxy-nat mine counter accept")
    else:
        pod.sh(f"{tools(backend)[0]} -t nat -N ISTIO_MINE; {tools(backend)[0]} -t nat -A ISTIO_MINE -j ACCEPT")


def dormant(pod, backend, args):
    install(pod, backend, args)
    if backend != "iptables-legacy":
        table = "inet istio-proxy-nat" if backend == "nftables" else "ip nat"
        pod.sh(f"nft add table {table} '{{ flags dormant; }}'")


def not_hooked_in(pod, backend, args):
    del args
    if backend == "iptables-nft":
        pod.sh("nft add table ip nat; nft add chain ip nat OUTPUT")
    elif backend == "nftables":
        pod.sh("nft add table inet istio-proxy-nat; nft add chain inet istio-proxy-nat output")


def old_dns(pod, backend, args):
    """What Istio 1.9 to 1.22 wrote."""
    install(pod, backend, args)
    if backend == "nftables":
        return
    pod.sh(f"""t={tools(backend)[0]}
        $t -t nat -A OUTPUT -p udp --dport 53 -m owner --uid-owner 1337 -j RETURN
        $t -t nat -A OUTPUT -p udp --dport 53 -m owner --gid-owner 1337 -j RETURN
        $t -t nat -A OUTPUT -p udp --dport 53 -d 10.0.0.10/32 -j REDIRECT --to-ports 15053
        $t -t raw -A OUTPUT -p udp --dport 53 -m owner --uid-owner 1337 -j CT --zone 1
        $t -t raw -A OUTPUT -p udp --sport 15053 -m owner --gid-owner 1337 -j CT --zone 2
        $t -t raw -A OUTPUT -p udp --dport 53 -d 10.0.0.10/32 -j CT --zone 2
        $t -t raw -A PREROUTING -p udp --sport 53 -s 10.0.0.10/32 -j CT --zone 1""")


ALL = {state.__name__: state for state in (
    nothing, install, without_ipv4, without_ipv6, *map(without_table, TABLES), without_table_of_one_family,
    without_address, without_ip_rule, without_ip_route, with_lo_down, stale_ip_rule, repeated_ip_rule, stale_mark,
    other_mode, other_options, more_interfaces, other_backend, both_others, every_backend, foreign_alone,
    foreign_everywhere, users_returns, doubled_jump, lost_jump, hand_edited, unreadable, swapped, strange_chain, dormant,
    not_hooked_in, old_dns)}


# Nothing that has to be taken away is there: what is missing is added without being asked twice.
COMPLETED = {"nothing", "install", "without_ipv4", "without_ipv6", "without_mangle", "without_nat", "without_raw",
             "without_table_of_one_family", "without_address", "without_ip_rule", "without_ip_route", "with_lo_down",
             "foreign_alone", "foreign_everywhere", "users_returns"}


def is_completed(backend, state, args):
    return (state in COMPLETED or (state == "more_interfaces" and backend != "nftables") or
            (state == "repeated_ip_rule" and "TPROXY" in args))


# Rules that would decide nothing are not written.
BLOCKED = {("iptables-nft", "dormant"), ("iptables-nft", "not_hooked_in")}
# How the program prints what it cannot read.
UNREADABLE = {"-A ISTIO_OUTPUT -j RETURN [and what istio-init cannot read: statistic]":
              "-A ISTIO_OUTPUT -m statistic --mode nth --every 3 --packet 0 -j RETURN",
              "counter return [and what istio-init cannot read: meta]": "meta cpu 1 counter return"}


def rules(pod):
    """All rules of the kernel, as the stock tools list them, with where they stand."""
    found = collections.Counter()
    for family in lib.FAMILIES:
        for flavour in "legacy", "nft":
            for table, (_, chains) in lib.tables(pod.save(family, flavour=flavour)).items():
                found.update((flavour, family, table, rule) for chain in chains.values() for rule in chain)
    for table in re.split(r"(?m)^(?=table )", pod.sh("nft -s list ruleset")):
        if table.startswith("table inet istio-proxy-"):
            found.update(("inet", "", table.split()[2], rule) for rule in re.findall(r"(?m)^\t\t(.*counter.*)$", table))
    return found


def routes(pod):
    """What the rules need beside rules, as diff prints it."""
    found = collections.Counter()
    for ip, words in ("ip", "ip -4"), ("ip -6", "ip -6"):
        for line in pod.sh(f"{words} rule").splitlines():
            if rule := re.fullmatch(r"(\d+):\tfrom all fwmark (\w+) lookup (\d+) *", line):
                found[f"{ip} rule fwmark {int(rule[2], 0)} lookup {rule[3]} priority {rule[1]}"] += 1
        for line in pod.sh(f"{words} route show table all").splitlines():
            if route := re.match(r"local default dev lo table (\d+) ", line):
                found[f"{ip} route local default dev lo table {route[1]}"] += 1
    lo = pod.sh("ip addr show dev lo")
    found["ip address ::6/128 dev lo nodad"] += "inet6 ::6/128" in lo
    found["ip link set lo up"] += ",UP" in lo
    return found
