# SPDX-License-Identifier: GPL-2.0-or-later
"""Clean: what was there before ours is there after it."""

import re
import socket

import configs
import lib
import pytest
import upstream

# Of each family, in its built-in chains and in chains of its own, all with counters.
FOREIGN = """*mangle
:PREROUTING ACCEPT [1:100]
:OUTPUT ACCEPT [2:200]
:A - [0:0]
:ISTIO - [0:0]
[11:1100] -A PREROUTING -p udp -m mark --mark 0x539 -j CONNMARK --save-mark
[12:1200] -A PREROUTING -p tcp -m mark --mark 0x539/0xffff -j CONNMARK --save-mark
[13:1300] -A OUTPUT -o lo -p tcp -m mark --mark 0x7 -j RETURN
[14:1400] -A OUTPUT -p tcp -m connmark --mark 0x7 -j CONNMARK --restore-mark
[15:1500] -A OUTPUT -j A
[16:1600] -A A -j ISTIO
[17:1700] -A ISTIO -j MARK --set-xmark 0x53a/0xffffffff
COMMIT
*nat
:PREROUTING ACCEPT [3:300]
:OUTPUT ACCEPT [4:400]
:A - [0:0]
:Z - [0:0]
[21:2100] -A PREROUTING -p tcp -m tcp --dport 9 -j A
[22:2200] -A PREROUTING -p tcp -j Z
[23:2300] -A OUTPUT -p tcp -m tcp --dport 9 -j A
[24:2400] -A OUTPUT -o eth9 -j RETURN
[25:2500] -A OUTPUT -j Z
[26:2600] -A A -p tcp -j REDIRECT --to-ports 15001
[27:2700] -A Z -m comment --comment "not ISTIO_OUTPUT" -j RETURN
COMMIT
*raw
:PREROUTING ACCEPT [5:500]
:OUTPUT ACCEPT [6:600]
[31:3100] -A PREROUTING -p udp -m udp --sport 53 -j CT --zone 9
[32:3200] -A OUTPUT -p udp -m udp --dport 53 -m owner --uid-owner 1337 -j CT --zone 1
[33:3300] -A OUTPUT -p udp -j CT --zone 9
COMMIT
"""
NATIVE = """
add table inet aaa; add table ip istio-proxy-nat; add table inet istio-proxy-nat2
add chain inet aaa output { type nat hook output priority -100; policy accept; }
add set inet aaa istio-0 { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }
add rule inet aaa output ip daddr @istio-0 counter packets 41 bytes 4100 return
add chain ip istio-proxy-nat istio-output
add rule ip istio-proxy-nat istio-output counter packets 42 bytes 4200 return
add chain inet istio-proxy-nat2 istio-output
"""
ROUTES = """
for f in -4 -6; do
    ip $f rule add fwmark 1337 lookup 99; ip $f rule add fwmark 9 lookup 98 pref 40
    ip $f rule add fwmark 1337 uidrange 5-6 lookup 98; ip $f route add unreachable default metric 9999 table 99
done
ip addr add 127.0.0.6/32 dev lo; ip -6 addr add ::7/128 dev lo"""
FLAVOURS = {"iptables-legacy": ["legacy"], "iptables-nft": ["nft"], "nftables": []}
SHARES = 4
INTERFACES = {"istio-exclude-interfaces", "kube-virt-interfaces"}


def restore(pod, family, flavour, text, *options):
    tool = {"ipv4": "iptables", "ipv6": "ip6tables"}[family]
    lib.checked(pod.run([f"{tool}-{flavour}-restore", "-c", *options], input=text))


@pytest.fixture
def pod(netns, backend):
    """A namespace where others have rules, routes and addresses everywhere; run(name, *words) runs the program."""
    def run(name, *words, **kwargs):
        args, env = configs.command_line(configs.NAMED[name], netns.dir) if name else ([], {})
        return netns.istio_init(*words, *args, env=env, **kwargs)

    for flavour in "legacy", "nft":
        for family in lib.FAMILIES:
            restore(netns, family, flavour, FOREIGN)
    lib.checked(netns.run(["nft", "-f", "-"], input=NATIVE))
    netns.sh(ROUTES)
    netns.apply = run
    return netns


