# SPDX-License-Identifier: GPL-2.0-or-later
"""Our apply leaves the rules that upstream's commands leave, the dry run is its text, and --rules reads both."""

import itertools
import os
import random

import configs
import lib
import pytest
import upstream


def compare(config, args, env, backend):
    flavour = {"iptables-legacy": "legacy", "iptables-nft": "nft"}[backend]
    with lib.Netns() as ours, lib.Netns() as stock, lib.Netns() as replayed:
        lib.checked(ours.istio_init(*args, f"--backend={backend}", env=env))
        dry_run = lib.checked(ours.istio_init("--dry-run", *args, env=env))
        wanted_dry_run = ""
        for family in lib.FAMILIES:
            stock.restore(family, upstream.restore_text(config, family), flavour)
            wanted = stock.save(family, flavour=flavour)
            saved = ours.save(family, flavour=flavour)
            for table in upstream.TABLES:
                wanted_chains, wanted_rules = lib.tables(wanted).get(table, ([], {}))
                chains, rules = lib.tables(saved).get(table, ([], {}))
                assert sorted(chains) == sorted(wanted_chains), (family, table)
                assert rules == wanted_rules, (family, table)
            one = lib.checked(ours.istio_init("--dry-run", f"--family={family}", *args, env=env))
            if lib.tables(saved):
                rules = lib.as_dry_run(saved, family)
                assert one == rules + lib.as_comments(upstream.plumbing(config, [family]))
                wanted_dry_run += rules
            replayed.restore(family, one, flavour)
            assert lib.tables(replayed.save(family, flavour=flavour)) == lib.tables(saved)
        assert dry_run == wanted_dry_run + lib.as_comments(upstream.plumbing(config, lib.FAMILIES))
        for text in dry_run, "".join(ours.save(family, counters=True, flavour=flavour) for family in lib.FAMILIES):
            for words in [], [f"--backend={backend}"]:
                found = lib.run([lib.BINARY, "diff", "--rules=-", *args, *words], env=env, input=text)
                assert (found.returncode, found.stdout) == (0, ""), found.stderr


@pytest.mark.backends("iptables-legacy", "iptables-nft")
@pytest.mark.parametrize("name", configs.NAMED)
def test_named(name, backend, tmp_path):
    config = configs.NAMED[name]
    compare(config, *configs.command_line(config, tmp_path), backend)


def some(rng, pool, most=4):
    """A list of up to @most items of the pool, with repetitions, blanks and empty items."""
    words = [rng.choice(pool) for _ in range(rng.randint(0, most))]
    if words and rng.random() < 0.3:
        words.insert(rng.randrange(len(words) + 1), rng.choice(["", " ", words[0]]))
    return rng.choice([",", ",", ", "]).join(words)


PORTS = ["1", "80", "443", "8080", "65535", "1000-2000", "7:9", "22-22", "53", "15008"]
CIDRS = ["10.0.0.0/8", "10.1.2.3", "192.168.77.5/16", "0.0.0.0/0", "127.0.0.1/32", "127.9.9.9/8", "1.1.1.1/1",
         "255.255.255.255", "::/0", "::1", "fd00::/8", "2001:db8::5/33", "::127.0.0.53", "fe80::/10", "64:ff9b::/96"]
IDS = ["0", "1", "1337", "4294967294", "daemon", "nobody", "games"]
GROUPS = ["0", "5", "1337", "4294967294", "daemon", "nogroup", "games"]
RANGES = ["0", "7", "1000-1005", "4000000000-4294967294"]
INTERFACES = ["eth0", "eth1", "net+", "vm0", "not-istio-nic12", "+"]
RESOLV = [configs.DNS_BOTH, configs.DNS_V4, configs.DNS_V6, configs.DNS_ODD, ""]


def random_config(rng):
    def star_or(pool):
        return rng.choice(["*", some(rng, pool), some(rng, pool)])

    def port_owners():
        dashed = [port for port in PORTS if ":" not in port]
        return [f"{rng.choice(['tcp', 'udp'])}:{rng.choice(dashed)},{rng.choice(dashed)}:{rng.choice(RANGES)}"
                for _ in range(rng.randint(1, 2))]

    makers = {
        "sidecar": lambda: True,
        "envoy-port": lambda: rng.choice(["1", "15001", "65535"]),
        "inbound-capture-port": lambda: rng.choice(["2", "15006", "40000"]),
        "inbound-tunnel-port": lambda: rng.choice(["15008", "53", "9"]),
        "proxy-uid": lambda: some(rng, IDS),
        "proxy-gid": lambda: some(rng, GROUPS),
        "istio-inbound-interception-mode": lambda: rng.choice(["REDIRECT", "TPROXY", "tproxy", ""]),
        "istio-inbound-ports": lambda: star_or(PORTS),
        "istio-local-exclude-ports": lambda: some(rng, PORTS),
        "istio-service-cidr": lambda: star_or(CIDRS),
        "istio-service-exclude-cidr": lambda: some(rng, CIDRS),
        "istio-outbound-ports": lambda: some(rng, PORTS),
        "istio-local-outbound-ports-exclude": lambda: some(rng, PORTS),
        "istio-exclude-interfaces": lambda: some(rng, INTERFACES, 2),
        "kube-virt-interfaces": lambda: some(rng, INTERFACES, 2),
        "istio-inbound-tproxy-mark": lambda: rng.choice(["1", "0xffffffff", "0x10", "4660"]),
        "redirect-dns": lambda: True,
        "capture-all-dns": lambda: True,
        "dns-zones": lambda: rng.choice(["on", "off"]),
        "dns-port": lambda: rng.choice(["53", "15053", "5353"]),
        "drop-invalid": lambda: True,
        "ipv6": lambda: rng.choice(["on", "off"]),
        "exclude-outbound-uids": lambda: some(rng, RANGES),
        "exclude-outbound-gids": lambda: some(rng, RANGES),
        "exclude-outbound-ports-for-uids": port_owners,
        "exclude-inbound-cidrs": lambda: some(rng, CIDRS),
        "inner-interfaces": lambda: some(rng, INTERFACES, 2),
        "keep-connections": lambda: True,
        "bypass-mark": lambda: rng.choice(["3", "0x300/0xff00"]),
        "ISTIO_OUTBOUND_OWNER_GROUPS": lambda: star_or(GROUPS),
        "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE": lambda: some(rng, GROUPS),
        "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR": lambda: rng.choice(["127.0.0.1/32", "127.0.0.0/8", "127.0.0.1/16"]),
    }
    share = rng.choice([0.15, 0.4, 0.7])
    config = {name: make() for name, make in makers.items() if rng.random() < share}
    if config.get("redirect-dns"):
        config["resolv.conf"] = rng.choice(RESOLV)
    return config


@pytest.mark.backends("iptables-legacy", "iptables-nft")
@pytest.mark.parametrize("seed", range(int(os.environ.get("ISTIO_INIT_RANDOM", "100"))))
def test_random(seed, backend, tmp_path):
    rng = random.Random(seed)
    config = random_config(rng)
    args, env = configs.command_line(config, tmp_path)
    for option in list(itertools.filterfalse(lambda arg: "for-uids" in arg, args)):
        variant = configs.respell(option, rng)
        args.remove(option)
        if isinstance(variant, dict):
            env.update(variant)
        else:
            args += variant
    compare(config, args, env, backend)
