# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules that a configuration asks for, as input of iptables-restore --noflush, and what they need beside rules.

Written from the contract alone, and on purpose in the way of istio-iptables:
a list of commands that append and insert, so that the order of the rules is made
by the stock tools.  It shares nothing with the program.

A configuration is a dict: long options without their dashes, and variables that
have no option; True is a boolean option, a list a repeated one.  "resolv.conf" is
the text of that file, "ipv6" is "on" or "off".
"""

import grp
import ipaddress
import pwd

TABLES = ["mangle", "nat", "raw"]


def items(text):
    """A list's items: trimmed, without empty ones and repetitions."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def ports(text):
    def port(item):
        ends = [int(end) for end in item.replace(":", "-").split("-")]
        return str(ends[0]) if ends[0] == ends[-1] else f"{ends[0]}:{ends[1]}"

    return list(dict.fromkeys(port(item) for item in items(text)))


def cidrs(text, family):
    networks = [ipaddress.ip_interface(item).network for item in items(text)]
    return list(dict.fromkeys(str(net) for net in networks if family == f"ipv{net.version}"))


def has_loopback(text):
    return text != "*" and any(ipaddress.ip_interface(item).ip.is_loopback for item in items(text))


def ids(text, number):
    return list(dict.fromkeys(item if item[0].isdigit() else str(number(item)) for item in items(text)))


def uid_of(name):
    return pwd.getpwnam(name).pw_uid


def gid_of(name):
    return grp.getgrnam(name).gr_gid


def gid_of_user(name):
    try:
        return gid_of(name)
    except KeyError:
        return pwd.getpwnam(name).pw_gid


class Rules:
    """Commands of each table, in the order in which they are given."""

    def __init__(self):
        self.commands = {table: [] for table in TABLES}

    def append(self, table, chain, words):
        self.commands[table].append((chain, f"-A {chain} {words}"))

    def insert(self, table, chain, words, position=1):
        self.commands[table].append((chain, f"-I {chain} {position} {words}"))

    def text(self):
        text = ""
        for table, commands in self.commands.items():
            if commands:
                own = dict.fromkeys(chain for chain, _ in commands if chain.startswith("ISTIO_"))
                text += "\n".join([f"*{table}", *(f"-N {chain}" for chain in own),
                                   *(command for _, command in commands), "COMMIT", ""])
        return text