def clean(pod, name=None):
    """Once, and again: then nothing is written.  Returns what is left."""
    assert "removed" in pod.apply(name, "clean").stderr
    again = pod.apply(name, "clean", prefix=["strace", "-v", "-s", "200", "-o", pod.dir / "trace"])
    lib.checked(again)
    assert "nothing to clean" in again.stderr
    assert not lib.WRITES.search((pod.dir / "trace").read_text())
    return pod.snapshot()


def mix(pod, flavour, foreign):
    """Puts the foreign rules of each chain between ours, and what is over behind them, counters and all."""
    for family in lib.FAMILIES:
        script = ""
        for table in pod.save(family, counters=True, flavour=flavour).split("\n*")[1:]:
            script += f"*{table.split()[0]}\n"
            # Without these lines the legacy tool sets the counters of the policies to zero.
            script += "".join(f"{line}\n" for line in table.splitlines() if line.startswith(":") and flavour == "legacy"
                              and " - " not in line)
            rules = [line for line in table.splitlines() if line.startswith("[")]
            for chain in {rule.split()[2]: 0 for rule in rules if rule in foreign}:
                here = [rule for rule in rules if rule.split()[2] == chain]
                ours = sum(rule not in foreign for rule in here)
                theirs = [rule for rule in here if rule in foreign]
                for rule in reversed(theirs):
                    script += f"-D {chain} {here.index(rule) + 1}\n"
                for number, rule in enumerate(theirs):
                    counters, _, _, words = rule.split(" ", 3)
                    script += f"{counters} -I {chain} {number + 1 + min(number + 1, ours)} {words}\n"
            script += "COMMIT\n"
        restore(pod, family, flavour, script, "--noflush")


@pytest.mark.parametrize("share", range(SHARES))
def test_nothing_but_ours_goes_after_any_configuration(pod, backend, share):
    before = pod.snapshot()
    foreign = [line for line in before.splitlines() if line.startswith("[") and " -A " in line]
    for name in list(configs.NAMED)[share::SHARES]:
        needs_options = backend != "nftables" and INTERFACES & set(configs.NAMED[name])
        for options in [name] if needs_options else [None, name]:
            lib.checked(pod.apply(name, f"--backend={backend}"))
            for flavour in FLAVOURS[backend] if options else []:
                mix(pod, flavour, foreign)
            assert clean(pod, options) == before, (name, options)


def nth_delrule(pod, *args):
    """Which netlink request of a run it is that removes the first ip rule."""
    pod.istio_init(*args, prefix=["strace", "-o", pod.dir / "trace", "-e", "trace=sendto"])
    lines = (pod.dir / "trace").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if "RTM_DELRULE" in line)


def traffic(pod):
    """Some packets for the counters."""
    for family, address in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
        with pod.socket(family, socket.SOCK_STREAM) as tcp, pod.socket(family, socket.SOCK_DGRAM) as udp:
            tcp.connect_ex((address, 9))
            udp.sendto(b"", (address, 9))


@pytest.mark.parametrize("change", [["clean"], ["--sidecar", "--reconcile"],
                                    ["--sidecar", "--reconcile", "-p", "16001"]])
def test_a_clean_that_fails_at_the_end_has_changed_nothing(netns, backend, change):
    """The ip rule cannot be removed: what was gone is back in its order, counters and all."""
    tproxy = ["--sidecar", "-m", "TPROXY", "--drop-invalid", "--redirect-dns", "--capture-all-dns",
              "--resolv-conf=/dev/null", f"--backend={backend}"]
    with lib.Netns() as rehearsal:
        lib.checked(rehearsal.istio_init(*tproxy))
        call = nth_delrule(rehearsal, *change)
    lib.checked(netns.run(["nft", "-f", "-"], input=NATIVE))
    lib.checked(netns.istio_init(*tproxy))
    traffic(netns)
    before = netns.snapshot()
    assert re.search(r'\[[1-9]\d*:\d+\] -A ISTIO_OUTPUT|oifname "lo".* packets [1-9]', before)
    result = netns.istio_init(*change, prefix=["strace", "-o", netns.dir / "trace", "-e", "trace=sendto", "-e",
                                               f"inject=sendto:error=ENOMEM:when={call}"])
    assert result.returncode == 1, result.stderr
    assert netns.snapshot() == before


