# SPDX-License-Identifier: GPL-2.0-or-later
"""What explain says of a packet is what a real connection meets, on every backend.

Set ISTIO_INIT_SEED to begin with another seed; ISTIO_INIT_RANDOM scales the number of configurations.
"""

import contextlib
import ipaddress
import os
import random
import re
import shlex
import socket

import configs
import lib
import pytest
import test_oracle
from pod import DNS, DNS6, PEER, PEER6, POD, POD6, POD_VM, POD_VM6, SERVICE, SERVICE6, VM, VM6, Pod

FIRST = int(os.environ.get("ISTIO_INIT_SEED", "0"))
SEEDS = range(FIRST, FIRST + max(2, int(os.environ.get("ISTIO_INIT_RANDOM", "100")) // 6))
PACKETS = 40
LINE = re.compile(r"^verdict: (?:(PASSES)|(DROP)|(?:REDIRECT|TPROXY) to :(\d+)): (.*)", re.M)
PLACES = {"15001": "proxy", "15006": "inbound", "15053": "dns"}
# The peer has every address in these.
FAR = [ipaddress.ip_network("198.18.0.0/15"), ipaddress.ip_network("2001:db8:1::/48")]
OWN = {POD: POD, POD6: POD6, POD_VM: POD_VM, POD_VM6: POD_VM6, "127.0.0.1": "127.0.0.1", "127.0.0.53": "127.0.0.1",
       "127.9.9.9": "127.0.0.1", "::1": "::1"}
PORTS = [1, 2, 7, 10, 22, 53, 53, 53, 80, 80, 443, 999, 1000, 2000, 2001, 8080, 15008, 15008, 65535]
IDS = [0, 1, 5, 7, 60, 1000, 1000, 1005, 1006, 1337, 1337, 65534, 3999999999, 4000000000, 4294967294]
MARKS = [3, 0x300, 0x10300, 0x400, 1338]
RESOLV = [f"nameserver {DNS}\n", f"nameserver {DNS6}\n",
          f"nameserver {DNS}\nnameserver {DNS6}\nnameserver 127.0.0.53\n"]


def far_cidrs(rng, most, longer=1):
    """Blocks in the peer's space, many of them next to or in each other."""
    found = []
    for _ in range(rng.randint(1, most)):
        space = rng.choice(FAR)
        length = rng.randint(space.prefixlen + longer, space.max_prefixlen)
        base = int(space.network_address) | rng.getrandbits(space.max_prefixlen - space.prefixlen)
        found.append(ipaddress.ip_network((base, length), strict=False))
        if rng.random() < 0.3 and found[-1].broadcast_address + 1 in space:
            found.append(ipaddress.ip_network((int(found[-1].broadcast_address) + 1, space.max_prefixlen)))
    return found


def random_policy(rng):
    """A configuration of the oracle, of what can be met in the pod; and the far blocks in its lists."""
    config = test_oracle.random_config(rng)
    for name in "envoy-port", "inbound-capture-port", "dns-port":
        config.pop(name, None)
    if "istio-inbound-ports" not in config and "istio-service-cidr" not in config:
        config["sidecar"] = True
    if rng.random() < 0.25:
        config["istio-inbound-interception-mode"] = "TPROXY"
    if config.get("redirect-dns"):
        config["resolv.conf"] = rng.choice(RESOLV)
    cidrs = []
    for name in "istio-service-cidr", "istio-service-exclude-cidr", "exclude-inbound-cidrs":
        if rng.random() < 0.35 and config.get(name) != "*":
            more = far_cidrs(rng, rng.choice([3, 100, 1500]))
            cidrs += more
            config[name] = ",".join([config.get(name, ""), *map(str, more)])
    if rng.random() < 0.3:
        config["long-lists"] = rng.choice(["tree", "linear"])
    return config, cidrs


def far_address(rng, cidrs, version):
    """An address at the edge of a block, on either side."""
    space = FAR[version == 6]
    block = rng.choice([cidr for cidr in cidrs if cidr.version == version] or [space])
    edge = rng.choice([block.network_address, block.broadcast_address]) + rng.choice([-1, 0, 0, 1])
    return str(edge if edge in space else space.network_address + 1)


def random_packet(rng, config, cidrs):
    """Where a connection begins, its address, port and how; and the words with which explain is asked about it."""
    version = rng.choice([4, 4, 6])
    v6 = version == 6
    port, how = rng.choice(PORTS), {"proto": rng.choice(["tcp", "tcp", "udp"])}
    origin = rng.choice(["pod", "pod", "pod", "peer", "peer", "vm"])
    if origin == "pod":
        addr = rng.choice([far_address(rng, cidrs, version), SERVICE6 if v6 else SERVICE, DNS6 if v6 else DNS,
                           VM6 if v6 else VM, *(own for own in OWN if (":" in own) == v6)])
        how["uid"], how["gid"] = rng.choice(IDS), rng.choice(IDS)
        if rng.random() < 0.3:
            how["mark"] = rng.choice(MARKS)
        # With IPv6 off there is no ::6.
        if addr in OWN and rng.random() < 0.3 and not (v6 and config.get("ipv6") == "off"):
            how["src"] = "::6" if v6 else "127.0.0.6"
        src = how.get("src", OWN.get(addr, {VM: POD_VM, VM6: POD_VM6}.get(addr, POD6 if v6 else POD)))
        interface = f"oif={'lo' if addr in OWN else 'eth1' if addr in (VM, VM6) else 'eth0'}"
    elif origin == "peer":
        addr = rng.choice([POD6, POD_VM6] if v6 else [POD, POD_VM])
        src = how["src"] = rng.choice([PEER6 if v6 else PEER, SERVICE6 if v6 else SERVICE,
                                       far_address(rng, cidrs, version)])
        interface = "iif=eth0"
    else:
        # TPROXY takes the answers to what the pod only forwards, as istio-iptables' does.
        tproxy = config.get("istio-inbound-interception-mode", "").upper() == "TPROXY"
        addr = rng.choice(([POD_VM6, POD6, SERVICE6, DNS6] if v6 else [POD_VM, POD, SERVICE, DNS])[:2 if tproxy else 4])
        src = how["src"] = VM6 if v6 else VM
        interface = "iif=eth1"
    words = ["out" if origin == "pod" else "in", f"dst={addr}", f"dport={port}",
             *(f"{key}={how[key]}" for key in ("proto", "uid", "gid", "mark") if key in how)]
    return (origin, addr, port, how), words, [f"src={src}", interface]


def how_bound(packet):
    return [f"src={packet[3]['src']}"] if "src" in packet[3] else []


def place(said, addr):
    """Where explain sends the connection, as Pod.connect names it."""
    passes, drop, port, _ = said
    if passes:
        return "app" if addr in OWN else "vm" if addr in (VM, VM6) else "peer"
    return "nowhere" if drop else PLACES[port]


def explain(netns, args, env, questions):
    """The verdicts on many packets: one shell that starts one explain for each."""
    script = "".join(f"{shlex.join([str(lib.BINARY), 'explain', *words])} \"$@\"\n" for words in questions)
    text = lib.checked(netns.run(["sh", "-ec", script, "sh", *args], env=env))
    verdicts = [match.groups() for match in LINE.finditer(text)]
    assert len(verdicts) == len(questions), text
    return verdicts


@pytest.mark.parametrize("seed", SEEDS)
def test_explain_says_what_connections_meet(seed, backend, tmp_path):
    rng = random.Random(seed)
    config, cidrs = random_policy(rng)
    args, env = configs.command_line(config, tmp_path)
    args.append(f"--backend={backend}")
    wrong = []
    with Pod() as pod:
        pod.peer.sh("".join(f"ip -{space.version} route add local {space} dev lo; " for space in FAR))
        pod.peer.write_sysctl("ipv6/ip_nonlocal_bind", "1")
        lib.checked(pod.netns.istio_init("--dual-stack", *args, env=env))
        packets = [random_packet(rng, config, cidrs) for _ in range(PACKETS)]
        wanted = explain(pod.netns, args, env, [[*words, *whence] for _, words, whence in packets])
        # The routes tell --live what leaves by lo.
        live = explain(pod.netns, args, env, [["--live", "--dual-stack", *words, *(whence if words[0] == "in" else how_bound(packet))]
                                              for packet, words, whence in packets])
        for ((origin, addr, port, how), words, whence), *both in zip(packets, wanted, live):
            met = pod.connect(origin, addr, port, **how)
            # That an agent with a strange UID cannot answer is not the question.
            met = met[0] if isinstance(met, tuple) else met.partition(", and no answer")[0]
            if {place(said, addr) for said in both} != {met}:
                wrong.append(f"{' '.join(words + whence)}: {met}; wanted {both[0]}, live {both[1]}")
    assert not wrong, "\n".join([shlex.join(args), str(env), *wrong])


EXPECTATION = """
table inet helper {
    ct expectation second { protocol tcp; dport 9876; timeout 1m; size 1; l3proto ip; }
    chain output { type filter hook output priority mangle; tcp dport 8000 ct expectation set "second"; }
}
"""


def test_a_connection_that_a_helper_expects_meets_nat(netns, backend):
    lib.checked(netns.istio_init("--sidecar", "--backend", backend))
    lib.checked(netns.run(["nft", "-f", "-"], input=EXPECTATION))
    with contextlib.ExitStack() as sockets:
        tcp = [sockets.enter_context(netns.socket(socket.AF_INET, socket.SOCK_STREAM, uid=uid, gid=uid))
               for uid in (0, 0, 0, 1337)]
        for listener, port in zip(tcp, (8000, 15006)):
            listener.bind(("0.0.0.0", port))
            listener.listen()
        for connection, port in zip(tcp[2:], (8000, 9876)):
            connection.bind(("127.0.0.2", 0))
            connection.settimeout(5)
            connection.connect(("127.0.0.2", port))
    words = "out src=127.0.0.2 dst=127.0.0.2 dport=9876 uid=1337 gid=1337 oif=lo ctstate=related".split()
    assert explain(netns, ["--sidecar", "--backend", backend], None, [words])[0][2] == "15006"


# An option's value without effect; what is not here has the empty one.  Nothing belongs to 4242.
NONE = {"proxy-uid": "4242", "proxy-gid": "4242", "inbound-tunnel-port": "4242", "ipv6": "on",
        "ISTIO_OUTBOUND_OWNER_GROUPS": "*", "exclude-outbound-ports-for-uids": []}
EXCLUSIONS = ["istio-local-exclude-ports", "istio-service-exclude-cidr", "istio-local-outbound-ports-exclude",
              "istio-exclude-interfaces", "kube-virt-interfaces", "exclude-outbound-uids", "exclude-outbound-gids",
              "exclude-inbound-cidrs", "bypass-mark", "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", *NONE]


def without(config, options):
    changed = {**config, **{name: NONE.get(name, "") for name in options}}
    if "ISTIO_OUTBOUND_OWNER_GROUPS" in options:
        # That has an effect only where all groups are included.
        changed["ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE"] = ""
    return changed


def named_options(reason):
    """The options that explain names, None if it names something else as well."""
    words = reason.removeprefix("not captured, because of ").split("; ")
    names = [word.removesuffix("=off").removeprefix("--") for word in words]
    return names if set(names) <= {*EXCLUSIONS} else None


@pytest.mark.parametrize("seed", SEEDS)
def test_the_options_that_explain_names_are_what_keeps_from_capture(seed, netns, tmp_path):
    """Without them the packet is captured, and any one of them keeps it; where none is named none would help."""
    rng = random.Random(seed)
    config, cidrs = random_policy(rng)
    # Else that follows the UIDs.
    config.setdefault("proxy-gid", "1337")
    config["backend"] = rng.choice(["nftables", "iptables-legacy"])

    def ask(config, words):
        args, env = configs.command_line(config, tmp_path)
        return explain(netns, args, env, [words])[0]

    wrong = []
    for _, words, whence in [random_packet(rng, config, cidrs) for _ in range(PACKETS)]:
        words += whence
        passes, _, _, reason = ask(config, words)
        # Over lo the rules of the proxy's owners keep everybody else's traffic.
        if not passes or "oif=lo" in words:
            continue
        names = named_options(reason)
        if " because of " not in reason:
            if not ask(without(config, EXCLUSIONS), words)[0]:
                wrong.append(f"{words}: {reason}, but an exclusion does")
        elif names:
            if ask(without(config, names), words)[0]:
                wrong.append(f"{words}: {reason}, but not captured without")
            wrong += [f"{words}: {reason}, but {name} is not enough" for name in names
                      if not ask(without(config, [other for other in names if other != name]), words)[0]]
    assert not wrong, "\n".join([str(config), *wrong])


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 3))
def test_a_tree_of_chains_decides_as_the_linear_list(seed, netns, tmp_path):
    rng = random.Random(seed)
    cidrs = far_cidrs(rng, 2000, 9) + far_cidrs(rng, 2000, 9)
    (tmp_path / "cidrs").write_text("\n".join(map(str, cidrs)))
    option = ["istio-service-cidr", "istio-service-exclude-cidr", "exclude-inbound-cidrs"][seed % 3]
    hook, end = ("in", "src") if option == "exclude-inbound-cidrs" else ("out", "dst")
    args = [*(["--sidecar"] if option != "istio-service-cidr" else []), f"--{option}=@{tmp_path}/cidrs"]
    questions = [[hook, f"{end}={far_address(rng, cidrs, rng.choice([4, 6]))}"] for _ in range(300)]
    linear, tree = (explain(netns, [*args, f"--long-lists={form}"], {}, questions) for form in ("linear", "tree"))
    assert linear == tree
    assert len({said[0] for said in linear}) == 2, "addresses on one side of the list only"


