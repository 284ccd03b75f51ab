# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of all packets says of each what explain says of it alone, and what it costs to make.

Set ISTIO_INIT_SEED to begin with another seed; ISTIO_INIT_RANDOM scales the number of configurations.
"""

import ipaddress
import os
import random
import re
import resource
import shlex

import configs
import lib
import pytest
import test_oracle

FIRST = int(os.environ.get("ISTIO_INIT_SEED", "0"))
SEEDS = range(FIRST, FIRST + max(2, int(os.environ.get("ISTIO_INIT_RANDOM", "100")) // 8))
PACKETS = 120
FATE = r"(PASSES|DROP|(?:REDIRECT|TPROXY) to :\d+)"
LINE = re.compile(rf"(in|out) (?:(ipv[46]) ?)?(.*?) +{FATE}.*?(?:\((.*)\))?$")
PROTOS = {"tcp": 6, "udp": 17, "icmp": 1, "dccp": 33, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "sctp": 132,
          "udplite": 136}
USUAL = {"proto": ["tcp", "tcp", "udp", "sctp"], "sport": ["40000"], "dport": ["80", "53", "443"], "uid": ["1000", "none"],
         "gid": ["1000"], "if": ["eth0", "eth0", "eth0", "lo", "l", "lo0", "net1"], "mark": ["0"]}
NUMBERS = {"proto": 255, "sport": 65535, "dport": 65535, "uid": 2**32 - 2, "gid": 2**32 - 2}


def parse(text):
    """Of each class: direction, family or None, {key: (negated, items)}, fate, reason."""
    found = []
    for line in text.splitlines():
        way, family, words, fate, reason = LINE.fullmatch(line).groups()
        keys = {}
        for word in words.split():
            key, negated, items = re.fullmatch(r"(\w+)(!?)=(.*)", word).groups()
            keys[key] = bool(negated), items.split(",")
        found.append((way, family, keys, fate, reason))
    return found


def bounds(key, item):
    """The first and last value of an item of numbers."""
    low, _, high = str(PROTOS.get(item, item) if key == "proto" else item).partition("-")
    return int(low), int(high or low)


def holds(key, item, value):
    if item == "none" or value == "none":
        return item == value
    if key in ("src", "dst"):
        net = ipaddress.ip_network(item)
        return ipaddress.ip_address(value) in net
    if key in NUMBERS:
        low, high = bounds(key, item)
        return low <= int(PROTOS.get(value, value)) <= high
    if key == "mark":
        number, _, mask = item.partition("/")
        return int(value) & int(mask or "0xffffffff", 0) == int(number, 0)
    return value.startswith(item[:-1]) if item.endswith("+") else value == item


def is_in(one, packet):
    """Whether the class holds the packet; None if its line is cut before it says so."""
    way, family, keys, _, _ = one
    if way != packet["way"] or family not in (None, packet["family"]):
        return False
    cut = False
    for key, (negated, items) in keys.items():
        listed = [item for item in items if not item.endswith(" more)") and not item.startswith("(")]
        found = any(holds(key, item, packet[key]) for item in listed)
        if len(listed) == len(items):
            if found == negated:
                return False
        elif found and negated:
            return False
        elif not found:
            cut = True
    return None if cut else True


def random_address(rng, classes, key, version):
    nets = [ipaddress.ip_network(item) for *_, keys, _, _ in classes for item in keys.get(key, (0, []))[1] if item[0] != "("]
    nets = [net for net in nets if net.version == version]
    if not nets or rng.random() < 0.2:
        return str(ipaddress.IPv4Address(rng.getrandbits(32)) if version == 4 else ipaddress.IPv6Address(rng.getrandbits(128)))
    net = rng.choice(nets)
    number = int(rng.choice([net.network_address, net.broadcast_address])) + rng.choice([-1, 0, 0, 1])
    return str(type(net.network_address)(number % 2**net.max_prefixlen))


def random_value(rng, classes, key, usual):
    if key == "proto":
        return rng.choice(usual)
    items = [item for *_, keys, _, _ in classes for item in keys.get(key, (0, []))[1] if item[0] != "("]
    item = rng.choice(items if items and rng.random() < 0.5 else usual)
    if item == "none":
        return item
    if key in NUMBERS:
        least = 1 if key.endswith("port") else 0
        return str(min(max(rng.choice(bounds(key, item)) + rng.choice([-1, 0, 0, 1]), least), NUMBERS[key]))
    if key == "mark":
        number, _, mask = item.partition("/")
        return str(int(number, 0) | rng.choice([0, ~int(mask or "0xffffffff", 0) & 0xffffffff]) ^ rng.choice([0, 0, 1]))
    return item[:-1] + rng.choice(["x", "9z"]) if item.endswith("+") else item


def random_packet(rng, classes):
    """Values at the bounds of some class's items, or beside them."""
    way, version = rng.choice(["in", "out", "out"]), rng.choice([4, 6])
    packet = {"way": way, "family": f"ipv{version}", "iif": "", "oif": "", "uid": "none", "gid": "none"}
    for key in "src", "dst":
        packet[key] = random_address(rng, classes, key, version)
    for key in ("proto", "sport", "dport", "mark", "iif" if way == "in" else "oif", *(["uid", "gid"] if way == "out" else [])):
        packet[key] = random_value(rng, classes, key, USUAL.get(key, USUAL["if"]))
    if "none" in (packet["uid"], packet["gid"]):
        packet["uid"] = packet["gid"] = "none"
    words = [key for key in packet if key not in ("way", "family") and packet[key] and (way == "out" or key not in ("uid", "gid"))]
    return packet, [way, *(f"{key}={packet[key]}" for key in words if (key, packet[key]) != ("gid", "none"))]


