# SPDX-License-Identifier: GPL-2.0-or-later
"""explain traffic and diff --traffic of a saved rule set, as nobody."""

import ipaddress
import re

import lib
import packets
import pytest
from test_rules import FOREIGN, GOLDEN, SIDECAR, nobody_fixture, parts

__all__ = ["nobody_fixture"]

EXCLUDES = ["--sidecar", "-x", "10.0.0.0/8"]
NOT_PROXY = "uid not 1337, gid not 1337"
SAME = "no packet is treated differently\n"
DIFFERS = "no packet is treated differently, though the rules differ\n"
TAKEN = "istio-init: the file says nothing of ip rules, routes and addresses: they are taken to be there\n"


def changes(nobody, text, *args):
    """The document of diff --traffic, whose exit status says what its "equal" says."""
    found = nobody("diff", "--traffic", "--output=json", "--rules=-", *args, text=text)
    said = lib.document(found.stdout)
    assert found.returncode == (0 if said["equal"] else 2), found.stderr
    return said


def test_what_an_exclusion_changes(nobody):
    found = nobody("diff", "--traffic", "--rules=-", *EXCLUDES, text=SIDECAR)
    assert (found.returncode, found.stderr) == (2, "")
    assert found.stdout == (f"tcp out, {NOT_PROXY}, 10.0.0.0/8, oif not lo: captured → passes (--istio-service-exclude-cidr)\n")
    excluded = lib.checked(nobody("--dry-run", *EXCLUDES))
    back = nobody("diff", "--traffic", "--rules=-", "--sidecar", text=excluded)
    assert back.stdout == (f"tcp out, {NOT_PROXY}, 10.0.0.0/8, oif not lo: passes (--istio-service-exclude-cidr) → "
                           "captured (--istio-service-cidr)\n")
    for cidrs, where in (("10.0.0.0/8", "10.0.0.0/8:443"), ("fd00::/8", "[fd00::/8]:443"),
                         ("10.0.0.0/8,fd00::/8", "10.0.0.0/8,fd00::/8, port 443")):
        some = ["-i", cidrs, "--ipv6=on"]
        port = nobody("diff", "--traffic", "--rules=-", *some, "--exclude-outbound-ports-for-uids=tcp:443:1000",
                      text=lib.checked(nobody("--dry-run", *some)))
        assert port.stdout == (f"tcp out, uid 1000, gid not 1337, {where}, oif not lo: captured → passes "
                               "(--exclude-outbound-ports-for-uids)\n")


def test_the_document(nobody):
    said = changes(nobody, SIDECAR, *EXCLUDES)
    owner = ["none", "0-1336", "1338-4294967295"]
    assert said == {
        "version": 1, "command": "diff", "equal": False, "exact": True,
        "changes": [{"direction": "out", "family": "ipv4", "proto": ["tcp"], "dst": ["10.0.0.0/8"], "uid": owner, "gid": owner,
                     "oif_not": ["lo"],
                     "from": {"fate": "redirect", "port": 15001, "because": []},
                     "to": {"fate": "passes", "because": ["--istio-service-exclude-cidr"]}}]}
    assert changes(nobody, SIDECAR, "--sidecar") == {"version": 1, "command": "diff", "equal": True, "exact": True, "changes": []}


@pytest.mark.parametrize("args, line", [
    ([], SAME), (["--backend=iptables-nft"], SAME), (["--backend=nftables"], DIFFERS), (["-x", ""], SAME),
    (["-o", "53,53"], None), (["--comments"], DIFFERS),
    (["-d", "15090,15021,15020,15021"], SAME), (["-d", "15020,15021,15090"], DIFFERS)])
def test_no_packet_is_treated_differently(nobody, args, line):
    found = nobody("diff", "--traffic", "--rules=-", "--sidecar", *args, text=SIDECAR)
    assert (found.returncode, found.stdout == line) == ((0, True) if line else (2, False)), found.stdout


def test_what_is_treated_otherwise_though_it_is_captured(nobody):
    """Another port, another way, another mark."""
    tproxy = lib.without_plumbing(GOLDEN["tproxy"])
    assert changes(nobody, tproxy, "--sidecar", "-m", "TPROXY")["equal"]
    ends = [(one["from"].get("port"), one["to"].get("port")) for one in changes(nobody, SIDECAR, "--sidecar", "-p", "16001")["changes"]]
    assert set(ends) == {(15001, 16001)}
    said = changes(nobody, tproxy, "--sidecar", "-m", "TPROXY", "-t", "77")
    assert ("0x539", "0x4d") in [(one["from"].get("set_mark"), one["to"].get("set_mark")) for one in said["changes"]]
    found = nobody("diff", "--traffic", "--rules=-", "--sidecar", "-m", "TPROXY", "-t", "77", text=tproxy)
    assert "captured to :15006 with mark 0x539 → captured to :15006 with mark 0x4d" in found.stdout and found.stderr == TAKEN
    found = nobody("diff", "--traffic", "--rules=-", "--sidecar", "-m", "TPROXY", text=SIDECAR)
    assert "captured to :15006 by REDIRECT → captured to :15006 by TPROXY" in found.stdout