@pytest.mark.parametrize(("words", "option"), [
    ("out dst=10.96.1.1", "--istio-service-exclude-cidr"), ("out dport=3306", "--istio-local-outbound-ports-exclude"),
    ("out mark=7", "--bypass-mark"), ("in dport=15008", "--inbound-tunnel-port"),
    ("in src=192.168.1.1", "--exclude-inbound-cidrs"),
    ("in iif=eth7", "--istio-exclude-interfaces or --kube-virt-interfaces"),
    ("out uid=7", "--proxy-uid or --exclude-outbound-uids")])
def test_live_rules_alone_tell_the_option(words, option, backend, netns):
    """Who looks into a pod does not know with which options its rules were made."""
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}", "-x", "10.96.0.0/12", "-o", "3306",
                                 "-c", "eth7", "--bypass-mark=7", "--exclude-outbound-uids=7",
                                 "--exclude-inbound-cidrs=192.168.0.0/16"))
    said = lib.checked(netns.istio_init("explain", "--live", *words.split()))
    assert f"verdict: PASSES: not captured, because of {option}\n" in said


@pytest.mark.backends("iptables-legacy", "iptables-nft")
@pytest.mark.parametrize("verdict", ["RETURN", "ACCEPT"])
def test_live_shows_a_rule_of_the_users_own(verdict, backend, netns):
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    netns.sh(f"{backend} -t nat -I OUTPUT -d 192.0.2.7 -j {verdict}")
    said = lib.checked(netns.istio_init("explain", "--live", "out", "dst=192.0.2.7"))
    assert f"-A OUTPUT -d 192.0.2.7/32 -j {verdict}\n" in said
    assert "verdict: PASSES: not captured, because of a rule that no option asks for\n" in said


