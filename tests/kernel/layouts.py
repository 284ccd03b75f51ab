# SPDX-License-Identifier: GPL-2.0-or-later
"""What releases of Istio leave in a netns, as data: rules by table, as iptables takes them, and what stands beside them.

Written from what those releases print, and not from the program's table.
"""

import dataclasses
import itertools

LO = {"ipv4": "127.0.0.1/32", "ipv6": "::1/128"}
PASSTHROUGH = {"ipv4": "127.0.0.6/32", "ipv6": "::6/128"}
PROBE = {"ipv4": "169.254.7.127/32", "ipv6": "fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128"}
SERVERS = {"ipv4": ["10.96.0.10/32", "10.0.0.2/32"], "ipv6": ["fd96::a/128"]}


@dataclasses.dataclass
class Release:
    """How one writes; those that are not told apart here are equal."""

    dns: str = ""           # how it sends UDP 53 to the agent: "dnat PORT", "redirect", "zones" (also), "" not at all
    jump: str = "-p tcp "   # of nat OUTPUT
    backward: bool = False  # zones of answers are told by their destination, which never fits
    groups: bool = False    # owner groups, of UDP 53 too
    tproxy: bool = True     # its rules in built-in chains
    excluded: str = "-A ISTIO_INBOUND -p tcp --dport 15008 -j RETURN"


RELEASES = {
    "1.5": Release(excluded="-A ISTIO_INBOUND -p tcp --dport 22 -j RETURN", tproxy=False),
    "1.7": Release("dnat 15013"),
    "1.8": Release("dnat 15053"),
    "1.9": Release("redirect"),
    "1.11": Release("zones", backward=True),
    "1.12": Release("zones", backward=True, groups=True),
    "1.15": Release("zones", groups=True),
    "1.22": Release("zones", jump="", groups=True),
}


@dataclasses.dataclass
class Layout:
    """@rules: {family: {table: [blocks of rules]}}; rules of a block stand together.  @script: ip rules and routes."""

    rules: dict
    script: str = ""
    unreadable: bool = False  # the program cannot read all of it
    proven: bool = True       # more than their place tells the owners of UDP 53

    def straight(self):
        """What is left when only chains of Istio's, and what leads to them, are removed, as istio-clean-iptables does."""
        return Layout({family: {table: [[rule for rule in block if "ISTIO_" not in rule] for block in blocks]
                                for table, blocks in tables.items()} for family, tables in self.rules.items()},
                      proven=self.proven and "CT" in str(self.rules))


def owners(uids, gids):
    return [f"-m owner --uid-owner {uid}" for uid in uids] + [f"-m owner --gid-owner {gid}" for gid in gids]


def output_chain(family, release, uids, gids, groups):
    rules = [f"-A ISTIO_OUTPUT -s {PASSTHROUGH[family]} -o lo -j RETURN"]
    for owner in owners(uids, gids):
        rules += [f"-A ISTIO_OUTPUT ! -d {LO[family]} -o lo {owner} -j ISTIO_IN_REDIRECT", f"-A ISTIO_OUTPUT {owner} -j RETURN"]
    if groups:
        rules.append(f"-A ISTIO_OUTPUT {groups} -j RETURN")
    if release.dns:
        rules.append("-A ISTIO_OUTPUT -p tcp --dport 53 -j REDIRECT --to-ports 15053")
    return [*rules, f"-A ISTIO_OUTPUT -d {LO[family]} -j RETURN", "-A ISTIO_OUTPUT -j ISTIO_REDIRECT"]


def dns_rules(family, release, everything, uids, gids, groups):
    """Tables of blocks: UDP 53."""
    kind, _, port = release.dns.partition(" ")
    if not kind or (kind == "dnat" and family == "ipv6"):
        return {}
    servers = [""] if everything else [f"-d {server} " for server in SERVERS[family]]
    udp = "-p udp --dport 53"
    returns = [f"-A OUTPUT {udp} {owner} -j RETURN" for owner in [*owners(uids, gids), *([groups] if groups else [])]]
    if kind == "dnat":
        to_agent = [f"-A OUTPUT {server}{udp} -j DNAT --to-destination 127.0.0.1:{port}" for server in servers]
        source = [f"-A POSTROUTING -p udp --dport {port} -j SNAT --to-source 127.0.0.1"]
        return {"nat": [returns + to_agent, source]}
    found = {"nat": [returns + [f"-A OUTPUT {server}{udp} -j REDIRECT --to-ports 15053" for server in servers]]}
    if kind == "zones":
        raw = []
        for owner in owners(uids, gids):
            raw += [[f"-A OUTPUT {udp} {owner} -j CT --zone 1"], [f"-A OUTPUT -p udp --sport 15053 {owner} -j CT --zone 2"]]
        for server in servers:
            answer = server if release.backward else server.replace("-d", "-s")
            raw += [[f"-A OUTPUT {server}{udp} -j CT --zone 2"], [f"-A PREROUTING {answer}-p udp --sport 53 -j CT --zone 1"]]
        found["raw"] = raw
    return found