def test_tproxy_without_its_routes_is_lost(nobody):
    args = ["--sidecar", "-m", "TPROXY", "--rules=-"]
    whole = nobody("diff", "--traffic", *args, text=GOLDEN["tproxy"])
    assert (whole.returncode, whole.stdout, whole.stderr) == (0, SAME, "")
    broken = GOLDEN["tproxy"].replace("# ip rule add fwmark 1337 lookup 133 priority 32765\n", "")
    found = nobody("diff", "--traffic", *args, text=broken)
    assert found.returncode == 2
    assert "lost: the ip rule is missing (fwmark 1337)" in found.stdout and "→ captured" in found.stdout
    assert "::" not in re.sub(r"::6|::1", "", found.stdout)
    said = lib.document(lib.checked(nobody("explain", "traffic", "--output=json", *args, text=broken)))
    assert {one["family"] for one in said["classes"] if one["fate"] == "lost"} == {"ipv4"}
    assert {one["family"] for one in said["classes"] if one["fate"] == "tproxy"} == {"ipv6"}


def with_foreign():
    ours = re.search(r"\*nat\n(.*)COMMIT", parts(SIDECAR)[0], re.S)[1]
    return FOREIGN.replace("-A POSTROUTING -s 127", ours + "-A POSTROUTING -s 127")


def test_foreign_rules_are_followed(nobody):
    found = nobody("explain", "traffic", "--rules=-", "--sidecar", text=with_foreign())
    text = lib.checked(found)
    assert re.search(r"(?m)^out ipv4 proto=udp dst=127\.0\.0\.11 dport=53 .*DNAT to 127\.0\.0\.11 port 40000: not captured", text)
    assert re.search(r"(?m)^out ipv4 proto=tcp .*dport=9000-9003 .*may be decided by .*\[addrtype\], which", text) is None
    assert "may be decided by -t nat -A OUTPUT -p tcp -m comment" in text
    assert text.endswith("  unless it is decided otherwise by table filter or security of the file, which istio-init does not read\n")
    said = lib.document(lib.checked(nobody("explain", "traffic", "--output=json", "--rules=-", "--sidecar", text=with_foreign())))
    assert not said["exact"] and len(said["unless"]) == 1
    assert {"10.9.9.9", "127.0.0.11"} <= {one.get("address") for one in said["classes"]}


def test_foreign_rules_stay_and_make_no_difference(nobody):
    """What nobody can read decides the same before and after; where a change hangs on it, that is said by name."""
    text = with_foreign().replace("*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n", "")
    same = changes(nobody, text, "--sidecar", "--ipv6=off")
    assert same["equal"] and same["exact"]
    said = changes(nobody, text, "--sidecar", "--ipv6=off", "-x", "10.0.0.0/8")
    assert not said["equal"] and not said["exact"] and "unless" not in said
    assert all("addrtype" in one["unless"][0] or "set" in one["unless"][0] for one in said["changes"])
    assert not any(9000 in one.get("dport", []) or one["proto"] == ["udp"] for one in said["changes"])
    moved = changes(nobody, text, "--sidecar", "--ipv6=off", "--backend=nftables")
    assert any("the rules of iptables-legacy" in line for line in moved["unless"])


def test_a_difference_that_hangs_on_what_cannot_be_read(nobody):
    text = "*nat\n:OUTPUT ACCEPT [0:0]\n:ISTIO_OUTPUT - [0:0]\n:ISTIO_REDIRECT - [0:0]\n{}COMMIT\n"
    rules = ["-A OUTPUT -j ISTIO_OUTPUT\n", "-A ISTIO_OUTPUT -m length --length 1 -j RETURN\n", "-A ISTIO_OUTPUT -j ISTIO_REDIRECT\n",
             "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001\n"]
    every = ["-i", "*", "--ipv6=off"]
    wanted = lib.checked(nobody("--dry-run", *every))
    assert changes(nobody, wanted, *every)["equal"]
    doubtful = wanted.replace("-A ISTIO_OUTPUT -j ISTIO_REDIRECT\n", rules[1] + "-A ISTIO_OUTPUT -j ISTIO_REDIRECT\n")
    found = nobody("diff", "--traffic", "--rules=-", *every, text=doubtful)
    assert (found.returncode, found.stdout) == (2, "  unless it is decided otherwise by -t nat -A ISTIO_OUTPUT -j RETURN [length], which "
                                                "istio-init cannot read\n")
    said = changes(nobody, text.format("".join(rules)), *every)
    assert not said["exact"] and said["changes"]


