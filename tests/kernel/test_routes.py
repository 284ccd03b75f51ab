# SPDX-License-Identifier: GPL-2.0-or-later
"""Which addresses, ip rules and routes count as Istio's, and the way back when one of them fails."""

import itertools
import re

import lib
import pytest

TPROXY = ["--sidecar", "-m", "TPROXY"]


@pytest.fixture
def pod(netns, backend):
    def apply(*args, **kwargs):
        return netns.istio_init(*args, f"--backend={backend}", **kwargs)

    netns.apply = apply
    return netns


def refused(result, *words):
    """It failed, and its two lines say these words."""
    assert result.returncode not in (0, 64) and len(result.stderr.splitlines()) <= 2, result.stderr
    for word in words:
        assert word in result.stderr


# What looks like Istio's rule and route but for one thing.
FOREIGN = [f"ip rule add {rule} lookup 99; ip route add local default dev lo table 99" for rule in (
    "fwmark 1337/0xfff", "fwmark 1337 iif lo", "from 10.0.0.0/8 fwmark 1337", "fwmark 1337 ipproto tcp",
    "not fwmark 1337", "fwmark 1337 uidrange 5-6", "fwmark 1337 suppress_prefixlength 8", "fwmark 9", "iif lo",
    "fwmark 1337 tos 0x10")] + [
    "ip rule add fwmark 1337 lookup 99",
    "ip rule add fwmark 9 lookup 133 priority 100; ip route add local default dev lo table 133",
    "ip rule add fwmark 1337 lookup 99; ip route add local default dev lo src 127.0.0.1 table 99",
    "ip rule add fwmark 1337 lookup 99; ip route add blackhole default table 99",
    "ip route add local default dev lo table 99; ip -6 route add local default dev lo table 99",
    "ip addr add ::6/64 dev lo nodad; ip addr add ::7/128 dev lo nodad",
]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_what_is_not_quite_istios_stays(pod, foreign):
    pod.sh(foreign)
    before = pod.plumbing()
    lib.checked(pod.istio_init("clean"))
    assert pod.plumbing() == before
    lib.checked(pod.apply(*TPROXY))
    lib.checked(pod.apply("--sidecar", "--reconcile"))
    lib.checked(pod.istio_init("clean"))
    assert pod.plumbing() == before


def test_the_route_stays_while_somebody_elses_rule_leads_to_it(pod):
    lib.checked(pod.apply(*TPROXY))
    pod.ip("rule add iif lo fwmark 5 lookup 133")
    lib.checked(pod.istio_init("clean"))
    assert "local default dev lo" in pod.ip("route show table 133")
    assert pod.ip("-6 route show table 133") == ""
    assert "0x539" not in pod.ip("rule")


def test_kernel_without_ipv6(backend):
    """ipv6.disable=1 leaves no trace of IPv6 in /proc/sys."""
    hidden = ["unshare", "-m", "sh", "-ec", 'mount -t tmpfs none /proc/sys/net/ipv6; exec "$@"', "sh"]
    with lib.Netns(lo_up=False) as netns:
        result = netns.istio_init(*TPROXY, f"--backend={backend}", prefix=hidden)
        lib.checked(result)
        assert "IPv6" in result.stderr and not netns.has_istio("ipv6")
        assert netns.ip("-6 rule").count("fwmark") == 0 and "::6" not in netns.ip("addr")
        refused(netns.istio_init(*TPROXY, f"--backend={backend}", "--ipv6=on", "--reconcile",
                                        prefix=[*hidden[:4], "ip link set lo down; " + hidden[4], "sh"]), "--ipv6=on")


@pytest.mark.parametrize("selector", ["iif lo", "from 10.0.0.0/8", "ipproto tcp"])
def test_the_rule_is_told_from_one_that_tests_more(pod, selector):
    """Both would have the same priority, and a request to delete one would fit the other."""
    pod.ip(f"rule add fwmark 1337 {selector} lookup 133")
    before = pod.ip("rule")
    lib.checked(pod.apply(*TPROXY))
    assert pod.ip("rule").count("from all fwmark 0x539 lookup 133") == 1
    lib.checked(pod.apply("--sidecar", "--reconcile"))
    assert pod.ip("rule") == before


@pytest.mark.parametrize("family, default", [("ipv4", "ip route add blackhole default table 133"),
                                             ("ipv6", "ip -6 route add default dev lo table 133")])
def test_a_table_with_another_default_route(pod, family, default):
    pod.sh(default)
    before = pod.plumbing()
    refused(pod.apply(*TPROXY), "table 133", family, "--istio-inbound-tproxy-route-table")
    assert pod.plumbing() == before
    lib.checked(pod.apply(*TPROXY, "-r", "134"))