@pytest.mark.parametrize("rules", ["iptables-nft", "nftables"])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_packet_is_in_one_class_and_meets_its_fate(seed, rules, tmp_path):
    rng = random.Random(seed)
    config = {**test_oracle.random_config(rng), **({"sidecar": True} if rng.random() < 0.7 else {})}
    args, env = configs.command_line(config, tmp_path)
    args.append(f"--backend={rules}")
    classes = parse(lib.checked(lib.run([lib.BINARY, "explain", "traffic", *args], env=env)))
    packets = [random_packet(rng, classes) for _ in range(PACKETS)]
    script = "".join(f"{shlex.join([str(lib.BINARY), 'explain', *words])} \"$@\" 2>/dev/null; echo ==\n" for _, words in packets)
    said = lib.checked(lib.run(["sh", "-ec", script, "sh", *args], env=env)).split("==\n")
    for (packet, words), alone in zip(packets, said):
        sure = [one for one in classes if is_in(one, packet)]
        maybe = [one for one in classes if is_in(one, packet) is None]
        assert len(sure) == 1 or (not sure and maybe), (words, args, sure)
        fate = re.search(rf"^verdict: {FATE}", alone, re.M)[1]
        assert any(one[3] == fate for one in sure or maybe), (words, args, sure or maybe, alone)
        if sure and (sure[0][4] or "").startswith("--"):
            assert sure[0][4] in alone, (words, args, sure, alone)


def cidrs(rng, version, n):
    return [str(ipaddress.ip_address(rng.getrandbits(32) if version == 4 else (2 << 124) | rng.getrandbits(125)))
            for _ in range(n)]


def lists(path, **versions):
    """The words of lists of 10,000 addresses, of one family or both, in files."""
    rng, words = random.Random(1), []
    for option, numbers in versions.items():
        (path / option).write_text(",".join(cidr for version in numbers for cidr in cidrs(rng, version, 10000)))
        words.append(f"--istio-service-{option.replace('_', '-')}=@{path / option}")
    return words


@pytest.mark.parametrize("seconds, versions", [
    (1, {"exclude_cidr": [4]}), (1, {"exclude_cidr": [6]}), (2, {"exclude_cidr": [4, 6]}), (3, {"cidr": [4], "exclude_cidr": [6]}),
    (8, {"cidr": [6], "exclude_cidr": [6]}), (8, {"cidr": [4], "exclude_cidr": [4]})])
@pytest.mark.parametrize("rules", ["iptables-nft", "nftables"])
def test_long_lists_cost_little(tmp_path, seconds, versions, rules):
    """CPU time is at least four times what it takes; whatever it is, it fits into 128 MiB."""
    result = lib.run(["prlimit", f"--cpu={seconds}", f"--as={128 << 20}", lib.BINARY, "explain", "traffic", "--sidecar",
                      "--ipv6=on", f"--backend={rules}", *lists(tmp_path, **versions)])
    assert 15 < len(lib.checked(result).splitlines()) <= 60
    assert re.search(r",\((9992|19992) more\)", result.stdout)


def test_the_defaults_cost_next_to_nothing():
    """3 ms of CPU time, the start of the process in it."""
    def spent():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    found = []
    for _ in range(20):
        before = spent()
        lib.checked(lib.run([lib.BINARY, "explain", "traffic", "--sidecar"]))
        found.append(spent() - before)
    assert min(found) < 0.02


def test_too_many_classes_are_refused():
    """Each port has other users: that would take more than the 1 GiB that there may be."""
    rng = random.Random(1)
    owners = [f"--exclude-outbound-ports-for-uids=tcp:{port}-{port + 300}:{uid}-{uid + 10000000}"
              for port, uid in ((rng.randint(1, 60000), rng.randint(0, 2**31)) for _ in range(10000))]
    result = lib.run(["prlimit", f"--as={1 << 30}", "--cpu=30", lib.BINARY, "explain", "traffic", "--sidecar", *owners],
                     timeout=120)
    assert (result.returncode, result.stdout) == (1, ""), result.stderr
    assert result.stderr == ("istio-init: error: traffic: so many different classes of packets take more than 1 GiB of "
                             "memory\n")