def test_nothing_is_there(nobody):
    found = nobody("diff", "--traffic", "--rules=-", "-b", "80", "--ipv6=off", text="")
    assert (found.returncode, re.sub(" +", " ", found.stdout)) == (2, "tcp in ipv4, port 80, iif not lo: passes → captured (--istio-inbound-ports)\n"
                                                "tcp out, uid 1337, from not 127.0.0.6, not 127.0.0.1, port not 15008, oif lo: "
                                                "passes → captured (--proxy-uid)\n")
    found = nobody("explain", "traffic", "--rules=-", text="")
    assert (found.returncode, found.stderr) == (0, "istio-init: there are no Istio rules in the file\n")
    assert found.stdout.split() == ["in", "PASSES", "out", "PASSES"]
    loop = "*nat\n:OUTPUT ACCEPT [0:0]\n:A - [0:0]\n-A OUTPUT -j A\n-A A -j A\nCOMMIT\n"
    found = nobody("diff", "--traffic", "--rules=-", text=loop)
    assert (found.returncode, found.stdout) == (1, "") and "jump in a circle" in found.stderr


def test_conntrack_zones_of_dns(nobody):
    """Where queries and answers meet is a difference, too, though they go where they went; of UDP alone."""
    dns = ["--sidecar", "--redirect-dns", "--capture-all-dns", "--ipv6=off"]
    rules = lib.checked(nobody("--dry-run", *dns))
    for backend in "iptables-nft", "nftables":
        assert changes(nobody, rules, *dns, f"--backend={backend}")["equal"]
        said = changes(nobody, rules, *dns, "--dns-zones=off", f"--backend={backend}")
        assert all(one["proto"] == ["udp"] and (one["from"]["fate"], one["from"].get("port")) ==
                   (one["to"]["fate"], one["to"].get("port")) for one in said["changes"])
        assert {(one["from"]["zone"], one["to"]["zone"]) for one in said["changes"]} == {(1, 0), (2, 0)}
    found = nobody("diff", "--traffic", "--rules=-", *dns, "--dns-zones=off", text=rules)
    assert "captured to :15053 in conntrack zone 2 → captured to :15053 in conntrack zone 0\n" in found.stdout
    assert re.search(r"(?m)^udp in ipv4, source port 53: +passes in conntrack zone 1 → passes in conntrack zone 0$", found.stdout)


@pytest.mark.parametrize("args", ["-c net+ -k net1", "-c net1,eth0 -k ne+,neta", "-c net+,neta -k netab+", "-c netab,net+ -k neta+"])
def test_wildcards_in_wildcards(nobody, args):
    """Each name is in one class, whatever holds or leaves out what."""
    args = ["-i", "*", "-b", "80", *args.split()]
    said = lib.document(lib.checked(nobody("explain", "traffic", "--output=json", *args)))
    for name in "lo", "n", "ne", "net", "net1", "net10", "neta", "netab", "netabc", "netz", "eth0":
        for direction, key in ("in", "iif"), ("out", "oif"):
            packet = {"direction": direction, "family": "ipv4", "proto": "tcp", "src": ipaddress.ip_address("192.0.2.1"),
                      "dst": ipaddress.ip_address("192.0.2.2"), "sport": 1, "dport": 80, key: name, "mark": 0}
            found = [(one["fate"], one.get("port")) for one in said["classes"] if packets.holds(one, packet)]
            verdict = lib.document(lib.checked(nobody("explain", "--output=json", *args, *packets.words(packet))))["verdict"]
            assert found == [(verdict["fate"], verdict.get("port"))], f"{direction} {name}"
    text = lib.checked(nobody("explain", "traffic", *args))
    assert not re.search(r"if!?=[^ ]*\+,.*\+,.*\+", text)


def test_one_wildcard_but_for_a_name(nobody):
    args = ["-b", "80", "-c", "net+", "-k", "net1", "-i", "*"]
    assert re.search(r"(?m)^in proto=tcp dport=80 iif=net\+ iif!=net1 +PASSES \(--istio-exclude-interfaces\)$",
                     lib.checked(nobody("explain", "traffic", *args)))
    found = nobody("diff", "--traffic", "--rules=-", *args, text=lib.checked(nobody("--dry-run", *args[:2])))
    assert "tcp in, port 80, iif net+ but not net1:" in found.stdout
