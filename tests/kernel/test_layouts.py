# SPDX-License-Identifier: GPL-2.0-or-later
"""What earlier releases of Istio wrote, and ambient mode: shown, told from what is wanted, replaced, cleaned.

make check takes a few seeds on each backend; make check-faults (ISTIO_INIT_FAULTS=all) many.
"""

import os
import random
import re

import layouts
import lib
import pytest

FIRST = int(os.environ.get("ISTIO_INIT_SEED", "0"))
SEEDS = range(FIRST, FIRST + (150 if os.environ.get("ISTIO_INIT_FAULTS") == "all" else 6))
FLAVOURS = {"iptables-legacy": "legacy", "iptables-nft": "nft"}
DNS = ["--sidecar", "--redirect-dns", "--capture-all-dns", "--resolv-conf=/dev/null"]
iptables = pytest.mark.backends("iptables-legacy", "iptables-nft")


def install(pod, backend, layout, foreign=None, rng=None):
    """Puts a layout among rules of others."""
    for family in lib.FAMILIES:
        tables = layout.rules.get(family, {})
        if foreign:
            tables = layouts.mixed(rng, tables, foreign[family])
        pod.restore(family, layouts.text(tables), FLAVOURS[backend])
    pod.sh(f"{layout.script}\n:")


def held(pod, backend):
    """What the backend holds, and what stands beside it."""
    return [lib.tables(pod.save(family, flavour=FLAVOURS[backend])) for family in lib.FAMILIES], pod.plumbing()


def rules_of(saved):
    return sorted(rule for tables in saved for _, chains in tables.values() for rules in chains.values() for rule in rules)


def any_layout(rng, backend):
    """Of any release, whole or as istio-clean-iptables leaves it; or of ambient mode."""
    if rng.random() < 0.15:
        return "ambient", layouts.ambient(rng.random() < 0.5, rng.choice([("ipv4",), ("ipv4", "ipv6")]))
    release, layout = layouts.any_sidecar(rng)
    # Nothing tells the mark any more then.
    if rng.random() < 0.3 and "0x4d" not in str(layout.rules):
        return f"{release}, straight", layout.straight()
    return release, layout


def live(pod, backend, seed):
    """A netns with a random layout among random rules of others, and what has to be left of it."""
    rng = random.Random(seed)
    name, layout = any_layout(rng, backend)
    foreign = {family: layouts.foreign_rules(rng, family, layout.proven) for family in lib.FAMILIES}
    with lib.Netns() as alone:
        for family in lib.FAMILIES:
            alone.restore(family, layouts.text(foreign[family]), FLAVOURS[backend])
        left = held(alone, backend)
    install(pod, backend, layout, foreign, rng)
    return name, layout, left


@iptables
@pytest.mark.parametrize("seed", SEEDS)
def test_clean_leaves_exactly_what_is_foreign(netns, backend, seed):
    name, layout, left = live(netns, backend, seed)
    before = held(netns, backend)
    shown = lib.checked(netns.istio_init("show"))
    if not layout.unreadable:
        ours = rules_of(before[0])
        for rule in rules_of(left[0]):
            ours.remove(rule)
        assert sorted(re.findall(r"(?m)^-A .*", shown)) == ours, name
    lib.checked(netns.istio_init("clean"))
    assert held(netns, backend) == left, name
    assert "nothing to clean" in netns.istio_init("clean").stderr


@iptables
@pytest.mark.parametrize("seed", SEEDS)
def test_reconcile_replaces_in_one_go(netns, backend, seed):
    """Another backend may be asked for."""
    name, _, left = live(netns, backend, seed)
    rng = random.Random(seed)
    # A user's own rule for DNS, which may be among the foreign ones, keeps auto from zones, and from the end.
    args = [*DNS, "--dns-zones=on", "--jump=append", f"--backend={rng.choice(lib.BACKENDS)}",
            *rng.choice([[], ["-m", "TPROXY"]])]
    before = held(netns, backend)
    if name != "ambient" and rules_of(before[0]) != rules_of(left[0]):
        refused = netns.istio_init(*args)
        assert refused.returncode == 1 and "--reconcile" in refused.stderr, name
        assert held(netns, backend) == before
        assert netns.istio_init("diff", *args).returncode == 2
    lib.checked(netns.istio_init(*args, "--reconcile"))
    result = netns.istio_init("diff", *args)
    assert (result.returncode, result.stdout) == (0, ""), name
    with lib.Netns() as fresh:
        lib.checked(fresh.istio_init(*args))
        assert netns.istio_init("show").stdout == fresh.istio_init("show").stdout, name
        assert netns.plumbing() == fresh.plumbing(), name
    lib.checked(netns.istio_init("clean"))
    assert held(netns, backend) == left, name


@iptables
@pytest.mark.parametrize("release", layouts.RELEASES)
def test_the_life_of_a_machine(netns, backend, release):
    """As the start script calls: clean, apply, clean, with the options and without, twice."""
    netns.sh("iptables-legacy -t nat -A OUTPUT -p tcp --dport 7 -j ACCEPT; iptables-nft -t raw -A OUTPUT -p udp --dport 7 -j ACCEPT")
    empty = netns.state()
    for clean in ["clean"], ["clean", *DNS]:
        for layout in layouts.sidecar(release, uids=("998",)), layouts.sidecar(release, uids=("998",)).straight():
            install(netns, backend, layout)
            lib.checked(netns.istio_init(*clean))
            assert netns.state() == empty
            for _ in range(2):
                lib.checked(netns.istio_init("istio-iptables", *DNS, "-u", "998", f"--backend={backend}"))
                assert "unchanged" in netns.istio_init(*DNS, "-u", "998").stderr
                lib.checked(netns.istio_init(*clean))
                assert netns.state() == empty


