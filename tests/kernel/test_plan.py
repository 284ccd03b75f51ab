# SPDX-License-Identifier: GPL-2.0-or-later
"""One plan: what diff prints is what apply does, and clean is its reverse; over many states that a netns may be in.

make check-faults (ISTIO_INIT_FAULTS=all) takes all options for each state, and many more mixtures of states.
"""

import collections
import os
import random
import re

import lib
import pytest
import states
from states import OPTIONS, apply, install

ALL = os.environ.get("ISTIO_INIT_FAULTS") == "all"
RANDOM = 100 if ALL else 12


def printed(diff, sign):
    """Rules, and routes, that a diff adds or takes away."""
    lines = [line[1:].strip() for line in diff.splitlines() if line.startswith(sign) and not line.startswith(sign * 3)]
    lines = [states.UNREADABLE.get(line, line) for line in lines]
    return (collections.Counter(line for line in lines if line.startswith("-A ") or " counter" in f" {line}"),
            collections.Counter(line for line in lines if re.match(r"ip (-6 )?(rule|route|address|link) ", line)))


def texts(found):
    """Rules, wherever they stand: a rule that moves from one backend to another is printed as added and as gone."""
    return collections.Counter(rule[3] for rule in found.elements())


def traced(pod, *words):
    result = pod.istio_init(*words, prefix=["strace", "-v", "-s", "200", "-o", pod.dir / "trace"])
    return result, bool(lib.WRITES.search((pod.dir / "trace").read_text()))


def check_change(diff, before, after):
    """What was printed is what became of (rules, routes)."""
    (added, routes), (gone, stale) = printed(diff, "+"), printed(diff, "-")
    new, old = texts(after[0] - before[0]), texts(before[0] - after[0])
    # What is on both sides has another place, which lines need not show: in another chain, table or backend.
    assert (added - gone, gone - added) == (new - old, old - new), diff
    assert (routes, stale) == (after[1] - before[1], before[1] - after[1]), diff


def check_plan(pod, backend, args, reconcile, blocked):
    """diff's exit and text against what apply does; returns apply's exit status."""
    words = [*args, *(["--reconcile"] if reconcile else []), f"--backend={backend}"]
    snapshot, before = pod.snapshot(), (states.rules(pod), states.routes(pod))
    diff = pod.istio_init("diff", *words)
    assert diff.returncode in (0, 2) and pod.snapshot() == snapshot, diff
    result, wrote = traced(pod, *words)
    if diff.returncode == 0:
        # Text that differs means the same.
        assert bool(diff.stdout) == ("written differently" in diff.stderr) == ("means the same" in result.stderr), (diff, result)
        assert (result.returncode, wrote) == (0, False) and "unchanged" in result.stderr, (diff, result)
        return 0
    if result.returncode:
        assert (result.returncode, wrote) == (1, False) and (blocked or not reconcile), (diff, result)
        assert pod.snapshot() == snapshot
        return 1
    assert wrote, (diff, result)
    check_change(diff.stdout, before, (states.rules(pod), states.routes(pod)))
    # What was made is what was asked for.
    assert lib.checked(pod.istio_init("diff", *args, f"--backend={backend}")) == ""
    again, wrote = traced(pod, *args, f"--backend={backend}")
    assert (again.returncode, wrote) == (0, False), again
    return 0


def check_clean(pod):
    """Nothing of ours is left, and of others' nothing is gone."""
    before = states.rules(pod)
    lib.checked(pod.istio_init("clean"))
    after = states.rules(pod)
    assert not after - before and not [rule for rule in after if "ISTIO_" in rule[3] or rule[0] == "inet"]
    # What old releases wrote straight into built-in chains, and what is said to be shared, are the tests' of clean.
    others = [rule for rule in before - after if re.match(r"-A \w+ -p (tcp|udp) -m \1 --dport [789] -j ACCEPT", rule[3])]
    assert not others
    shown = pod.istio_init("show")
    assert lib.checked(shown) == "" and "no Istio rules" in shown.stderr
    again, wrote = traced(pod, "clean")
    assert (again.returncode, wrote) == (0, False), again