def test_a_rule_behind_the_main_table_is_none(pod):
    pod.ip("rule add fwmark 1337 lookup 133 priority 40000")
    refused(pod.apply(*TPROXY), "--reconcile")
    lib.checked(pod.apply(*TPROXY, "--reconcile"))
    marked = [line for line in pod.ip("rule").splitlines() if "fwmark" in line]
    assert marked == ["32765:\tfrom all fwmark 0x539 lookup 133"]


@pytest.mark.parametrize("change", [["-t", "77"], ["-r", "77"], ["-t", "77", "-r", "7777"], ["--ipv6=off"],
                                    ["-m", "REDIRECT"]])
def test_reconcile_leaves_nothing_of_the_older_install(pod, backend, change):
    lib.checked(pod.apply(*TPROXY))
    assert pod.apply(*TPROXY, *change).returncode == 1
    lib.checked(pod.apply(*TPROXY, *change, "--reconcile"))
    with lib.Netns() as fresh:
        lib.checked(fresh.istio_init(*TPROXY, *change, f"--backend={backend}"))
        assert pod.plumbing() == fresh.plumbing()
    lib.checked(pod.apply(*TPROXY, *change))


def test_clean_finds_the_route_of_a_killed_run(pod):
    before = pod.plumbing()
    pod.sh("ip route add local default dev lo table 133; ip -6 route add local default dev lo table 133")
    lib.checked(pod.istio_init("clean"))
    assert pod.plumbing() == before
    pod.sh("ip rule add fwmark 1337 lookup 133; ip -6 rule add fwmark 1337 lookup 133")
    lib.checked(pod.istio_init("clean"))
    assert pod.plumbing() == before


@pytest.mark.parametrize("command", [["clean"], ["--sidecar", "--reconcile"]])
def test_the_next_run_finds_the_rule_of_a_killed_one_whatever_its_mark(pod, backend, command):
    before = pod.plumbing()
    for kill in itertools.count(1):
        lib.checked(pod.apply(*TPROXY, "-t", "77", "--reconcile"))
        strace = ["strace", "-o", "/dev/null", f"-einject=sendto:signal=KILL:when={kill}"]
        killed = pod.apply(*command, prefix=strace).returncode != 0
        lib.checked(pod.apply(*command))
        assert "fwmark" not in pod.ip("rule") + pod.ip("-6 rule"), kill
        lib.checked(pod.istio_init("clean"))
        assert pod.plumbing() == before, kill
        if not killed:
            break


FAULTS = [("socket", "EMFILE"), ("sendto", "EOPNOTSUPP"), ("recvmsg", "ENOBUFS")]


@pytest.mark.parametrize("call, error", FAULTS)
@pytest.mark.parametrize("start", ["empty", "lo-down", "other"])
def test_each_netlink_call_may_fail(backend, call, error, start):
    """All or nothing, whichever of the netlink calls fails: the way back covers lo, address, rules and routes."""
    tproxy, bare = [*TPROXY, f"--backend={backend}"], ["--sidecar", "--ipv6=off", f"--backend={backend}", "--reconcile"]
    args = bare if start == "other" else tproxy
    with lib.Netns() as fresh:
        lib.checked(fresh.istio_init(*args))
        complete = fresh.plumbing()
    failed, when, injected = 0, 0, True
    while injected:
        when += 1
        with lib.Netns(lo_up=start != "lo-down") as pod:
            if start == "other":
                lib.checked(pod.istio_init(*tproxy))
                pod.sh("ip addr del ::6/128 dev lo; ip addr add ::6/128 dev lo")
            before = pod.plumbing()
            result = pod.istio_init(*args, prefix=["strace", "-qq", "-o", pod.dir / "trace", "-e", f"trace={call}",
                                                   "-e", f"inject={call}:error={error}:when={when}"])
            injected = "INJECTED" in (pod.dir / "trace").read_text()
            if result.returncode == 0:
                assert pod.plumbing() == complete
            else:
                failed += 1
                assert result.returncode in (1, 69, 75, 77) and result.stderr
                assert pod.plumbing() == before, (when, result.stderr)
                if start == "other":
                    lib.checked(pod.istio_init("diff", *tproxy))
                else:
                    assert not pod.has_istio("ipv4") and not pod.has_istio("ipv6")
    assert result.returncode == 0
    assert failed or call == "recvmsg"


def test_clean_finds_the_marks_of_all_backends(netns):
    before = netns.plumbing()
    lib.checked(netns.istio_init(*TPROXY, "-t", "5", "-r", "5", "--backend=nftables"))
    rules = netns.sh("nft list ruleset")
    lib.checked(netns.istio_init(*TPROXY, "-t", "7", "-r", "7", "--backend=iptables-legacy", "--reconcile"))
    lib.checked(netns.run(["nft", "-f", "-"], input=rules))
    for family in "-4", "-6":
        netns.ip(f"{family} rule add fwmark 5 lookup 5 pref 32765")
        netns.ip(f"{family} route add local default dev lo table 5")
    lib.checked(netns.istio_init("clean"))
    assert netns.plumbing() == before