def tproxy_rules(family, release, mark, uids, gids):
    chains = [f"-A ISTIO_DIVERT -j MARK --set-xmark {mark:#x}/0xffffffff", "-A ISTIO_DIVERT -j ACCEPT",
              f"-A ISTIO_TPROXY ! -d {LO[family]} -p tcp -j TPROXY --on-port 15006 --tproxy-mark {mark:#x}/0xffffffff",
              release.excluded, "-A ISTIO_INBOUND -p tcp -m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT",
              "-A ISTIO_INBOUND -p tcp -j ISTIO_TPROXY"]
    if not release.tproxy:
        return [["-A PREROUTING -p tcp -j ISTIO_INBOUND"], chains]
    marked = [f"-A OUTPUT ! -d {LO[family]} -o lo -p tcp {owner} -j MARK --set-xmark 0x53a/0xffffffff"
              for owner in owners(uids, gids)]
    return [["-A PREROUTING -p tcp -j ISTIO_INBOUND"],
            [f"-A PREROUTING -p tcp -m mark --mark {mark:#x} -j CONNMARK --save-mark"],
            [f"-A OUTPUT -o lo -p tcp -m mark --mark {mark:#x} -j RETURN"], *[[rule] for rule in marked],
            [f"-A OUTPUT -p tcp -m connmark --mark {mark:#x} -j CONNMARK --restore-mark"], chains]


def plumbing(mark, table, priority=""):
    return "; ".join(f"ip {ip} rule add fwmark {mark} lookup {table} {priority}; ip {ip} route add local default dev lo table {table}"
                     for ip in ("-4", "-6"))


def sidecar(release, *, uids=("1337",), gids=("1337",), groups="", everything=True, tproxy=False, mark=1337,
            families=("ipv4", "ipv6"), ports=()):
    """An install of a release; @ports: excluded outbound ones, as the CNI plugin excluded 15020."""
    how, rules = RELEASES[release], {}
    groups = groups if how.groups else ""
    for family in families:
        inbound = [] if tproxy else [how.excluded, "-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT"]
        chains = [*inbound, "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001",
                  "-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006",
                  *(f"-A ISTIO_OUTPUT -p tcp --dport {port} -j RETURN" for port in ports),
                  *output_chain(family, how, uids, gids, groups)]
        jumps = [[f"-A OUTPUT {how.jump}-j ISTIO_OUTPUT"], *([] if tproxy else [["-A PREROUTING -p tcp -j ISTIO_INBOUND"]])]
        tables = {"nat": [*jumps, chains], "mangle": tproxy_rules(family, how, mark, uids, gids) if tproxy else []}
        for table, blocks in dns_rules(family, how, everything, uids, gids, groups).items():
            tables.setdefault(table, []).extend(blocks)
        rules[family] = tables
    script = ["ip -6 addr add ::6/128 dev lo nodad"] if "ipv6" in families else []
    proven = how.dns in ("", "zones") or "ISTIO_OUTPUT" in str(rules)
    return Layout(rules, "; ".join([*script, *([plumbing(mark, 133)] if tproxy else [])]), proven=proven)


