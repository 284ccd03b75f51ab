# SPDX-License-Identifier: GPL-2.0-or-later
"""One plan: what diff prints is what apply does, and clean is its reverse; over many states that a netns may be in."""

import collections
import os
import random
import re

import lib
import pytest

OPTIONS = {
    "sidecar": ["--sidecar"],
    "tproxy": ["--sidecar", "-m", "TPROXY"],
    "dns": ["--sidecar", "--redirect-dns", "--capture-all-dns", "--resolv-conf=/dev/null"],
    "interfaces": ["--sidecar", "-c", "eth7", "-k", "vm0,vm1"],
    "lists": ["-b", "80,443", "-i", "10.0.0.0/8,fd00::/8", "-x", "10.9.0.0/16,10.8.0.0/16", "-q", "1", "-u", "1337,1338"],
}
RANDOM = 400 if os.environ.get("ISTIO_INIT_FAULTS") == "all" else 12
TOOLS = {"iptables-legacy": ["iptables-legacy", "ip6tables-legacy"], "iptables-nft": ["iptables-nft", "ip6tables-nft"]}


def tools(backend):
    return TOOLS.get(backend, TOOLS["iptables-legacy"])


def apply(pod, backend, args, *more, **kwargs):
    return pod.istio_init(*args, *more, f"--backend={backend}", **kwargs)


def others(backend):
    return [name for name in lib.BACKENDS if name != backend]


def install(pod, backend, args):
    lib.checked(apply(pod, backend, args))


def without_ipv6(pod, backend, args):
    lib.checked(apply(pod, backend, args, "--ipv6=off"))


def without_nat(pod, backend, args):
    install(pod, backend, args)
    if backend == "nftables":
        pod.sh("nft delete table inet istio-proxy-nat")
        return
    for tool in tools(backend):
        pod.sh(f"""for c in PREROUTING OUTPUT; do {tool} -t nat -F $c; done
                   for c in $({tool} -t nat -S | sed -n 's/^-N //p'); do {tool} -t nat -F $c; done
                   for c in $({tool} -t nat -S | sed -n 's/^-N //p'); do {tool} -t nat -X $c; done""")


def without_address(pod, backend, args):
    install(pod, backend, args)
    pod.ip("-6 addr del ::6/128 dev lo")


def without_rule(pod, backend, args):
    install(pod, backend, args)
    pod.sh("ip rule del fwmark 1337 2>/dev/null || :")


def stale_rule(pod, backend, args):
    install(pod, backend, args)
    pod.sh("ip rule add fwmark 1337 lookup 99; ip route add local default dev lo table 99")


def other_options(pod, backend, args):
    install(pod, backend, [*args, "-o", "3306", "--inbound-tunnel-port=15009"])


def other_backend(pod, backend, args):
    install(pod, others(backend)[0], args)


def both_others(pod, backend, args):
    for name in others(backend):
        with_lock = pod.istio_init(*args, f"--backend={name}")
        if with_lock.returncode:  # it is elsewhere already: as two rivals without a common lock leave it
            with lib.Netns() as rehearsal:
                lib.checked(rehearsal.istio_init(*args, f"--backend={name}"))
                for family in lib.FAMILIES:
                    flavour = "legacy" if name == "iptables-legacy" else "nft"
                    if name != "nftables":
                        pod.restore(family, rehearsal.save(family, flavour=flavour), flavour=flavour)


def foreign_everywhere(pod, backend, args):
    for tool in tools(backend):
        pod.sh(f"{tool} -t nat -A OUTPUT -p tcp --dport 7 -j ACCEPT; {tool} -t nat -A PREROUTING -p udp -j ACCEPT")
    install(pod, backend, args)
    for tool in tools(backend):
        pod.sh(f"{tool} -t nat -I OUTPUT -p tcp --dport 8 -j ACCEPT; {tool} -t nat -A OUTPUT -p tcp --dport 9 -j ACCEPT")


def foreign_alone(pod, backend, args):
    del args
    for tool in tools(backend):
        pod.sh(f"{tool} -t nat -A OUTPUT -p tcp --dport 7 -j ACCEPT; {tool} -t mangle -A PREROUTING -p udp -j ACCEPT")


