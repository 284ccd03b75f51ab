# SPDX-License-Identifier: GPL-2.0-or-later
"""Classes of packets, as JSON documents have them: which packets are in one, and packets at their bounds."""

import ipaddress

PROTOS = ["tcp", "tcp", "tcp", "udp", "sctp", "gre"]
ICMP = {"ipv4": "icmp", "ipv6": "ipv6-icmp"}
INTERFACES = ["lo", "eth0", "eth1", "net1", "vm0", "l"]
TOP = 2 ** 32 - 2  # no owner is 4294967295


def _number_holds(item, value):
    if not isinstance(item, str):
        return item == value
    low, _, high = item.partition("-")
    return value is None if item == "none" else value is not None and int(low) <= value <= int(high)


def _name_holds(item, name):
    return name.startswith(item[:-1]) if item.endswith("+") else name == item


def _item_holds(key, item, value):
    if key in ("sport", "dport", "uid", "gid"):
        return _number_holds(item, value)
    if key in ("src", "dst"):
        block = ipaddress.ip_network(item)
        return block.version == value.version and value in block
    if key in ("iif", "oif"):
        return _name_holds(item, value)
    if key == "mark":
        wanted, mask = (int(word, 16) for word in item.split("/"))
        return value & mask == wanted
    return value == item or (item == "other" and value not in ("tcp", "udp"))


def holds(one, packet):
    """Whether the packet, a dict, is in the class."""
    if one["direction"] != packet["direction"] or one.get("family", packet["family"]) != packet["family"]:
        return False
    for key in ("proto", "src", "dst", "sport", "dport", "uid", "gid", "iif", "oif", "mark"):
        value = packet.get(key)
        if key in ("iif", "oif") and value is None:
            continue
        if key in one and not any(_item_holds(key, item, value) for item in one[key]):
            return False
        if any(_item_holds(key, item, value) for item in one.get(f"{key}_not", [])):
            return False
    return True


def _near_number(rng, item, top):
    low, _, high = str(item).partition("-")
    value = int(rng.choice([low, high or low])) + rng.choice([-1, 0, 0, 1])
    return min(max(value, 0), top)


def _near_address(rng, item):
    block = ipaddress.ip_network(item)
    value = int(rng.choice([block.network_address, block.broadcast_address])) + rng.choice([-1, 0, 0, 1])
    address = type(block.network_address)(min(max(value, 0), 2 ** block.max_prefixlen - 1))
    mapped = address.version == 6 and address.ipv4_mapped  # explain does not take these
    return ipaddress.ip_address("2001:db8::1") if mapped else address


def _near_name(rng, item):
    name = item[:-1] + rng.choice(["", "0", "x"]) if item.endswith("+") else item + rng.choice(["", "", "x"])
    return name[:15] or "eth0"


def random_packet(rng, classes):
    """A packet at the bounds of some of the classes, or beside them."""
    family = rng.choice(["ipv4", "ipv6"])
    outside = rng.random() < 0.4

    def some(key, default):
        """An item of a list of the key in some class."""
        found = [one[name] for one in rng.sample(classes, min(8, len(classes))) for name in (key, f"{key}_not") if name in one]
        items = [item for item in rng.choice(found) if item != "none"] if found and rng.random() < 0.8 else []
        return rng.choice(items or [default])

    def address(key):
        item = some(key, "0.0.0.0/0" if family == "ipv4" else "::/0")
        if (ipaddress.ip_network(item).version == 4) != (family == "ipv4"):
            item = {"ipv4": "192.0.2.1", "ipv6": "2001:db8::1"}[family]
        return _near_address(rng, item)

    packet = {"direction": "in" if outside else "out", "family": family, "proto": rng.choice([*PROTOS, ICMP[family]]),
              "src": address("src"), "dst": address("dst")}
    if packet["proto"] in ("tcp", "udp", "sctp"):
        packet["sport"] = max(_near_number(rng, some("sport", 40000), 65535), 1)
        packet["dport"] = max(_near_number(rng, some("dport", 80), 65535), 1)
    if not outside and rng.random() < 0.85:
        packet["uid"], packet["gid"] = (_near_number(rng, some(key, 1000), TOP) for key in ("uid", "gid"))
    interface = "iif" if outside else "oif"
    packet[interface] = _near_name(rng, some(interface, rng.choice(INTERFACES)))
    value, mask = (int(word, 16) for word in some("mark", "0x0/0xffffffff").split("/"))
    packet["mark"] = rng.choice([0, value, value ^ 1, value | (~mask & 0xffffffff)])
    return packet


def words(packet):
    """The packet as explain is asked about it."""
    found = [packet["direction"]]
    found += [f"{key}={packet[key]}" for key in ("proto", "src", "dst", "sport", "dport", "uid", "gid", "iif", "oif", "mark")
              if key in packet]
    return found + (["uid=none"] if packet["direction"] == "out" and "uid" not in packet else [])
