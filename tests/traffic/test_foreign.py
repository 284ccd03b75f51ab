# SPDX-License-Identifier: GPL-2.0-or-later
"""Among random rules of a user's own, in front of, between and behind ours, explain --live says what connections meet.

make check takes a few seeds on each backend; make check-faults (ISTIO_INIT_FAULTS=all) many.
"""

import os
import random
import re
import shlex

import configs
import lib
import pytest
from pod import DNS, DNS6, PEER, PEER6, POD, POD6, SERVICE, SERVICE6, VM, VM6, Pod
from test_explain import FAR, OWN, PLACES, how_bound, random_packet, random_policy

FIRST = int(os.environ.get("ISTIO_INIT_SEED", "0"))
SEEDS = range(FIRST, FIRST + (100 if os.environ.get("ISTIO_INIT_FAULTS") == "all" else 5))
RULES = 24
PACKETS = 40
OTHER_PORT = 9400

VERDICT = re.compile(r"^verdict: (?:may be decided by (.+), which istio-init cannot read; else )?(?:(PASSES)|(DROP)|"
                     r"(?:REDIRECT|TPROXY) to :(\d+)|DNAT to (?::\d+|(\S+?)(?: port \d+)?)): .*\n", re.M)

# What cannot be read: tests that hold for all that is tried here, for some of it, for nothing.
UNREADABLE = {
    "iptables": ["-m addrtype --dst-type LOCAL", "-m addrtype --src-type UNICAST", "-m length --length 0:65535",
                 "-m length --length 1", "-m statistic --mode random --probability 0.5", "-m limit --limit 1000/second"],
    "nft": ["fib daddr type local", "fib saddr type unicast", "meta length 0-65535", "meta length 1", "numgen random mod 2 0",
            "limit rate 1000/second"],
}