class Upstream:
    """One configuration for one family."""

    def __init__(self, config, family):
        self.config, self.family = config, family
        self.rules = Rules()
        v4 = family == "ipv4"
        self.lo = config.get("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "127.0.0.1/32") if v4 else "::1/128"
        self.passthrough = "127.0.0.6/32" if v4 else "::6/128"
        self.tproxy = config.get("istio-inbound-interception-mode", "").upper() == "TPROXY"
        self.mark = config.get("istio-inbound-tproxy-mark", "1337")
        self.tunnel = config.get("inbound-tunnel-port", "15008")
        self.dns_port = config.get("dns-port", "15053")
        self.excluded_ifs = items(self.get("istio-exclude-interfaces"))
        self.virt_ifs = items(self.get("kube-virt-interfaces"))
        self.inner_ifs = items(self.get("inner-interfaces"))
        self.start = " --syn" if config.get("keep-connections") else ""
        users = config.get("proxy-uid", "")
        users = users if items(users) else self.default_user()
        self.uids = ids(users, uid_of)
        self.gids = ids(config.get("proxy-gid", ""), gid_of) or ids(users, gid_of_user)
        servers = [line.split()[1].partition("%")[0].removeprefix("::ffff:")
                   for line in config.get("resolv.conf", "").splitlines() if line.startswith("nameserver")]
        self.servers = [net.split("/")[0] for net in cidrs(",".join(servers), family)]
        self.all_dns = bool(config.get("capture-all-dns"))
        self.dns = bool(config.get("redirect-dns")) and bool(self.all_dns or servers)

    def get(self, option):
        """The value of a list option; --sidecar gives some of them a default."""
        sidecar = {"istio-service-cidr": "*", "istio-inbound-ports": "*",
                   "istio-local-exclude-ports": "15090,15021,15020"}
        return self.config.get(option, sidecar.get(option, "") if self.config.get("sidecar") else "")

    def default_user(self):
        name = self.config.get("ENVOY_USER", "istio-proxy")
        try:
            return str(uid_of(name))
        except KeyError:
            return "1337"

    def owners(self):
        return [f"--uid-owner {uid}" for uid in self.uids] + [f"--gid-owner {gid}" for gid in self.gids]

    def build(self):
        self.interfaces()
        self.inbound()
        self.own_exclusions()
        self.proxy()
        self.owner_groups()
        if self.dns:
            self.dns_capture()
        self.outbound()
        if self.tproxy:
            self.tproxy_marks()
        self.inbound_exclusions()
        return self.rules

    def interfaces(self):
        for table in ["nat", "mangle"] if self.tproxy else ["nat"]:
            for name in self.excluded_ifs:
                self.rules.append(table, "PREROUTING", f"-i {name} -j RETURN")
                self.rules.append(table, "OUTPUT", f"-o {name} -j RETURN")
        for name in self.virt_ifs:
            self.rules.insert("nat", "PREROUTING", f"-i {name} -j RETURN")

    def inbound(self):
        rules, capture = self.rules, self.config
        if capture.get("drop-invalid"):
            rules.append("mangle", "PREROUTING", "-m conntrack --ctstate INVALID -j ISTIO_DROP")
            rules.append("mangle", "ISTIO_DROP", "-j DROP")
        inbound_port = capture.get("inbound-capture-port", "15006")
        rules.append("nat", "ISTIO_INBOUND", f"-p tcp --dport {self.tunnel} -j RETURN")
        rules.append("nat", "ISTIO_REDIRECT",
                     f"-p tcp{self.start} -j REDIRECT --to-ports {capture.get('envoy-port', '15001')}")
        rules.append("nat", "ISTIO_IN_REDIRECT", f"-p tcp{self.start} -j REDIRECT --to-ports {inbound_port}")
        included = self.get("istio-inbound-ports")
        if not items(included):
            return
        if self.tproxy:
            rules.append("mangle", "ISTIO_DIVERT", f"-j MARK --set-mark {self.mark}")
            rules.append("mangle", "ISTIO_DIVERT", "-j ACCEPT")
            rules.append("mangle", "ISTIO_TPROXY", f"! -d {self.lo} -p tcp{self.start} -j TPROXY "
                         f"--tproxy-mark {self.mark}/0xffffffff --on-port {inbound_port}")
        table = "mangle" if self.tproxy else "nat"
        rules.append(table, "PREROUTING", "-p tcp -j ISTIO_INBOUND")
        if included == "*":
            for port in ports(self.get("istio-local-exclude-ports")):
                rules.append(table, "ISTIO_INBOUND", f"-p tcp --dport {port} -j RETURN")
            matches = [""]
        else:
            matches = [f"--dport {port}" for port in ports(included)]
        for match in matches:
            if self.tproxy:
                rules.append(table, "ISTIO_INBOUND",
                             f"-p tcp {match} -m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT")
                rules.append(table, "ISTIO_INBOUND", f"-p tcp {match} -j ISTIO_TPROXY")
            else:
                rules.append(table, "ISTIO_INBOUND", f"-p tcp {match} -j ISTIO_IN_REDIRECT")

    def output(self, words):
        self.rules.append("nat", "ISTIO_OUTPUT", words)

    def own_exclusions(self):
        self.rules.append("nat", "OUTPUT", "-j ISTIO_OUTPUT")
        for uid in items(self.get("exclude-outbound-uids")):
            self.output(f"-m owner --uid-owner {uid} -j RETURN")
        for gid in items(self.get("exclude-outbound-gids")):
            self.output(f"-m owner --gid-owner {gid} -j RETURN")
        for entry in self.config.get("exclude-outbound-ports-for-uids", []):
            proto, entry_ports, uids = entry.split(":")
            for port in ports(entry_ports):
                for uid in items(uids):
                    self.output(f"-p {proto} --dport {port} -m owner --uid-owner {uid} -j RETURN")
        if self.get("bypass-mark"):
            self.output(f"-m mark --mark {self.get('bypass-mark')} -j RETURN")

    def proxy(self):
        for port in ports(self.get("istio-local-outbound-ports-exclude")):
            self.output(f"-p tcp --dport {port} -j RETURN")
            self.output(f"-p udp --dport {port} -j RETURN")
        self.output(f"-o lo -s {self.passthrough} -j RETURN")
        not_dns = "-p tcp ! --dport 53" if self.dns else ""
        for owner in self.owners():
            if self.dns and owner.startswith("--uid"):
                not_tunnel = f"-m multiport ! --dports 53,{self.tunnel}"
            else:
                not_tunnel = f"! --dport {self.tunnel}"
            self.output(f"-o lo ! -d {self.lo} -p tcp {not_tunnel} -m owner {owner} -j ISTIO_IN_REDIRECT")
            if not has_loopback(self.get("istio-service-cidr")):
                self.output(f"-o lo {not_dns} -m owner ! {owner} -j RETURN")
            self.output(f"-m owner {owner} -j RETURN")

    def owner_groups(self):
        included = self.config.get("ISTIO_OUTBOUND_OWNER_GROUPS", "*")
        if included == "*":
            for group in ids(self.config.get("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", ""), gid_of):
                self.output(f"-m owner --gid-owner {group} -j RETURN")
        else:
            groups = " ".join(f"-m owner ! --gid-owner {group}" for group in ids(included, gid_of))
            self.output(f"{groups} -j RETURN")

    def excluded_from_dns(self):
        """Who of our own exclusions asks the server itself, over UDP."""
        for uid in items(self.get("exclude-outbound-uids")):
            yield f"-m owner --uid-owner {uid}"
        for gid in items(self.get("exclude-outbound-gids")):
            yield f"-m owner --gid-owner {gid}"
        for entry in self.config.get("exclude-outbound-ports-for-uids", []):
            proto, excluded, uids = entry.split(":")
            spans = [[int(end) for end in item.split("-")] for item in items(excluded)]
            if proto == "udp" and any(span[0] <= 53 <= span[-1] for span in spans):
                yield from (f"-m owner --uid-owner {uid}" for uid in items(uids))
        if self.get("bypass-mark"):
            yield f"-m mark --mark {self.get('bypass-mark')}"

    def dns_capture(self):
        zones = self.config.get("dns-zones") != "off"
        if zones:
            self.rules.append("raw", "OUTPUT", "-j ISTIO_OUTPUT_DNS")
            for who in self.excluded_from_dns():
                self.rules.append("raw", "ISTIO_OUTPUT_DNS", f"-p udp --dport 53 {who} -j CT --zone 1")
            for owner in self.owners():
                for match, zone in ("--dport 53", 1), (f"--sport {self.dns_port}", 2):
                    self.rules.append("raw", "ISTIO_OUTPUT_DNS",
                                      f"-p udp {match} -m owner {owner} -j CT --zone {zone}")
        if not self.all_dns and not self.servers:
            return
        self.output("-j ISTIO_OUTPUT_DNS")
        servers = [""] if self.all_dns else self.servers
        for proto in "tcp", "udp":
            for server in servers:
                self.rules.append("nat", "ISTIO_OUTPUT_DNS",
                                  f"-p {proto} --dport 53 {server and f'-d {server}'} "
                                  f"{self.start if proto == 'tcp' else ''} -j REDIRECT --to-ports {self.dns_port}")
        if zones:
            self.rules.append("raw", "PREROUTING", "-j ISTIO_INBOUND")
            for server in servers:
                self.rules.append("raw", "ISTIO_OUTPUT_DNS",
                                  f"-p udp --dport 53 {server and f'-d {server}'} -j CT --zone 2")
                self.rules.append("raw", "ISTIO_INBOUND",
                                  f"-p udp --sport 53 {server and f'-s {server}'} -j CT --zone 1")
            for server in servers:
                for name in self.inner_ifs:
                    self.rules.append("raw", "ISTIO_INBOUND",
                                      f"-i {name} -p udp --dport 53 {server and f'-d {server}'} -j CT --zone 2")

    def outbound(self):
        self.output(f"-d {self.lo} -j RETURN")
        for cidr in cidrs(self.get("istio-service-exclude-cidr"), self.family):
            self.output(f"-d {cidr} -j RETURN")
        for port in ports(self.get("istio-outbound-ports")):
            self.output(f"-p tcp --dport {port} -j ISTIO_REDIRECT")
        included = self.get("istio-service-cidr")
        captured = ["0/0" if self.family == "ipv4" else "::/0"] if included == "*" else cidrs(included, self.family)
        for cidr in captured:
            for name in self.virt_ifs:
                self.rules.insert("nat", "PREROUTING", f"-i {name} -d {cidr} -j ISTIO_REDIRECT")
            self.output(f"-d {cidr} -j ISTIO_REDIRECT")
        for cidr in captured:
            for name in self.inner_ifs:
                self.rules.insert("nat", "PREROUTING", f"-i {name} -d {cidr} -j ISTIO_REDIRECT")
        for name in self.inner_ifs if self.dns and (self.all_dns or self.servers) else []:
            self.rules.insert("nat", "PREROUTING", f"-i {name} -j ISTIO_OUTPUT_DNS")

    def tproxy_marks(self):
        mangle = self.rules
        mangle.append("mangle", "PREROUTING", f"-p tcp -m mark --mark {self.mark} -j CONNMARK --save-mark")
        mangle.append("mangle", "OUTPUT", f"-p tcp -o lo -m mark --mark {self.mark} -j RETURN")
        for owner in self.owners():
            mangle.append("mangle", "OUTPUT", f"! -d {self.lo} -p tcp -o lo -m owner {owner} -j MARK --set-mark 1338")
        mangle.append("mangle", "OUTPUT", f"-p tcp -m connmark --mark {self.mark} -j CONNMARK --restore-mark")
        front = [f"-p tcp -m mark --mark {self.mark} -j RETURN",
                 f"-p tcp -s {self.passthrough} -i lo -j RETURN",
                 "-p tcp -i lo -m mark ! --mark 1338 -j RETURN"]
        for position, words in enumerate(front, start=1):
            mangle.insert("mangle", "ISTIO_INBOUND", words, position)

    def inbound_exclusions(self):
        table, position = ("mangle", 4) if self.tproxy else ("nat", 1)
        for name in self.inner_ifs:
            self.rules.insert(table, "ISTIO_INBOUND", f"-i {name} -j RETURN", position)
            position += 1
        for cidr in cidrs(self.get("exclude-inbound-cidrs"), self.family):
            self.rules.insert(table, "ISTIO_INBOUND", f"-s {cidr} -j RETURN", position)
            position += 1


def restore_text(config, family):
    """The input of iptables-restore (ip6tables-restore); empty for IPv6 where it is off."""
    if family == "ipv6" and config.get("ipv6") == "off":
        return ""
    return Upstream(config, family).build().text()


def plumbing(config, families):
    """The commands that make what the rules of @families need beside rules."""
    made = []
    for family in families:
        want, ip = Upstream(config, family), "ip" if family == "ipv4" else "ip -6"
        if family == "ipv6" and config.get("ipv6") == "off":
            continue
        if want.tproxy and items(want.get("istio-inbound-ports")):
            table = int(config.get("istio-inbound-tproxy-route-table", "133"))
            made += [f"{ip} rule add fwmark {int(want.mark, 0)} lookup {table} priority 32765",
                     f"{ip} route add local default dev lo table {table}"]
        if family == "ipv6":
            made.append("ip address add ::6/128 dev lo nodad")
    return made