def doubled_jump(pod, backend, args):
    install(pod, backend, args)
    if backend == "nftables":
        pod.sh("nft add rule inet istio-proxy-nat output counter jump istio-output")
    else:
        pod.sh(f"{tools(backend)[0]} -t nat -A OUTPUT -j ISTIO_OUTPUT")


def hand_edited(pod, backend, args):
    install(pod, backend, args)
    if backend == "nftables":
        pod.sh("nft insert rule inet istio-proxy-nat istio-output tcp dport 9 counter return")
    else:
        pod.sh(f"{tools(backend)[0]} -t nat -I ISTIO_OUTPUT -p tcp --dport 9 -j RETURN; "
               f"{tools(backend)[1]} -t nat -D ISTIO_REDIRECT 1")


def dormant(pod, backend, args):
    install(pod, backend, args)
    if backend != "iptables-legacy":
        table = "inet istio-proxy-nat" if backend == "nftables" else "ip nat"
        pod.sh(f"nft add table {table} '{{ flags dormant; }}'")


def not_hooked_in(pod, backend, args):
    del args
    if backend == "iptables-nft":
        pod.sh("nft add table ip nat; nft add chain ip nat OUTPUT")
    elif backend == "nftables":
        pod.sh("nft add table inet istio-proxy-nat; nft add chain inet istio-proxy-nat output")


def old_dns(pod, backend, args):
    """What Istio 1.9 to 1.22 wrote."""
    install(pod, backend, args)
    if backend == "nftables":
        return
    pod.sh(f"""t={tools(backend)[0]}
        $t -t nat -A OUTPUT -p udp --dport 53 -m owner --uid-owner 1337 -j RETURN
        $t -t nat -A OUTPUT -p udp --dport 53 -d 10.0.0.10/32 -j REDIRECT --to-ports 15053
        $t -t raw -A OUTPUT -p udp --dport 53 -m owner --uid-owner 1337 -j CT --zone 1
        $t -t raw -A PREROUTING -p udp --sport 53 -s 10.0.0.10/32 -j CT --zone 1""")


STATES = {function.__name__: function for function in (
    install, without_ipv6, without_nat, without_address, without_rule, stale_rule, other_options, other_backend, both_others,
    foreign_everywhere, foreign_alone, doubled_jump, hand_edited, dormant, not_hooked_in, old_dns)}
STATES["nothing"] = lambda pod, backend, args: None
# Nothing that has to be taken away is there: what is missing is added without being asked twice.
COMPLETED = {"nothing", "install", "without_ipv6", "without_nat", "without_address", "without_rule", "foreign_everywhere",
             "foreign_alone"}
# Rules that would decide nothing are not written.
BLOCKED = {("iptables-nft", "dormant"), ("iptables-nft", "not_hooked_in")}


def rules(pod):
    """All rules of the kernel, as the stock tools list them."""
    text = "".join(pod.save(family, flavour=flavour) for family in lib.FAMILIES for flavour in ("legacy", "nft"))
    native = pod.sh("nft -s list ruleset")
    found = re.findall(r"(?m)^-A .*$", text)
    for table in re.split(r"(?m)^(?=table )", native):
        if table.startswith("table inet istio-proxy-"):
            found += re.findall(r"(?m)^\t\t(.*counter.*)$", table)
    return collections.Counter(found)


def printed(diff, sign):
    lines = [line[1:].strip() for line in diff.splitlines() if line.startswith(sign) and not line.startswith(sign * 3)]
    return collections.Counter(line for line in lines if line.startswith("-A ") or " counter" in f" {line}")


def routes(text):
    return sum("fwmark" in line for line in text.splitlines())


def traced(pod, backend, args, *more):
    result = apply(pod, backend, args, *more, prefix=["strace", "-v", "-s", "200", "-o", pod.dir / "trace"])
    return result, bool(lib.WRITES.search((pod.dir / "trace").read_text()))