MARKED = ["--sidecar", "-m", "TPROXY", "-t", "77", "-r", "177", "--redirect-dns", "--capture-all-dns",
          "--resolv-conf=/dev/null"]
# What somebody did by hand to an install of MARKED, with the stock tools (%s: iptables, ip6tables).
BY_HAND = ["%s -t nat -F OUTPUT; %s -t nat -F ISTIO_OUTPUT; %s -t nat -X ISTIO_OUTPUT",
           "%s -t mangle -F ISTIO_INBOUND; %s -t nat -A ISTIO_OUTPUT -p udp -j ACCEPT; %s -t nat -N ISTIO_OWN",
           "%s -t mangle -F PREROUTING; %s -t raw -F; %s -t raw -X; ip addr del ::6/128 dev lo || :",
           "%s -t nat -N A; %s -t nat -A A -g ISTIO_REDIRECT; %s -t nat -I ISTIO_OUTPUT -j A; %s -t nat -I OUTPUT -j A",
           "iptables-{flavour} -t nat -F; iptables-{flavour} -t nat -X; iptables-{flavour} -t mangle -F ISTIO_TPROXY"]


@pytest.mark.backends("iptables-legacy", "iptables-nft")
@pytest.mark.parametrize("by_hand", BY_HAND)
def test_an_install_that_somebody_took_apart_is_cleaned(netns, backend, by_hand):
    flavour, = FLAVOURS[backend]
    with lib.Netns() as other:
        for pod in netns, other:
            lib.checked(pod.istio_init(*MARKED, f"--backend={backend}"))
            pod.sh(by_hand.format(flavour=flavour).replace("%s", f"iptables-{flavour}"))
            if "%s" in by_hand:
                pod.sh(by_hand.replace("%s", f"ip6tables-{flavour}"))
        lib.checked(netns.istio_init("clean"))
        left = [rule for saved in netns.state()[0] for chains in saved.values() for rule in sum(chains[1].values(), [])]
        assert left == (["-A OUTPUT -j A"] * 2 if "-N A" in by_hand else [])
        assert not re.search("0x4d|177|::6", netns.plumbing())
        # And replaced, as if it had never been.
        lib.checked(other.istio_init("--sidecar", "--reconcile", f"--backend={backend}"))
        lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
        assert other.state() == netns.state()


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_rules_of_a_mark_that_nothing_tells_go_with_the_options(netns, backend):
    before = netns.state()
    lib.checked(netns.istio_init(*MARKED, f"--backend={backend}"))
    for tool in "iptables", "ip6tables":
        for chain in "ISTIO_INBOUND", "ISTIO_DIVERT":
            netns.sh(f"{tool}-{FLAVOURS[backend][0]} -t mangle -F {chain}")
    lib.checked(netns.istio_init("clean", *MARKED))
    assert netns.state() == before


@pytest.mark.backends("iptables-nft")
def test_a_map_that_leads_to_a_chain_of_ours_is_named(netns, backend):
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    netns.sh("nft 'add map ip nat m { type inet_service : verdict; elements = { 80 : jump ISTIO_REDIRECT }; }'")
    before = netns.snapshot()
    result = netns.istio_init("clean")
    assert result.returncode == 1 and "ISTIO_REDIRECT of table ip nat" in result.stderr
    assert netns.snapshot() == before


@pytest.mark.backends("iptables-nft")
def test_a_rule_inside_another_one_that_leads_to_a_chain_of_ours_is_named(netns, backend):
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    netns.sh("nft 'insert rule ip nat OUTPUT tcp dport 80 jump { tcp sport 5 jump ISTIO_OUTPUT; }'")
    before = netns.snapshot()
    for args in ["clean"], ["--sidecar", "--reconcile"]:
        result = netns.istio_init(*args)
        assert result.returncode == 1 and "rule of table ip nat that is not Istio's holds others in braces" in result.stderr
        assert "`nft list table ip nat` and remove it" in result.stderr
        assert netns.snapshot() == before


