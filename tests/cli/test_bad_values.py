# SPDX-License-Identifier: GPL-2.0-or-later
"""A wrong value is one clear line and exit 64, and nothing was touched."""

import re

import configs
import lib
import pytest
from messages import assert_refused, assert_warned

PORTS = ["0", "65536", "80-", "-80", "90-80", "http", "*,80", "80,*", "1-65536", "0x50", "+80", "80 90", "80;90",
         "1-2-3", "99999999999999999999", "80\n-A OUTPUT -j DROP", "80\x01", "\"80\"", "８０", "80/tcp"]
EXCLUDED = [word for word in PORTS if word != "0"]
PORT = ["0", "65536", "http", "1-2", "80,81", "*", " ", "-1", "99999999999"]
CIDRS = ["10.0.0.0/33", "10.0.0", "::/129", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/8/8", "256.1.1.1", ":::", "::/ 64",
         "::ffff:1.2.3.4", "fe80::1%eth0", "10.0.0.0/8,*", "*,10.0.0.0/8", "localhost", "1.2.3.4/0x8", "/8",
         "1.2.3.4.5", "10.0.0.0/8\n11.0.0.0/8", "10.0.0.0/8\x7f", "'10.0.0.0/8'"]
IDS = ["-1", "4294967295", "4294967296", "no-such-name", "*", "1.5", "0x10", "1337\n0", "12ab", "1-", "5-1"]
RANGES = [word for word in IDS if word != "no-such-name"]
INTERFACES = ["sixteen-bytes-16", "et h0", "a/b", "eth0\tx", "x" * 300, "eth0\nlo", "eth0:1", 'a"b', "a\\b", "eth*",
              ".", "..", "e\x7f", "eth0+++++++++++++"]
BOOLEANS = ["yes", "on", "2", "tRUE", "", " ", "tr ue"]
DURATIONS = ["5x", "", "-5s", "s", "1m30", "5 s", "1e9h", "99999999999999999999s", "five"]

# option: what is wrong for it
WRONG = {
    "envoy-port": PORT,
    "inbound-capture-port": PORT,
    "inbound-tunnel-port": PORT,
    "iptables-probe-port": PORT,
    "dns-port": PORT,
    "proxy-uid": [*IDS, "1-5"],
    "proxy-gid": [*IDS, "1-5"],
    "istio-inbound-interception-mode": ["redirect2", "NONE", "TPROXY,REDIRECT"],
    "istio-inbound-ports": PORTS,
    "istio-local-exclude-ports": [*EXCLUDED, "*"],
    "istio-service-cidr": CIDRS,
    "istio-service-exclude-cidr": [*CIDRS, "*"],
    "istio-outbound-ports": [*PORTS, "*"],
    "istio-local-outbound-ports-exclude": [*EXCLUDED, "*"],
    "istio-exclude-interfaces": [*INTERFACES, "*,eth0"],
    "kube-virt-interfaces": INTERFACES,
    "inner-interfaces": INTERFACES,
    "istio-inbound-tproxy-mark": ["0", "0x0", "1338", "0x53a", "0x1ffffffff", "4294967296", "-1", "abc", "", "1/1"],
    "istio-inbound-tproxy-route-table": ["0", "253", "254", "255", "main", "-1", "4294967296", ""],
    "probe-timeout": DURATIONS,
    "force-iptables-binary": ["iptables", "LEGACY", "nftables"],
    "log_output_level": ["loud", "default:loud", "all:"],
    "backend": ["iptables", "nft", "", "AUTO"],
    "ipv6": ["yes", "", "ON"],
    "family": ["ipv5", "", "4"],
    "format": ["json", "NFT"],
    "output": ["yaml", "", "JSON"],
    "dns-zones": ["yes", ""],
    "long-lists": ["short", ""],
    "jump": ["prepend", "", "INSERT"],
    "wait": DURATIONS,
    "exclude-outbound-uids": RANGES,
    "exclude-outbound-gids": RANGES,
    "exclude-outbound-ports-for-uids": ["tcp", "tcp:80", "icmp:80:1", "tcp:0:1", "tcp:80:", "tcp::1", "tcp:80:5-1",
                                        ":80:1", "tcp:80:1:2", "TCP80:1", "tcp:80:-1"],
    "exclude-inbound-cidrs": [*CIDRS, "*"],
    "bypass-mark": ["x", "0x1ffffffff", "1/", "1/0x1ffffffff", "/1", "1/2/3", "-1"],
    **{name: BOOLEANS for name in
       ["dry-run", "redirect-dns", "capture-all-dns", "drop-invalid", "dual-stack", "run-validation",
        "skip-rule-apply", "cni-mode", "reconcile", "cleanup-only", "force-apply", "native-nftables", "log_as_json",
        "sidecar", "allow-host-netns", "comments"]},
}
WRONG_VARIABLES = {
    "ISTIO_OUTBOUND_OWNER_GROUPS": ["-1", "no-such-group", "1,*", "4294967295", ",".join(map(str, range(65)))],
    "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE": ["-1", "no-such-group", "4294967296"],
    "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR": ["128.0.0.0/8", "::1/128", "126.0.0.0/7", "127.0.0.1/7", "localhost", "*"],
}
# Where a wrong value has an effect: in REDIRECT mode those of TPROXY have none.
BESIDE = {name: ["-m", "TPROXY"] for name in WRONG if name.startswith("istio-inbound-tproxy-")}
# The aliases are lenient: test_warnings.py.
LENIENT = {"ISTIO_META_DNS_CAPTURE", "INVALID_DROP", "ISTIO_DUAL_STACK"}
CASES = [(f"--{name}", value) for name, values in WRONG.items() for value in values]
VARIABLES = [(variable, value, BESIDE.get(name, [])) for name, values in WRONG.items() for value in values
             for variable in configs.OPTIONS[name][1:] if variable and variable not in LENIENT and value.strip()]