def check_plan(pod, backend, args, reconcile, blocked):
    """diff's exit and text against what apply does; returns apply's exit status."""
    more = ["--reconcile"] if reconcile else []
    before, old, ip = pod.snapshot(), rules(pod), pod.sh("ip rule; ip -6 rule")
    diff = pod.istio_init("diff", *args, *more, f"--backend={backend}")
    assert diff.returncode in (0, 2), diff
    assert pod.snapshot() == before
    result, wrote = traced(pod, backend, args, *more)
    if diff.returncode == 0:
        assert (result.returncode, wrote) == (0, False) and "unchanged" in result.stderr, (diff, result)
        return 0
    if result.returncode:
        assert (result.returncode, wrote) == (1, False) and (blocked or not reconcile), (diff, result)
        assert pod.snapshot() == before
        return 1
    assert wrote, (diff, result)
    new = rules(pod)
    plus, minus = printed(diff.stdout, "+"), printed(diff.stdout, "-")
    assert plus - minus == new - old, diff.stdout
    assert minus - plus == old - new, diff.stdout
    change = routes(pod.sh("ip rule; ip -6 rule")) - routes(ip)
    assert len(re.findall(r"(?m)^\+ip.* rule", diff.stdout)) - len(re.findall(r"(?m)^-ip.* rule", diff.stdout)) == change
    # What was made is what was asked for.
    lib.checked(pod.istio_init("diff", *args, f"--backend={backend}"))
    again, wrote = traced(pod, backend, args)
    assert (again.returncode, wrote) == (0, False), again
    return 0


@pytest.mark.parametrize("options", ["sidecar", "tproxy", "interfaces"])
@pytest.mark.parametrize("state", sorted(STATES))
def test_diff_and_apply_agree(netns, backend, state, options):
    args = OPTIONS[options]
    STATES[state](netns, backend, args)
    blocked = (backend, state) in BLOCKED
    status = check_plan(netns, backend, args, False, blocked)
    if state in COMPLETED:
        assert status == 0
    check_plan(netns, backend, args, True, blocked)


@pytest.mark.parametrize("options", sorted(OPTIONS))
def test_clean_leaves_what_was_there_before(netns, backend, options):
    foreign_alone(netns, backend, [])
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
        for tool in tools(backend):
            netns.sh(f"{tool} -t nat -A PREROUTING -i eth7 -j RETURN; {tool} -t nat -A OUTPUT -o eth7 -j RETURN")
    for words in ["apply"], ["clean"], ["apply"], ["diff"]:
        given = args if words != ["clean"] else []
        lib.checked(netns.istio_init(*words, *given, f"--backend={backend}"))


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_interfaces_that_nobody_asks_for_any_more_are_named(netns, backend):
    """They may be a user's own: they stay, and are no difference."""
    install(netns, backend, ["--sidecar", "-c", "eth7"])
    for words, left in (["diff", "--sidecar"], True), (["--sidecar"], True), (["clean"], True), (["clean"], False):
        result = netns.istio_init(*words, f"--backend={backend}")
        lib.checked(result)
        named = [line for line in result.stderr.splitlines() if "cannot be told from a user's own" in line]
        assert len(named) == left and all("-t nat -A PREROUTING -i eth7 -j RETURN" in line for line in named), result
    assert "-A PREROUTING -i eth7 -j RETURN" in netns.save("ipv4", flavour=backend.rpartition("-")[2])


def test_ipv6_that_comes_late_is_completed(netns, backend):
    netns.ip("link add eth0 type veth peer name far0")
    netns.sh("ip link set far0 up; ip link set eth0 up; ip addr add 10.0.0.2/24 dev eth0")
    args = ["--sidecar", "--dual-stack"]
    lib.checked(apply(netns, backend, args))
    assert not netns.has_istio("ipv6")
    netns.ip("addr add fd00::2/64 dev eth0 nodad")
    assert check_plan(netns, backend, args, False, False) == 0
    assert netns.has_istio("ipv6")


@pytest.mark.parametrize("seed", range(RANDOM))
def test_random_states(netns, backend, seed):
    rng = random.Random(seed)
    names = [name for name in sorted(STATES) if name not in ("dormant", "not_hooked_in", "both_others")]
    args = OPTIONS[rng.choice(sorted(OPTIONS))]
    for state in rng.sample(names, rng.randint(1, 2)):
        netns.istio_init("clean") if rng.random() < 0.3 else None
        try:
            STATES[state](netns, backend, OPTIONS[rng.choice(sorted(OPTIONS))])
        except AssertionError:
            pass  # the install of a second state is refused beside the first
    check_plan(netns, backend, args, False, False)
    check_plan(netns, backend, args, True, False)
