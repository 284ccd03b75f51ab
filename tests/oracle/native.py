# SPDX-License-Identifier: GPL-2.0-or-later
"""What istio-iptables writes with --native-nftables, as input of nft -f: upstream.py's rules in nft's words.

A rule that both families have in the same words is one rule.  What differs from its iptables mode: an INVALID packet is
dropped of TCP alone, and behind TPROXY comes no drop.
"""

import difflib
import re

import upstream

BASE = {"PREROUTING": "prerouting", "OUTPUT": "output"}
PRIORITIES = {"nat": -100, "mangle": -150, "raw": -300}
OPTIONS = ["sidecar", "envoy-port", "inbound-capture-port", "inbound-tunnel-port", "proxy-uid", "proxy-gid",
           "istio-inbound-interception-mode", "istio-inbound-ports", "istio-local-exclude-ports", "istio-service-cidr",
           "istio-service-exclude-cidr", "istio-outbound-ports", "istio-local-outbound-ports-exclude",
           "istio-exclude-interfaces", "kube-virt-interfaces", "istio-inbound-tproxy-mark", "redirect-dns",
           "capture-all-dns", "drop-invalid", "ipv6", "resolv.conf", "ISTIO_OUTBOUND_OWNER_GROUPS",
           "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR"]


def name(chain):
    return BASE.get(chain, chain.lower().replace("_", "-"))


def wild(interface):
    return f'"{interface.removesuffix("+")}*"' if interface.endswith("+") else f'"{interface}"'


def translate(words, ip):
    """The words of one iptables rule; @ip: ip or ip6."""
    words = words.split()
    proto, made, target, invert = "", [], [], ""
    while words:
        word = words.pop(0)
        if word == "!":
            invert = "!= "
            continue
        value = words.pop(0) if words else ""
        if value == "!":
            invert, value = "!= ", words.pop(0)
        if word == "-p":
            proto = value
            made.append(f"meta l4proto {value}")
        elif word in ("-s", "-d"):
            made.append(f"{ip} {'saddr' if word == '-s' else 'daddr'} {invert}{value}")
        elif value == "+":
            pass
        elif word in ("-i", "-o"):
            made.append(f"{'iifname' if word == '-i' else 'oifname'} {invert}{wild(value)}")
        elif word in ("--dport", "--sport"):
            made.append(f"{proto} {word[2:]} {invert}{value.replace(':', '-')}")
        elif word == "--dports":
            made.append(f"{proto} dport {invert}{{ {value} }}")
        elif word in ("--uid-owner", "--gid-owner"):
            made.append(f"sk{word[2:5]} {invert}{value}")
        elif word == "--ctstate":
            made.append(f"ct state {value.lower()}")
        elif word == "--mark":
            made.append(f"{'ct' if 'connmark' in made else 'meta'} mark {invert}{value}")
        elif word == "-m":
            made += ["connmark"] if value == "connmark" else []
            continue
        else:
            target = [word, value, *words]
            words = []
        invert = ""
    return " ".join([*(word for word in made if word != "connmark"), "counter", act(target, ip)])


def act(target, ip):
    kind, options = target[1], target[2:]
    if kind.startswith("ISTIO_"):
        return f"jump {name(kind)}"
    if kind == "REDIRECT":
        return f"redirect to :{options[1]}"
    if kind == "TPROXY":
        return f"tproxy {ip} to :{options[3]} meta mark set {options[1].split('/')[0]} accept"
    if kind == "MARK":
        return f"meta mark set {options[1]}"
    if kind == "CONNMARK":
        return "ct mark set meta mark" if options[0] == "--save-mark" else "meta mark set ct mark"
    return f"ct zone set {options[1]}" if kind == "CT" else kind.lower()


def chains(config, family):
    """The rules of each chain of a family: {table: {chain: [text]}}."""
    made, ip = {}, "ip" if family == "ipv4" else "ip6"
    peer = upstream.Upstream(config, family)
    everywhere = "-d 0/0 " if family == "ipv4" else "-d ::/0 " if peer.get("istio-service-cidr") == "*" else "nowhere"
    for table, commands in peer.build().commands.items():
        for chain, command in commands:
            action, _, rest = command.partition(f" {chain} ")
            rules = made.setdefault(table, {}).setdefault(chain, [])
            position, rest = re.match(r"(\d+ )?(.*)", rest).groups() if action == "-I" else (None, rest)
            rest = rest.replace(f"{everywhere}-j ISTIO_REDIRECT", "-j ISTIO_REDIRECT")
            text = translate(rest, ip).replace("ct state invalid", "meta l4proto tcp ct state invalid")
            rules.insert(int(position) - 1 if position else len(rules), text)
    return made


def merge(four, six):
    for kind, a, b, c, d in difflib.SequenceMatcher(None, four, six, autojunk=False).get_opcodes():
        yield from four[a:b]
        yield from [] if kind == "equal" else six[c:d]


def script(config):
    four = chains(config, "ipv4")
    six = {} if config.get("ipv6") == "off" else chains(config, "ipv6")
    text = ""
    for table, of in four.items():
        heads, rules = [], []
        for chain in dict.fromkeys([*of, *six.get(table, {})]):
            kind = "route" if (table, chain) == ("mangle", "OUTPUT") else "nat" if table == "nat" else "filter"
            base = f"type {kind} hook {name(chain)} priority {PRIORITIES[table]};" if chain in BASE else ""
            heads.append(f"add chain inet istio-proxy-{table} {name(chain)} {{ {base} }}")
            merged = merge(of.get(chain, []), six[table].get(chain, [])) if table in six else of.get(chain, [])
            rules += [f"add rule inet istio-proxy-{table} {name(chain)} {rule}" for rule in merged]
        text += "\n".join([f"add table inet istio-proxy-{table}", *heads, *rules, ""])
    return text