@iptables
def test_the_diff_is_short(netns, backend):
    """What today's rules share with those of 1.22 is no part of it."""
    args = [*DNS, f"--backend={backend}", "--ipv6=off"]
    lib.checked(netns.istio_init(*args))
    old = layouts.dns_rules("ipv4", layouts.RELEASES["1.22"], True, ["1337"], ["1337"], "")
    netns.restore("ipv4", layouts.text(old), FLAVOURS[backend])
    result = netns.istio_init("diff", *args)
    assert result.returncode == 2
    changed = re.findall(r"(?m)^([-+])-A (.*)", result.stdout)
    assert changed == [("-", rule) for _, rule in changed] and len(changed) == sum(map(len, old["nat"] + old["raw"]))
    assert len(result.stdout.splitlines()) < 40


@iptables
@pytest.mark.parametrize("release", layouts.RELEASES)
def test_explain_knows_them(netns, backend, release):
    install(netns, backend, layouts.sidecar(release, uids=("998",), gids=("998",)))
    dns = layouts.RELEASES[release].dns

    def verdict(*packet):
        text = lib.checked(netns.istio_init("explain", "--live", "out", *packet))
        return text[text.index("verdict: "):]

    query = verdict("proto=udp", "dst=10.96.0.10", "dport=53", "uid=1000")
    assert ("127.0.0.1 port" if dns.startswith("dnat") else "to :15053" if dns else "PASSES") in query
    assert "PASSES" in verdict("proto=udp", "dst=10.96.0.10", "dport=53", "uid=998", "gid=998")
    assert "to :15001" in verdict("proto=tcp", "dst=10.0.0.5", "dport=443", "uid=1000")


AMBIENT = "ambient mode"


def native_ambient(pod):
    lib.checked(pod.run(["nft", "-f", "-"], input=layouts.AMBIENT_NATIVE))
    pod.sh(layouts.AMBIENT_PLUMBING)


def test_ambients_native_tables_stay_until_they_are_meant(netns, backend):
    args = ["--sidecar", f"--backend={backend}"]
    netns.sh("ip rule add fwmark 0x111/0xff lookup 99 priority 5; ip rule add fwmark 0x111/0xfff lookup 101 priority 6")
    empty = netns.state()
    native_ambient(netns)
    ambient = [table for table in netns.state()[1] if "ambient" in table]
    shown = lib.checked(netns.istio_init("show"))
    assert all(f"table inet istio-ambient-{table} {{" in shown for table in ("mangle", "nat", "raw"))
    result = netns.istio_init(*args)
    lib.checked(result)
    assert result.stderr.count(AMBIENT) == 1 and "--reconcile" in result.stderr
    assert [table for table in netns.state()[1] if "ambient" in table] == ambient
    assert "0x111/0xfff lookup 100" in netns.plumbing()
    diff = netns.istio_init("diff", *args)
    assert (diff.returncode, diff.stdout) == (0, "") and AMBIENT in diff.stderr
    lib.checked(netns.istio_init(*args, "--reconcile"))
    with lib.Netns() as fresh:
        fresh.sh("ip rule add fwmark 0x111/0xff lookup 99 priority 5; ip rule add fwmark 0x111/0xfff lookup 101 priority 6")
        lib.checked(fresh.istio_init(*args))
        assert fresh.state() == netns.state()
    native_ambient(netns)
    lib.checked(netns.istio_init("clean"))
    assert netns.state() == empty


@iptables
@pytest.mark.parametrize("tproxy", [False, True])
def test_ambients_chains_make_way(netns, backend, tproxy):
    """Both have a chain ISTIO_OUTPUT: one of them can be there."""
    empty = netns.state()
    for target in lib.BACKENDS:
        args = ["--sidecar", "-m", "TPROXY", f"--backend={target}"]
        install(netns, backend, layouts.ambient(tproxy))
        result = netns.istio_init(*args)
        lib.checked(result)
        assert result.stderr.count(AMBIENT) == 1
        saved = str(netns.state()[0])
        assert ("ISTIO_PRERT" in saved) == ("0x111" in netns.plumbing()) == (target != backend)
        assert netns.istio_init("diff", *args).returncode == 0
        lib.checked(netns.istio_init("clean"))
        assert netns.state() == empty


def test_an_undo_puts_ambients_rules_back(netns):
    """The ip rule cannot be removed: the tables are back, counters and all."""
    with lib.Netns() as rehearsal:
        native_ambient(rehearsal)
        rehearsal.istio_init("clean", prefix=["strace", "-o", rehearsal.dir / "trace", "-e", "trace=sendto"])
        calls = (rehearsal.dir / "trace").read_text().splitlines()
    native_ambient(netns)
    before = netns.snapshot()
    when = next(number for number, line in enumerate(calls, 1) if "RTM_DELRULE" in line)
    result = netns.istio_init("clean", prefix=["strace", "-o", netns.dir / "trace", "-e", "trace=sendto", "-e",
                                               f"inject=sendto:error=ENOMEM:when={when}"])
    assert result.returncode == 1
    assert netns.snapshot() == before