def upstream_rules(pod, config, flavour):
    for family in lib.FAMILIES:
        pod.restore(family, upstream.restore_text(config, family), flavour)


def test_installs_in_several_backends_are_cleaned_at_once(netns):
    """The routes of one with a mark of its own, too, whatever the others hold."""
    before = netns.state()
    lib.checked(netns.istio_init(*MARKED, "--backend=nftables"))
    upstream_rules(netns, configs.SIDECAR, "legacy")
    upstream_rules(netns, configs.SIDECAR, "nft")
    live = netns.snapshot()
    result = netns.istio_init("--sidecar")
    assert result.returncode == 1 and "nftables and iptables-nft and iptables-legacy" in result.stderr
    assert netns.snapshot() == live
    lib.checked(netns.istio_init("clean"))
    assert netns.state() == before


# As istio-iptables writes it in its native mode: no rule has a counter.
UPSTREAM_NATIVE = """
table inet istio-proxy-nat {
    chain istio-inbound { tcp dport 15008 return; meta l4proto tcp jump istio-in-redirect; }
    chain istio-redirect { meta l4proto tcp redirect to :15001; }
    chain istio-in-redirect { meta l4proto tcp redirect to :15006; }
    chain istio-output {
        oifname "lo" ip saddr 127.0.0.6 return
        oifname "lo" ip daddr != 127.0.0.1 tcp dport != 15008 meta skuid 1337 jump istio-in-redirect
        oifname "lo" meta skuid != 1337 return
        meta skuid 1337 return
        ip daddr 127.0.0.1 return
        jump istio-redirect
    }
    chain prerouting { type nat hook prerouting priority dstnat; policy accept; meta l4proto tcp jump istio-inbound; }
    chain output { type nat hook output priority -100; policy accept; jump istio-output; }
}
table inet istio-proxy-mangle {
    chain istio-drop { drop; }
    chain prerouting { type filter hook prerouting priority mangle; ct state invalid jump istio-drop; }
}
table inet istio-proxy-raw { }
"""
LIKE_OURS = "table inet istio-own-nat { chain istio-output { return; }; }"


def install_upstream(pod, backend, config):
    """What istio-iptables leaves; False where its rules cannot be equal to ours."""
    pod.ip("addr add ::6/128 dev lo nodad")
    if config is configs.TPROXY:
        for family in "-4", "-6":
            pod.ip(f"{family} rule add fwmark 1337 lookup 133")
            pod.ip(f"{family} route add local default dev lo table 133")
    if backend == "nftables":
        lib.checked(pod.run(["nft", "-f", "-"], input=UPSTREAM_NATIVE))
        return False
    upstream_rules(pod, config, FLAVOURS[backend][0])
    return True


@pytest.mark.parametrize("config", [configs.SIDECAR, configs.TPROXY, {**configs.DNS, "capture-all-dns": True}])
def test_upstreams_state_is_told_from_other_options_replaced_and_cleaned(netns, backend, config):
    args = [*configs.command_line(config, netns.dir)[0], "--resolv-conf=/dev/null", f"--backend={backend}"]
    other = [*args, "--istio-local-outbound-ports-exclude=99"]
    if backend == "nftables":
        lib.checked(netns.run(["nft", "-f", "-"], input=LIKE_OURS))
    empty = netns.state()
    equal = install_upstream(netns, backend, config)
    before = netns.snapshot()
    if equal:
        result = netns.istio_init(*args, prefix=["strace", "-v", "-s", "200", "-o", netns.dir / "trace"])
        assert "unchanged" in result.stderr and not lib.WRITES.search((netns.dir / "trace").read_text())
    result = netns.istio_init(*other)
    assert result.returncode == 1 and "--reconcile" in result.stderr
    assert "dport 99" in netns.istio_init("diff", *other).stdout
    assert netns.snapshot() == before
    lib.checked(netns.istio_init("clean"))
    assert netns.state() == empty
    install_upstream(netns, backend, config)
    lib.checked(netns.istio_init(*other, "--reconcile"))
    replaced = netns.state()
    lib.checked(netns.istio_init("clean"))
    assert netns.state() == empty
    lib.checked(netns.istio_init(*other))
    assert netns.state() == replaced