# What somebody does to ip rules and routes beside TPROXY, and what comes of what is meant for others, and is answered to them.
KEPT = "captured, Envoy inbound, both addresses kept"
FIRST_COMES = "another ip rule or route comes first (ip route get ADDRESS mark 1337)"
LACKS_RULE = "the ip rule is missing (fwmark 1337); a run of istio-init with the pod's options adds it"
LACKS_ROUTE = "the route is missing (local default dev lo table 133); a run of istio-init with the pod's options adds it"


@pytest.mark.parametrize(("script", "lacks"), [
    ("ip rule del fwmark 1337", LACKS_RULE),
    ("ip route flush table 133", LACKS_ROUTE),
    ("ip rule del fwmark 1337; ip rule add fwmark 1337 lookup 133 priority 40000", FIRST_COMES),
    ("ip rule add fwmark 1337 blackhole priority 100", FIRST_COMES),
    ("ip rule add fwmark 1337 lookup 200 priority 100; ip route add blackhole default table 200", FIRST_COMES),
    ("ip rule del fwmark 1337; ip rule add fwmark 1337 iif eth9 lookup 133 priority 32765", LACKS_RULE),
    ("ip rule del fwmark 1337; ip rule add fwmark 1337/0xffff lookup 133 priority 100", None),
    ("ip rule del fwmark 1337; ip rule add fwmark 1337 iif eth1 lookup 133; ip rule add fwmark 1337 iif lo lookup 133", None),
    ("ip rule add fwmark 1337 lookup 200 priority 100", None)])
def test_live_says_what_ip_rules_make_of_tproxy(script, lacks):
    """What is for the pod itself reaches the proxy in any case; the answers to its own connections may not."""
    with Pod() as pod:
        lib.checked(pod.netns.istio_init("--sidecar", "-m", "TPROXY", "--backend=nftables"))
        pod.netns.sh(script)
        for addr in POD_VM, SERVICE:
            said = lib.checked(pod.netns.istio_init("explain", "--live", "in", f"dst={addr}", f"src={VM}", "dport=8080", "iif=eth1"))
            verdict = said.partition("verdict: ")[2].rstrip("\n")
            met = pod.connect("vm", addr, 8080)
            if addr == SERVICE and lacks:
                assert (met, verdict) == ("nowhere", f"lost: {lacks}")
                continue
            but = f", but answers to what the proxy sends on under the client's address are lost: {lacks}" if lacks else ""
            assert (met, verdict) == (("inbound", (addr, 8080)), f"TPROXY to :15006: {KEPT}{but}")