OWN = "ip rule add fwmark 1337 lookup 133 priority 100; ip route add local default dev lo table 133"


@pytest.mark.parametrize("own", [OWN, OWN.replace("ip ", "ip -6 ")])
def test_in_redirect_mode_a_users_own_rule_of_istios_mark_and_table_is_his(pod, own):
    pod.sh(own)
    before = pod.plumbing()
    lib.checked(pod.istio_init("clean"))
    assert pod.plumbing() == before
    assert "applied" in pod.apply("--sidecar").stderr
    assert "fwmark" not in pod.istio_init("diff", "--sidecar", "-p", "16001").stdout
    lib.checked(pod.apply("--sidecar", "-p", "16001", "--reconcile"))
    lib.checked(pod.istio_init("clean"))
    assert pod.plumbing() == before


@pytest.mark.parametrize("command", [["clean"], ["--sidecar", "--reconcile"]])
def test_of_a_live_tproxy_install_all_rules_of_its_mark_go(pod, command):
    """Also those that runs of istio-iptables have added once more each time, before the first."""
    before = pod.plumbing()
    lib.checked(pod.apply(*TPROXY))
    for family in "-4", "-6":
        pod.ip(f"{family} rule add fwmark 1337 lookup 133")
        pod.ip(f"{family} rule add fwmark 1337 lookup 133")
    assert pod.ip("rule").count("fwmark 0x539 lookup 133") == 3
    lib.checked(pod.apply(*command))
    assert "fwmark" not in pod.ip("rule") + pod.ip("-6 rule")
    lib.checked(pod.istio_init("clean"))
    assert pod.plumbing() == before


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_no_live_mark_is_lost(netns, backend):
    """Somebody has given each family, and each backend, a mark and a table of its own."""
    before, flavour = netns.plumbing(), backend.rpartition("-")[2]
    lib.checked(netns.istio_init(*TPROXY, "-t", "5", "-r", "5", "--backend=nftables"))
    native = netns.sh("nft list ruleset")
    lib.checked(netns.istio_init("clean"))
    saved = {}
    for mark in 7, 8:
        lib.checked(netns.istio_init(*TPROXY, "-t", mark, "-r", mark, f"--backend={backend}"))
        family = "ipv4" if mark == 7 else "ipv6"
        saved[family] = netns.save(family, flavour=flavour)
        lib.checked(netns.istio_init("clean"))
    for family, text in saved.items():
        netns.restore(family, text, flavour=flavour)
    lib.checked(netns.run(["nft", "-f", "-"], input=native))
    for family, marks in ("-4", (5, 7)), ("-6", (5, 8)):
        for mark in marks:
            netns.ip(f"{family} rule add fwmark {mark} lookup {mark} pref 300")
            netns.ip(f"{family} route add local default dev lo table {mark}")
    lib.checked(netns.istio_init("clean"))
    assert netns.plumbing() == before


MANY = 100_000


@pytest.fixture(scope="module")
def router():
    """A machine with that many routes in its main table, and a rule of ours to another one."""
    with lib.Netns() as machine:
        batch = machine.dir / "batch"
        batch.write_text("".join(f"route add 10.{n >> 16}.{n >> 8 & 255}.{n & 255}/32 dev lo\n" for n in range(MANY)))
        machine.sh(f"ip -batch {batch}")
        yield machine


def received(netns, *args, inject=()):
    """How many bytes a run is sent over netlink."""
    trace = netns.dir / "trace"
    prefix = ["strace", "-qq", "-o", trace, "-e", "trace=recvmsg,recvfrom,setsockopt", *inject]
    lib.checked(netns.istio_init(*args, prefix=prefix))
    return sum(int(size) for size in re.findall(r"(?m)^recv.* = (\d+)$", trace.read_text()))


def test_routes_of_other_tables_cost_nothing(router, backend):
    lib.checked(router.istio_init(*TPROXY, f"--backend={backend}"))
    for args in [*TPROXY, f"--backend={backend}"], ["diff", *TPROXY], ["clean"]:
        assert received(router, *args) < 40_000, args
    assert "fwmark" not in router.ip("rule")


def test_a_kernel_that_cannot_narrow_a_dump_shows_all(router):
    """Before Linux 4.20: what is read is the same."""
    args = [*TPROXY, "--backend=nftables"]
    old = ["-e", "inject=setsockopt:error=ENOPROTOOPT:when=1"]
    lib.checked(router.istio_init(*args))
    assert received(router, *args, inject=old) > MANY * 40
    assert re.search(r"SOL_NETLINK, .*INJECTED", (router.dir / "trace").read_text())
    assert received(router, "clean", inject=old) > MANY * 40
    assert "fwmark" not in router.ip("rule") and router.ip("route show table 133") == ""