def test_an_empty_table_of_ours_is_something_to_clean(netns):
    before = netns.state()
    netns.sh("nft add table inet istio-proxy-mangle")
    assert "removed" in netns.istio_init("clean").stderr
    assert netns.state() == before


@pytest.mark.parametrize("command", [["clean"], ["--sidecar", "--reconcile"]])
def test_what_cannot_be_looked_at_is_not_taken_for_nothing(netns, backend, command):
    """Each call that looks fails once: all is gone (or moved to another backend), or all is as before."""
    call, error = ("getsockopt", "EPERM") if backend == "iptables-legacy" else ("sendto", "ENOBUFS")
    other = {"nftables": "iptables-legacy", "iptables-nft": "iptables-legacy", "iptables-legacy": "nftables"}[backend]
    words = command if command == ["clean"] else [*command, f"--backend={other}"]
    failed, when, injected = 0, 0, True
    while injected:
        when += 1
        lib.checked(netns.istio_init(*MARKED, "--reconcile", f"--backend={backend}"))
        before = netns.state()
        result = netns.istio_init(*words, prefix=["strace", "-qq", "-o", netns.dir / "trace", "-e", f"trace={call}",
                                                  "-e", f"inject={call}:error={error}:when={when}"])
        injected = "INJECTED" in (netns.dir / "trace").read_text()
        if result.returncode:
            failed += 1
            assert netns.state() == before, (when, result.stderr)
        else:
            assert "0x4d" not in str(netns.state()), (when, result.stderr)
            again = [] if command == ["clean"] else [f"--backend={other}"]
            assert not again or "unchanged" in netns.istio_init("--sidecar", *again).stderr
    assert failed and result.returncode == 0


ONLY_ADMIN = ["setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all"]


def ambient(caps):
    """As nobody, to whom the kernel does not show the list of legacy tables (as to all but root and DAC_READ_SEARCH)."""
    return ["setpriv", f"--reuid={lib.NOBODY}", f"--regid={lib.NOBODY}", "--clear-groups",
            f"--inh-caps=-all,{caps}", f"--ambient-caps=-all,{caps}"]


def test_without_legacy_tables_nothing_keeps_from_a_clean(netns):
    before = netns.state()
    lib.checked(netns.istio_init(*MARKED, "--backend=nftables", prefix=ONLY_ADMIN))
    lib.checked(netns.istio_init("clean", prefix=ONLY_ADMIN))
    assert netns.state() == before
    assert netns.sh("cat /proc/net/ip_tables_names /proc/net/ip6_tables_names") == ""


def test_without_the_right_to_look_at_legacy_tables_all_stays(netns, backend, public):
    """What is there may be Istio's: rules, and the routes that they need, stay together."""
    netns.sh("iptables-legacy -t nat -A OUTPUT -p tcp --dport 9 -j ACCEPT")
    empty = netns.state()
    lib.checked(netns.istio_init(*MARKED, f"--backend={backend}"))
    before = netns.snapshot()
    for binary, prefix in (lib.BINARY, ONLY_ADMIN), (public / "istio-init", ambient("+net_admin")):
        result = netns.run([*prefix, binary, "clean"])
        assert (result.returncode, result.stdout) == (77, "") and len(result.stderr.splitlines()) == 2
        assert "iptables-legacy" in result.stderr and "NET_RAW" in result.stderr and "nothing was removed" in result.stderr
        assert netns.snapshot() == before
    lib.checked(netns.istio_init("clean"))
    assert netns.state() == empty


@pytest.mark.parametrize("part, live, status", [("nftables-by-policy", "iptables-legacy", 77),
                                                ("legacy", "nftables", 1), ("legacy", "iptables-legacy", 1)])