class Foreign:
    """Makes random rules, as text of iptables or nft."""

    def __init__(self, rng, native):
        self.rng, self.native = rng, native
        self.unreadable = False

    def word(self, iptables, nft):
        return nft if self.native else iptables

    def address(self, v6, hook):
        near = [POD6, PEER6, SERVICE6, DNS6, VM6, "fd01::/64"] if v6 else [POD, PEER, SERVICE, DNS, VM, "10.1.0.0/24"]
        side = self.rng.choice("sd")
        negated = self.rng.random() < 0.2
        value = self.rng.choice([*near, str(FAR[v6])])
        return self.word(f"{'! ' if negated else ''}-{side} {value}",
                         f"{'ip6' if v6 else 'ip'} {side}addr {'!= ' if negated else ''}{value}")

    def ports(self, proto):
        rng = self.rng
        ports = sorted(rng.sample([22, 53, 80, 443, 1000, 2000, 8080, 15008], rng.choice([1, 3, 4])))
        if rng.random() < 0.3:
            lo, hi = sorted(rng.sample(range(1, 9000), 2))
            return self.word(f"-p {proto} --dport {lo}:{hi}", f"{proto} dport {lo}-{hi}")
        if len(ports) > 1:
            return self.word(f"-p {proto} -m multiport --dports {','.join(map(str, ports))}",
                             f"{proto} dport {{ {', '.join(map(str, ports))} }}")
        return self.word(f"-p {proto} --dport {ports[0]}", f"{proto} dport {ports[0]}")

    def tests(self, table, hook, v6, proto):
        rng, found = self.rng, []
        if proto:
            found.append(self.ports(proto))
        elif rng.random() < 0.3:
            name = rng.choice(["tcp", "udp", "icmp"])
            found.append(self.word(f"-p {name}", f"meta l4proto {name}"))
        if rng.random() < 0.25:
            found.insert(0, self.address(v6, hook))
        elif self.native:
            found.insert(0, f"meta nfproto {'ipv6' if v6 else 'ipv4'}")
        if rng.random() < 0.1:
            name = rng.choice(["lo", "eth0", "eth1"])
            found.append(self.word(f"-{'o' if hook == 'OUTPUT' else 'i'} {name}",
                                   f"{'o' if hook == 'OUTPUT' else 'i'}ifname \"{name}\""))
        if hook == "OUTPUT" and rng.random() < 0.1:
            uid = rng.choice(["1337", "1000", "0-1005"])
            found.append(self.word(f"-m owner --uid-owner {uid}", f"meta skuid {uid}"))
        if rng.random() < 0.05:
            found.append(self.word("-m mark --mark 0x300/0xff00", "meta mark & 0xff00 == 0x300"))
        if table != "raw" and rng.random() < 0.2:
            found.append(self.word("-m conntrack --ctstate NEW", "ct state new"))
        if rng.random() < 0.3:
            self.unreadable = True
            found.append(rng.choice(UNREADABLE["nft" if self.native else "iptables"]))
        return found

    def target(self, table, hook, v6):
        """What the rule does, and the protocol that it has to test for that."""
        rng = self.rng
        port = rng.choice([15001, 15006, OTHER_PORT])
        choices = [("return",), ("accept",), ("count",)]
        if table == "nat":
            choices += [("redirect", port)] * 2
            # nft's own dnat is another expression, which we do not read.
            if not self.native:
                near = [PEER6, SERVICE6] if v6 else [PEER, SERVICE]
                addr = rng.choice([*near, POD6 if v6 else POD] if hook == "OUTPUT" else [POD6 if v6 else POD])
                choices += [("dnat", addr, rng.choice([None, OTHER_PORT])), ("dnat", None, OTHER_PORT)]
        else:
            choices += [("drop",)] if rng.random() < 0.4 else []
            choices += [("mark", rng.choice(["0x3", "0x300"]))] if table == "mangle" else []
        return rng.choice(choices)

    def spell(self, target, v6):
        kind, *values = target
        if kind == "count":
            return self.word("", "counter")
        if kind == "redirect":
            return self.word(f"-j REDIRECT --to-ports {values[0]}", f"redirect to :{values[0]}")
        if kind == "dnat":
            addr, port = values
            addr = f"[{addr}]" if addr and port and v6 else addr or ""
            return f"-j DNAT --to-destination {addr}{f':{port}' if port else ''}"
        if kind == "mark":
            return self.word(f"-j MARK --set-mark {values[0]}", f"meta mark set {values[0]}")
        return self.word(f"-j {kind.upper()}", kind)

    def rule(self, table, hook, v6, chain_of_own=False):
        target = self.target(table, hook, v6)
        # Answers must come back: what ends or changes a packet looks at the port of the service.
        proto = self.rng.choice(["tcp", "tcp", "udp"]) if target[0] in ("redirect", "dnat", "drop") else \
            self.rng.choice([None, "tcp", "udp"])
        tests = self.tests(table, hook, v6, proto)
        # What is said of the first packet must not be undone by what happens to those behind it.
        if target[0] == "mark" or (target[0] == "drop" and table == "mangle"):
            tests.append(self.word("-m conntrack --ctstate NEW", "ct state new"))
        if chain_of_own:
            return " ".join(tests)
        return " ".join([*tests, self.spell(target, v6)])