def ambient(tproxy=False, families=("ipv4", "ipv6")):
    """In a pod: by iptables."""
    rules = {}
    for family in families:
        own, far = "-m mark --mark 0x539/0xfff", "-m mark ! --mark 0x539/0xfff"
        to_lo = f"! -d {LO[family]}"
        mangle = [f"-A ISTIO_PRERT {own} -j CONNMARK --set-xmark 0x111/0xfff"]
        nat = [f"-A ISTIO_OUTPUT -d {PROBE[family]} -p tcp -j ACCEPT", "-A ISTIO_OUTPUT -p tcp -m mark --mark 0x111/0xfff -j ACCEPT",
               f"-A ISTIO_OUTPUT {to_lo} -o lo -j ACCEPT", f"-A ISTIO_OUTPUT {to_lo} -p tcp {far} -j REDIRECT --to-ports 15001"]
        jumps = [["-A OUTPUT -j ISTIO_OUTPUT"]]
        if tproxy:
            mangle += [f"-A ISTIO_PRERT -s {PROBE[family]} -p tcp -j ACCEPT", f"-A ISTIO_PRERT {to_lo} -i lo -p tcp -j ACCEPT",
                       f"-A ISTIO_PRERT -p tcp --dport 15008 {far} -j TPROXY --on-port 15008 --tproxy-mark 0x111/0xfff",
                       "-A ISTIO_PRERT -p tcp -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                       f"-A ISTIO_PRERT {to_lo} -p tcp {far} -j TPROXY --on-port 15006 --tproxy-mark 0x111/0xfff"]
        else:
            nat += [f"-A ISTIO_PRERT -s {PROBE[family]} -p tcp -j ACCEPT",
                    f"-A ISTIO_PRERT {to_lo} -p tcp ! --dport 15008 {far} -j REDIRECT --to-ports 15006"]
            jumps.append(["-A PREROUTING -j ISTIO_PRERT"])
        mangle.append("-A ISTIO_OUTPUT -m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark")
        raw = [f"-A ISTIO_OUTPUT -p udp {own} -m udp --dport 53 -j CT --zone 1",
               f"-A ISTIO_PRERT -p udp {far} -m udp --sport 53 -j CT --zone 1"]
        both = [["-A PREROUTING -j ISTIO_PRERT"], ["-A OUTPUT -j ISTIO_OUTPUT"]]
        rules[family] = {"mangle": [*both, mangle], "nat": [*jumps, nat], "raw": [*both, raw]}
    return Layout(rules, plumbing("0x111/0xfff", 100, "priority 32764"), unreadable=True)


# The same by nft.
AMBIENT_NATIVE = """
table inet istio-ambient-nat {
    chain prerouting { type nat hook prerouting priority -100; jump istio-prerouting; }
    chain output { type nat hook output priority -100; jump istio-output; }
    chain istio-prerouting {
        meta l4proto tcp ip saddr 169.254.7.127 counter accept
        ip daddr != 127.0.0.1 tcp dport != 15008 meta mark and 0xfff != 0x539 counter redirect to :15006
        ip6 daddr != ::1 tcp dport != 15008 meta mark and 0xfff != 0x539 counter redirect to :15006
    }
    chain istio-output {
        meta l4proto tcp ip daddr 169.254.7.127 counter accept
        oifname != "lo" meta mark and 0xfff != 0x539 udp dport 53 counter redirect to :15053
        meta l4proto tcp meta mark and 0xfff == 0x111 counter accept
        oifname "lo" ip daddr != 127.0.0.1 counter accept
        oifname "lo" ip6 daddr != ::1 counter accept
        meta l4proto tcp ip daddr != 127.0.0.1 meta mark and 0xfff != 0x539 counter redirect to :15001
        meta l4proto tcp ip6 daddr != ::1 meta mark and 0xfff != 0x539 counter redirect to :15001
    }
}
table inet istio-ambient-mangle {
    chain prerouting { type filter hook prerouting priority -150; jump istio-prerouting; }
    chain output { type route hook output priority -150; jump istio-output; }
    chain istio-prerouting { meta mark and 0xfff == 0x539 counter ct mark set ct mark and 0xfffff000 or 0x111; }
    chain istio-output { ct mark and 0xfff == 0x111 counter meta mark set ct mark; }
}
table inet istio-ambient-raw {
    chain prerouting { type filter hook prerouting priority -300; jump istio-prerouting; }
    chain output { type filter hook output priority -300; jump istio-output; }
    chain istio-prerouting { udp sport 53 meta mark and 0xfff != 0x539 counter ct zone set 1; }
    chain istio-output { udp dport 53 meta mark and 0xfff == 0x539 counter ct zone set 1; }
}
"""
AMBIENT_PLUMBING = plumbing("0x111/0xfff", 100, "priority 32764")


def any_sidecar(rng):
    """One of any release, and its name."""
    release = rng.choice(list(RELEASES))
    uids, gids = rng.choice([("1337",), ("998",), ("0", "998")]), rng.choice([("1337",), ("997",)])
    groups = rng.choice(["", "-m owner --gid-owner 500", "-m owner ! --gid-owner 500 -m owner ! --gid-owner 501"])
    return release, sidecar(release, uids=uids, gids=gids, groups=groups, everything=rng.random() < 0.4,
                            tproxy=rng.random() < 0.4, mark=rng.choice([1337, 77]), ports=rng.choice([(), ("15020",)]),
                            families=rng.choice([("ipv4",), ("ipv4", "ipv6"), ("ipv4", "ipv6")]))


# A user's own rules that look like those, and are none of them: by table; %s: a family's address.
SIMILAR = {
    "nat": ["-A OUTPUT -p udp --dport 53 -j REDIRECT --to-ports 5353", "-A OUTPUT -p tcp --dport 53 -j REDIRECT --to-ports 15053",
            "-A OUTPUT -p udp --dport 5353 -j REDIRECT --to-ports 15053", "-A OUTPUT -p udp --dport 53 -j RETURN",
            "-A OUTPUT -p udp -m owner --uid-owner 1337 -j RETURN", "-A OUTPUT -o eth9 -j RETURN",
            "-A OUTPUT -d %s -p udp --dport 53 -j ACCEPT", "-A PREROUTING -i eth9 -j RETURN",
            "-A PREROUTING -p udp --dport 53 -j REDIRECT --to-ports 15053", "-A POSTROUTING -p udp --dport 53 -j MASQUERADE",
            "-A POSTROUTING -p udp --dport 15053 -j ACCEPT", "-A MINE -p udp --dport 53 -j REDIRECT --to-ports 15053",
            "-A OUTPUT -j MINE"],
    "raw": ["-A OUTPUT -p udp --dport 53 -j CT --zone 9", "-A OUTPUT -p udp --dport 53 -m owner --uid-owner 1337 -j CT --zone 3",
            "-A OUTPUT -p udp --sport 53 -j CT --zone 1", "-A PREROUTING -p udp --sport 53 -j CT --zone 9",
            "-A PREROUTING -p udp --dport 53 -j CT --zone 1", "-A OUTPUT -d %s -p udp --dport 53 -j CT --notrack"],
    "mangle": ["-A OUTPUT -o lo -p tcp -m mark --mark 0x7 -j RETURN", "-A PREROUTING -m conntrack --ctstate INVALID -j DROP",
               "-A OUTPUT -p tcp -j MARK --set-xmark 0x53a/0xffffffff", "-A OUTPUT -p tcp -m connmark --mark 0x7 -j CONNMARK --restore-mark",
               "-A PREROUTING -p tcp -m mark --mark 0x539/0xff -j CONNMARK --save-mark"],
}
# Likewise, where something but its place tells Istio's owners.
OWN_RETURN = "-A OUTPUT -p udp --dport 53 -m owner --uid-owner 1000 -j RETURN"
ADDRESS = {"ipv4": "10.9.9.9/32", "ipv6": "fd09::9/128"}


def foreign_rules(rng, family, proven):
    found = {}
    for table, rules in SIMILAR.items():
        some = rng.sample(rules, rng.randrange(len(rules)))
        found[table] = [[rule.replace("%s", ADDRESS[family])] for rule in some]
    if proven and rng.random() < 0.5:
        found["nat"].append([OWN_RETURN])
    return found


def text(tables):
    """For iptables-restore --noflush."""
    found = ""
    for table, blocks in tables.items():
        rules = list(itertools.chain(*blocks))
        chains = dict.fromkeys(word for rule in rules for word in rule.split() if word.startswith("ISTIO_") or word == "MINE")
        found += f"*{table}\n" + "".join(f":{chain} - [0:0]\n" for chain in chains) + "".join(f"{rule}\n" for rule in rules)
        found += "COMMIT\n"
    return found


def mixed(rng, ours, foreign):
    """Blocks of both, each in their order."""
    found = {}
    for table in dict.fromkeys([*ours, *foreign]):
        places = [0] * len(ours.get(table, [])) + [1] * len(foreign.get(table, []))
        rng.shuffle(places)
        sources = iter(ours.get(table, [])), iter(foreign.get(table, []))
        found[table] = [next(sources[place]) for place in places]
    return found