def test_what_a_policy_forbids_to_look_at_keeps_all(netns, part, live, status):
    netns.sh("iptables-legacy -t nat -A OUTPUT -p tcp --dport 9 -j ACCEPT")
    lib.checked(netns.istio_init(*MARKED, f"--backend={live}"))
    before = netns.snapshot()
    result = netns.istio_init("clean", prefix=["/usr/bin/python3", "-B", lib.ROOT / "tests/deny.py", part])
    assert result.returncode == status, result.stderr
    assert netns.snapshot() == before


def test_another_user_with_the_capabilities_cleans_all(netns, backend, public):
    """The list of legacy tables is closed to him, the tables are not."""
    netns.sh("iptables-legacy -t nat -A OUTPUT -p tcp --dport 9 -j ACCEPT")
    before = netns.state()
    user = [*ambient("+net_admin,+net_raw"), public / "istio-init"]
    lib.checked(netns.istio_init(*MARKED, f"--backend={backend}"))
    assert "removed " in netns.run([*user, "clean"]).stderr
    assert netns.state() == before
    result = netns.run([*user, "clean"])
    assert result.returncode == 0 and "nothing to clean" in result.stderr


@pytest.mark.parametrize("args", [["--sidecar"], ["diff", "--sidecar"]])
def test_as_another_user_with_the_capabilities_it_is_said_what_cannot_be_seen(netns, public, args):
    """Nor is an empty table made to see it, but for a clean."""
    lib.checked(netns.istio_init(*MARKED, "--backend=iptables-legacy"))
    before = [netns.save(family) for family in lib.FAMILIES]
    result = netns.run([*ambient("+net_admin,+net_raw"), public / "istio-init", *args])
    assert result.returncode == (2 if "diff" in args else 0)
    assert "warn: the rules of iptables-legacy cannot be looked at and stay as they are" in result.stderr
    assert [lib.tables(netns.save(family)) for family in lib.FAMILIES] == list(map(lib.tables, before))


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_interface_rules_go_though_ipv6_is_off_by_now(netns, backend):
    before = netns.state()[0]
    lib.checked(netns.istio_init("--sidecar", "-c", "eth7", f"--backend={backend}"))
    netns.write_sysctl("ipv6/conf/all/disable_ipv6", "1")
    lib.checked(netns.istio_init("clean", "-c", "eth7"))
    assert netns.state()[0] == before


@pytest.mark.parametrize("args, routes", [(["--sidecar"], ""), (["--sidecar", "-m", "TPROXY"], ", 2 ip rules, 2 routes")])
@pytest.mark.parametrize("others", [0, 1, 2])
def test_it_says_what_it_removed_and_what_it_left(netns, backend, args, routes, others):
    """The same number of rules as the apply."""
    for port in range(others):
        netns.sh(f"iptables-nft -t nat -A OUTPUT -p tcp --dport {port + 1} -j ACCEPT")
    left = ["", "; left 1 rule of others", "; left 2 rules of others"][others]
    applied = netns.istio_init(*args, "--ipv6=on", f"--backend={backend}").stderr
    rules = re.search(r"applied: (\d+) rules", applied)[1]
    assert netns.istio_init("clean").stderr == f"istio-init: removed {rules} rules of {backend}, address ::6{routes}{left}\n"
    assert netns.istio_init("clean").stderr == f"istio-init: nothing to clean{left}\n"


def test_it_says_what_it_removed_of_each_backend(netns):
    for other in lib.BACKENDS:
        lib.checked(netns.istio_init("-b", "80", f"--backend={other}", "--ipv6=off", "--force-apply", "--reconcile"))
        if other == "iptables-legacy":
            legacy = netns.save("ipv4")
    lib.checked(netns.run(["iptables-legacy-restore"], input=legacy))
    message = netns.istio_init("clean").stderr
    assert re.fullmatch(r"istio-init: removed \d+ rules of iptables-nft, \d+ rules of iptables-legacy\n", message), message


def test_chains_without_a_rule_go_too(netns):
    netns.sh("iptables-nft -t nat -N ISTIO_OUTPUT; iptables-nft -t nat -N ISTIO_X")
    assert netns.istio_init("clean").stderr == "istio-init: removed empty chains of iptables-nft\n"