@pytest.mark.parametrize("options", sorted(OPTIONS) if ALL else ["sidecar", "all tables"])
@pytest.mark.parametrize("state", sorted(states.ALL))
def test_diff_and_apply_agree(netns, backend, state, options):
    args = OPTIONS[options]
    states.ALL[state](netns, backend, args)
    blocked = (backend, state) in states.BLOCKED
    status = check_plan(netns, backend, args, False, blocked)
    if states.is_completed(backend, state, args):
        assert status == 0
    assert check_plan(netns, backend, args, True, blocked) == blocked
    check_clean(netns)


@pytest.mark.parametrize("options", sorted(OPTIONS))
def test_clean_leaves_what_was_there_before(netns, backend, options):
    states.foreign_alone(netns, backend, [])
    before = netns.state()
    install(netns, backend, OPTIONS[options])
    assert netns.state() != before
    lib.checked(netns.istio_init("clean", *OPTIONS[options]))
    assert netns.state() == before


@pytest.mark.parametrize("user", [False, True])
@pytest.mark.parametrize("options", [["-c", "eth7"], ["-k", "vm0"], ["-c", "eth7", "-k", "vm0"]])
def test_interfaces_are_no_difference(netns, backend, options, user):
    """Apply, a clean that does not know the interfaces, and the same apply."""
    args = ["--sidecar", *options]
    if user:
        for tool in states.tools(backend):
            netns.sh(f"{tool} -t nat -A PREROUTING -i eth7 -j RETURN; {tool} -t nat -A OUTPUT -o eth7 -j RETURN")
    for words in ["apply"], ["clean"], ["apply"], ["diff"]:
        given = args if words != ["clean"] else []
        lib.checked(netns.istio_init(*words, *given, f"--backend={backend}"))


@pytest.mark.backends("iptables-legacy", "iptables-nft")
@pytest.mark.parametrize("theirs, ours", [("eth7 eth7", "eth7"), ("eth8 eth7", "eth7,eth8"), ("eth9 eth7 eth9", "eth9")])
def test_interfaces_that_are_there_more_often_are_no_difference(netns, backend, theirs, ours):
    args = ["--sidecar", "-c", ours]
    for tool in states.tools(backend):
        netns.sh(f"for i in {theirs}; do {tool} -t nat -A PREROUTING -i $i -j RETURN; done")
    for reconcile in False, True:
        assert check_plan(netns, backend, args, reconcile, False) == 0
    netns.sh(f"{states.tools(backend)[0]} -t nat -A PREROUTING -i eth7 -j RETURN")
    assert check_plan(netns, backend, args, False, False) == 0
    # Beside a real difference they are not printed either.
    for reconcile in False, True:
        assert check_plan(netns, backend, [*args, "-o", "9"], reconcile, False) == (not reconcile)


@pytest.mark.backends("iptables-legacy", "iptables-nft")
@pytest.mark.parametrize("options", ["interfaces", "all tables"])
def test_force_apply_writes_no_rule_once_more(netns, backend, options):
    """In front of and behind ours are others', and each of ours stays where it stood."""
    states.foreign_everywhere(netns, backend, OPTIONS[options])
    before = netns.state()
    for _ in range(2):
        result, wrote = traced(netns, *OPTIONS[options], "--force-apply", f"--backend={backend}")
        assert (result.returncode, wrote) == (0, True), result
        assert netns.state() == before


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_interfaces_that_nobody_asks_for_any_more_are_named(netns, backend):
    """They may be a user's own: they stay, and are no difference."""
    install(netns, backend, ["--sidecar", "-c", "eth7"])
    for words, left in ((["diff", "--sidecar"], True), (["--sidecar"], True), (["--sidecar", "-o", "9"], True),
                        (["clean"], True), (["clean"], False)):
        result = netns.istio_init(*words, f"--backend={backend}")
        assert result.returncode == ("-o" in words), result
        named = [line for line in result.stderr.splitlines() if "cannot be told from a user's own" in line]
        assert len(named) == left, result
        assert all(line.count("-t nat -A PREROUTING -i eth7 -j RETURN") == 1 for line in named), result
    assert "-A PREROUTING -i eth7 -j RETURN" in netns.save("ipv4", flavour=backend.rpartition("-")[2])