VARIABLES += [(name, value, []) for name, values in WRONG_VARIABLES.items() for value in values]


@pytest.mark.parametrize("option, value", CASES)
def test_option(room, option, value):
    assert_refused(room.istio_init(*BESIDE.get(option[2:], []), f"{option}={value}"), option, "")


@pytest.mark.parametrize("variable, value, beside", VARIABLES)
def test_variable(room, variable, value, beside):
    assert_refused(room.istio_init(*beside, env={variable: value}), variable, "")


@pytest.mark.parametrize("option, value, item", [
    ("-b", "80,81,90-80,82", "90-80"), ("-b", "80, http ,x", "http"), ("-i", "10.0.0.0/8,10.0.0.0/33", "10.0.0.0/33"),
    ("-u", "1337,no-such-name", "no-such-name"), ("-c", "eth0,sixteen-bytes-16", "sixteen-bytes-16"),
    ("-b", "*,80", "*"), ("--exclude-inbound-cidrs", "::ffff:1.2.3.4", "::ffff:1.2.3.4"),
    ("-m", "redirect2", "redirect2"), ("--probe-timeout", "5x", "5x"), ("-e", "0x1ffffffff", "0x1ffffffff")])
def test_the_item_is_named(room, option, value, item):
    result = room.istio_init(option, value)
    assert result.returncode == 64
    assert item in result.stderr.splitlines()[0]


def test_mapped_addresses_say_to_write_ipv4(room):
    assert "IPv4" in room.istio_init("-i", "::ffff:1.2.3.4").stderr


@pytest.mark.parametrize("value", ["80\n81", "\x1b[31m80", "8\r0", "a\tb", "\x7f", "\u202e80", "\xa080", "\x9b31m80"])
def test_no_value_writes_a_line_or_a_colour(room, value):
    result = room.istio_init("-b", value)
    assert result.returncode == 64
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", result.stderr)
    assert 1 <= len(result.stderr.splitlines()) <= 2


def test_bytes_that_are_no_text(room):
    result = room.run([lib.BINARY, b"-b".decode(), b"\xff\xfe80".decode(errors="surrogateescape")], text=False)
    assert result.returncode == 64
    result.stderr.decode("utf-8")


@pytest.mark.parametrize("name", [name for name, words in WRONG.items() if words is not BOOLEANS])
def test_missing_value(room, name):
    assert_refused(room.istio_init("--sidecar", f"--{name}"), f"--{name}", "")
    if short := configs.OPTIONS[name][0]:
        result = room.istio_init("--sidecar", f"-{short}")
        assert (result.returncode, result.stdout) == (64, "")


@pytest.mark.parametrize("args", [
    ["-m", "TPROXY", "--bypass-mark=1337"], ["-m", "TPROXY", "--bypass-mark=0x500/0xff00"],
    ["-m", "TPROXY", "--bypass-mark=1338"], ["-m", "TPROXY", "-t", "0x10", "--bypass-mark=0x10/0xf0"]])
def test_bypass_mark_must_not_match_the_marks_of_tproxy(room, args):
    assert_refused(room.istio_init(*args), "--bypass-mark", "")


def test_the_same_bypass_mark_is_fine_without_tproxy(room):
    assert room.istio_init("--dry-run", "--bypass-mark=1337").returncode == 0


def test_unreadable_resolv_conf(room):
    result = room.istio_init("--sidecar", "--redirect-dns", "--resolv-conf=/nonexistent/resolv.conf")
    assert_refused(result, "/nonexistent/resolv.conf", "", status=1)
    result = room.istio_init("--sidecar", "--redirect-dns", "--resolv-conf=/")
    assert_refused(result, "/", "", status=1)


def test_resolv_conf_is_not_needed_without_dns(room):
    assert room.istio_init("--dry-run", "--resolv-conf=/nonexistent").returncode == 0


@pytest.mark.parametrize("path", ["/etc/passwd", "/nonexistent", "/proc/self/ns/mnt", "/", "/dev/null"])
def test_network_namespace_that_is_none(room, path):
    result = room.istio_init("--sidecar", f"--network-namespace={path}")
    assert result.returncode in (1, 64) and result.stdout == ""
    assert path in result.stderr.splitlines()[0] and len(result.stderr.splitlines()) <= 2