def place_rules(rng, netns, backend, foreign, n):
    """Rules at random places of the built-in chains, some of them behind a jump to a chain of the user's own."""
    for _ in range(n):
        table, hook, v6 = rng.choice(["nat", "nat", "nat", "mangle", "raw"]), rng.choice(["OUTPUT", "PREROUTING"]), rng.random() < 0.3
        if foreign.native:
            name = f"inet istio-proxy-{table}"
            listed = netns.run(["nft", "-a", "list", "chain", *name.split(), hook.lower()])
            if listed.returncode:
                continue
            handles = re.findall(r"# handle (\d+)$", listed.stdout, re.M)[1:]
            where = rng.choice(["insert", "add", *(f"{how} handle {handle}" for how in ("insert", "add") for handle in handles)])
            how, _, at = where.partition(" ")
            at = at.replace("handle", "position")
            lib.checked(netns.run(["nft", f"{how} rule {name} {hook.lower()} {at} {foreign.rule(table, hook, v6)}"]))
            continue
        tool = backend.replace("iptables", "ip6tables") if v6 else backend
        there = netns.run([tool, "-t", table, "-S", hook]).stdout.count(f"\n-A {hook}")
        at = f"-I {hook} {rng.randint(1, there + 1)}"
        if rng.random() < 0.25:
            chain = f"OWN-{rng.getrandbits(32):x}"
            script = f"{tool} -t {table} -N {chain}\n" + "".join(
                f"{tool} -t {table} -A {chain} {foreign.rule(table, hook, v6)}\n" for _ in range(rng.randint(0, 3)))
            script += f"{tool} -t {table} {at} {foreign.rule(table, hook, v6, True)} -{rng.choice('jg')} {chain}\n"
        else:
            script = f"{tool} -t {table} {at} {foreign.rule(table, hook, v6)}\n"
        netns.sh(script.replace("-p icmp", "-p ipv6-icmp") if v6 else script)


def ask(netns, args, env, questions):
    """Of each packet: the rules that may decide (or None), and where it goes."""
    script = "".join(f"{shlex.join([str(lib.BINARY), 'explain', '--live', *words])} \"$@\"\n" for words in questions)
    text = lib.checked(netns.run(["sh", "-ec", script, "sh", *args], env=env))
    assert "unless" not in text, text
    said = [match.groups() for match in VERDICT.finditer(text)]
    assert len(said) == len(questions), text
    return said, re.split(r"(?m)^(?=packet: )", text)[1:]


def place_of(said, addr):
    _, passes, drop, port, dnat = said
    if drop:
        return "nowhere"
    if port:
        return PLACES.get(port, "app")
    addr = addr if passes or not dnat else dnat
    return "app" if addr in OWN else "vm" if addr in (VM, VM6) else "peer"


@pytest.mark.parametrize("seed", SEEDS)
def test_among_rules_of_a_users_own(seed, backend, tmp_path):
    rng = random.Random(f"{seed} {backend}")
    config, cidrs = random_policy(rng)
    args, env = configs.command_line(config, tmp_path)
    args += [f"--backend={backend}", "--dual-stack"]
    foreign = Foreign(rng, backend == "nftables")
    wrong, may = [], 0
    with Pod() as pod:
        pod.peer.sh("".join(f"ip -{space.version} route add local {space} dev lo; " for space in FAR))
        pod.peer.write_sysctl("ipv6/ip_nonlocal_bind", "1")
        for netns in pod.netns, pod.peer, pod.vm:
            pod.listen(netns, OTHER_PORT)
        if not foreign.native:
            place_rules(rng, pod.netns, backend, foreign, RULES // 3)
        lib.checked(pod.netns.istio_init(*args, env=env))
        place_rules(rng, pod.netns, backend, foreign, RULES)
        packets = [random_packet(rng, config, cidrs) for _ in range(PACKETS)]
        verdicts, texts = ask(pod.netns, args, env, [[*words, *(whence if words[0] == "in" else how_bound(packet))]
                                                     for packet, words, whence in packets])
        for ((origin, addr, port, how), words, _), said, text in zip(packets, verdicts, texts):
            if said[0]:
                may += 1
                continue
            # What has a loopback address leaves the pod by no route.
            if said[4] and (addr.startswith("127.") or addr == "::1" or how.get("src") in ("127.0.0.6", "::6")):
                continue
            met = pod.connect(origin, addr, port, **how)
            met = met[0] if isinstance(met, tuple) else met.partition(", and no answer")[0]
            if met != place_of(said, addr):
                wrong.append(f"{origin} {' '.join(words)}: {met}\n{text}")
        saved = pod.netns.sh("nft list ruleset" if foreign.native else f"{backend}-save; {backend.replace('ip', 'ip6', 1)}-save")
    assert not may or foreign.unreadable
    assert may < PACKETS
    assert not wrong, "\n".join([shlex.join(args), str(env), *wrong, saved])