@pytest.mark.backends("iptables-legacy")
def test_what_is_left_is_named_once_and_under_no_lock(netns, backend):
    """However often rivals win; who does not read a log must not keep others waiting."""
    install(netns, backend, ["--sidecar", "-c", "eth7"])
    result = netns.istio_init("--sidecar", "-o", "9", "--reconcile", f"--backend={backend}", prefix=[
        "strace", "-o", netns.dir / "trace", "-e", "trace=flock,setsockopt,close,write",
        "-e", "inject=setsockopt:error=EAGAIN:when=1..2"])
    lib.checked(result)
    assert result.stderr.count("left alone") == 1, result
    held = set()
    for line in (netns.dir / "trace").read_text().splitlines():
        if found := re.match(r"flock\((\d+), .* = 0", line):
            held.add(found[1])
        elif found := re.match(r"close\((\d+)\)", line):
            held.discard(found[1])
        assert not (line.startswith("write(") and held), line


def add_addresses(pod, *addresses):
    """On lo, where no link sends packets by itself, which would be counted; with the routes that come a little later."""
    for address in addresses:
        pod.sh(f"""ip addr add {address} dev lo nodad
                   until ip route show table all | grep -q 'local {address.partition("/")[0]} dev lo'; do sleep 0.01; done""")


def test_what_a_move_that_was_cut_off_has_left_is_printed(netns):
    lib.checked(netns.istio_init("--sidecar", "--backend=nftables"))
    netns.sh("nft 'add table ip istio-init-move'")
    lib.checked(netns.istio_init("diff", "--sidecar"))
    netns.sh("nft 'add table inet istio-init-move'")
    diff = netns.istio_init("diff", "--sidecar")
    assert (diff.returncode, diff.stdout) == (2, "-table inet istio-init-move\n")
    assert "applied" in netns.istio_init("--sidecar").stderr
    assert not lib.checked(netns.istio_init("diff", "--sidecar"))
    assert "inet istio-init-move" not in netns.sh("nft list tables")


def test_ipv6_that_comes_late_is_completed(netns, backend):
    add_addresses(netns, "10.0.0.2/24")
    args = ["--sidecar", "--dual-stack"]
    lib.checked(apply(netns, backend, args))
    assert not netns.has_istio("ipv6")
    add_addresses(netns, "fd00::2/128")
    assert check_plan(netns, backend, args, False, False) == 0
    assert netns.has_istio("ipv6")


def test_ipv6_that_goes_is_a_difference(netns, backend):
    add_addresses(netns, "10.0.0.2/24", "fd00::2/128")
    args = ["--sidecar", "--dual-stack", "-m", "TPROXY"]
    lib.checked(apply(netns, backend, args))
    assert netns.has_istio("ipv6")
    netns.ip("addr del fd00::2/128 dev lo")
    assert check_plan(netns, backend, args, False, False) == 1
    assert check_plan(netns, backend, args, True, False) == 0
    assert not netns.has_istio("ipv6")


def mix(pod, backend, rng):
    """One state upon the other, mostly of one backend and of the same options; returns the options and what was made."""
    args, made = OPTIONS[rng.choice(sorted(OPTIONS))], []
    for _ in range(rng.randint(1, 4)):
        name = rng.choice(sorted(states.ALL))
        if rng.random() < 0.2:
            lib.checked(pod.istio_init("clean"))
        try:
            states.ALL[name](pod, backend if rng.random() < 0.8 else rng.choice(lib.BACKENDS),
                             args if rng.random() < 0.6 else OPTIONS[rng.choice(sorted(OPTIONS))])
        except AssertionError:
            pass  # an install is refused beside what is there, or what a state changes is not: half of it is a state, too
        made.append(name)
    return args, made


@pytest.mark.parametrize("seed", range(RANDOM))
def test_random_states(netns, backend, seed):
    args, made = mix(netns, backend, random.Random(seed))
    blocked = bool({"dormant", "not_hooked_in"}.intersection(made))
    check_plan(netns, backend, args, False, blocked)
    check_plan(netns, backend, args, True, blocked)
    check_clean(netns)