def test_list_files(room):
    nested, bad = room.dir / "nested", room.dir / "bad"
    nested.write_text("80\n@/etc/passwd\n")
    bad.write_text("".join(f"{port}\n" for port in range(1, 60000)) + "# the last one\nhttp\n")
    for path, item in (nested, "@/etc/passwd"), (bad, "http"):
        result = room.istio_init("-b", f"@{path}")
        assert_refused(result, "--istio-inbound-ports", item)
    for path in room.dir / "missing", "/", "":
        result = room.istio_init("-b", f"@{path}")
        assert result.returncode in (1, 64) and result.stdout == ""
        assert str(path) in result.stderr.splitlines()[0]


def test_a_hundred_thousand_bad_items(room):
    path = room.dir / "many"
    path.write_text("http\n" * 100_000)
    result = room.istio_init("-b", f"@{path}", timeout=10)
    assert_refused(result, "--istio-inbound-ports", "http")


def test_the_longest_argument(room):
    result = room.istio_init("-x", ("10.0.0.0/8," * 12_000)[:131_000] + "x")
    assert_refused(result, "--istio-service-exclude-cidr", "x")


def test_a_bad_value_is_found_in_a_dry_run_too(room):
    result = room.istio_init("--dry-run", "-b", "0")
    assert (result.returncode, result.stdout) == (64, "")


@pytest.mark.parametrize("words, word, expected", [
    ([], "", "in or out"),
    (["up"], "up", "in or out"),
    (["out", "port=80"], "port=80", "in or out, then KEY=VALUE with a KEY of proto, src, dst"),
    (["out", "dport=0"], "dport=0", "a port 1-65535"),
    (["out", "dst=10.0.0.0/8"], "dst=10.0.0.0/8", "an IPv4 or IPv6 address"),
    (["out", "dst=::1", "src=10.0.0.1"], "src", "an address of the same family as dst"),
    (["out", "dport=80", "dport=81"], "dport=81", "each key once"),
    (["out", "uid=root"], "uid=root", "a numeric UID, or none"),
    (["out", "proto=icmp6"], "proto=icmp6", "tcp, udp, sctp, icmp, ipv6-icmp, udplite, dccp, esp, ah or gre"),
    (["out", "proto=ipv6-icmp", "dst=10.0.0.1"], "proto=ipv6-icmp", "IPv6 addresses beside it"),
    (["out", "uid=none", "gid=1"], "gid", "none of it with uid=none"),
    (["in", "uid=1"], "uid=1", "no owner of an inbound packet"),
    (["in", "oif=eth0"], "oif=eth0", "iif for an inbound packet"),
])
def test_bad_packets(words, word, expected):
    result = lib.run([lib.BINARY, "explain", "--sidecar", *words])
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr.startswith(f'istio-init: error: explain: "{word}": expected {expected}')


@pytest.mark.parametrize("choice", [["--backend=iptables-nft"], ["--backend=iptables-legacy"], []])
def test_too_many_combinations_are_said_before_they_are_tried(choice):
    """On iptables ports times users are rules; as sets any number is."""
    ports, uids = (",".join(str(number) for number in range(1, 2 * n, 2)) for n in (1000, 1001))
    option = f"--exclude-outbound-ports-for-uids=tcp:{ports}:{uids}"
    result = lib.run([lib.BINARY, "--dry-run", *choice, option])
    assert (result.returncode, result.stdout) == (64, "")
    assert "--exclude-outbound-ports-for-uids: 1001000 combinations" in result.stderr
    assert "at most 1000000" in result.stderr and "--backend=nftables" in result.stderr
    lib.checked(lib.run([lib.BINARY, "--dry-run", "--backend=nftables", option]))


@pytest.mark.parametrize("option", ["-c", "-k"])
def test_interface_names_get_hints(room, option):
    result = room.istio_init("--dry-run", "--sidecar", option, "net1@if5")
    assert_warned(result, option, '"net1@if5"', "ends before the '@'")
    assert_refused(room.istio_init("--sidecar", option, "eth0,vethabcdefgh@if12"), option, "ends before the '@'")
    assert_refused(room.istio_init("--sidecar", option, "sixteen-bytes-16"), option, "at most 15 bytes")
    text = lib.checked(room.istio_init("--dry-run", "--sidecar", option, "fifteen-bytes-1,+,net+,e@,-x"))
    assert all(f"-i {name} -j RETURN" in text for name in ["fifteen-bytes-1", "net+", "e@", "-x"])


@pytest.mark.parametrize("value, shown", [
    ("\ufeff80", '"\\ufeff80"'), ("80\u200b", '"80\\u200b"'), ("8\xa00", '"8\\u00a00"'), ("\u202e80", '"\\u202e80"'),
    ("８０", '"８０"')])
def test_invisible_bytes_are_shown(room, value, shown):
    assert_refused(room.istio_init("-b", value), "--istio-inbound-ports", shown)
    path = room.dir / "ports"
    path.write_text(f"{value}\n443\n", encoding="utf-8")
    assert_refused(room.istio_init("-b", f"@{path}"), "--istio-inbound-ports", f"{shown} in line 1 of ")
