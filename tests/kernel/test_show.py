# SPDX-License-Identifier: GPL-2.0-or-later
"""What people look at: show beside the stock tools' listings, and diff as a patch."""

import os
import pty
import re

import lib
import pytest

OTHER = ["--sidecar", "-q", "99", "-x", "10.0.0.0/8,fd00::/8", "-m", "TPROXY"]


def rules_of(listing):
    """The Istio rules of a listing, with their counters, in order."""
    if "table inet" in listing:
        return [line.strip() for line in listing.splitlines() if "counter" in line]
    return re.findall(r"(?m)^\[\d+:\d+\] -A (?:ISTIO_.*|.* -j ISTIO_\w+)$", listing)


def stock_listing(netns, backend, family):
    if backend == "nftables":
        return netns.sh("nft list ruleset")
    return netns.save(family, counters=True, flavour=backend.removeprefix("iptables-"))


def packets(netns):
    """Connections that nobody answers, to count."""
    netns.sh("""for address in 127.0.0.1 127.0.0.6 ::1; do for port in 80 15008; do
        python3 -c 'import socket, sys; socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET).connect_ex(
            (sys.argv[1], int(sys.argv[2])))' $address $port; done; done""")


@pytest.mark.parametrize("family", lib.FAMILIES)
def test_counters_are_those_of_the_stock_tools(netns, backend, family):
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    packets(netns)
    shown = lib.checked(netns.istio_init("show", "--counters", *([] if backend == "nftables" else [f"--family={family}"])))
    listed = rules_of(stock_listing(netns, backend, family))
    assert rules_of(shown) == listed
    assert sum(bool(re.search(r"\[[1-9]|packets [1-9]", rule)) for rule in listed) >= 2


def test_show_of_nothing(netns):
    result = netns.istio_init("show")
    assert (result.returncode, result.stdout) == (0, "")


def test_show_of_what_cannot_be_looked_at_is_not_nothing(netns):
    lib.checked(netns.istio_init("--sidecar", "--backend=iptables-legacy"))
    result = netns.istio_init("show", prefix=["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"])
    assert result.returncode == 77 and "NET_RAW" in result.stderr and "no Istio rules" not in result.stderr


def test_show_and_clean_do_without_ipv6(netns):
    lib.checked(netns.istio_init("--sidecar"))
    netns.write_sysctl("ipv6/conf/all/disable_ipv6", "1")
    for command in ("show", "clean", "show"):
        result = netns.istio_init(command, env={"ISTIO_INIT_IPV6": "on"})
        assert lib.checked(result) or command != "show" or result.stderr == \
            "istio-init: no Istio rules are live in this network namespace\n"


def test_a_diff_tells_what_an_apply_tells_of_an_older_mark(netns, backend):
    args = ["--sidecar", f"--backend={backend}"]
    lib.checked(netns.istio_init(*args))
    assert netns.istio_init("diff", *args).returncode == 0
    netns.ip("rule add fwmark 5 lookup 133 pref 32765")
    netns.ip("route add local default dev lo table 133")
    assert netns.istio_init(*args).returncode == 1
    assert netns.istio_init("diff", *args).returncode == 2


def test_explain_live_of_a_kernel_without_nftables(netns):
    words = ["explain", "--live", "in", "dport=80"]
    netlink = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=socket", "-e", "inject=socket:error=EPROTONOSUPPORT:when=2+"]
    assert lib.checked(netns.istio_init(*words)) == lib.checked(netns.istio_init(*words, prefix=netlink))


def test_show_of_two_backends_names_both(netns):
    lib.checked(netns.istio_init("--sidecar", "--backend=nftables"))
    netns.restore("ipv4", lib.checked(netns.istio_init("--dry-run", "--sidecar", "--family=ipv4", "--format=iptables")))
    result = netns.istio_init("show")
    natively, legacy = lib.checked(result).removeprefix("# nftables\n").split("# iptables-legacy\n")
    assert natively.startswith("table inet istio-proxy-") and "\n# ipv4\n" in f"\n{legacy}" and "-A ISTIO_OUTPUT" in legacy
    assert result.stderr == ""


def test_a_diff_is_a_patch_from_what_is_shown_to_what_is_wanted(netns, backend):
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    path = netns.dir / "live"
    path.write_text(lib.without_plumbing(lib.shown(netns, backend)))
    result = netns.istio_init("diff", *OTHER, f"--backend={backend}")
    assert result.returncode == 2 and "\x1b" not in result.stdout
    lib.checked(lib.run(["patch", "--quiet", path], input=result.stdout))
    assert path.read_text() == lib.without_plumbing(lib.checked(netns.istio_init("--dry-run", *OTHER, f"--backend={backend}")))


ODD = [*OTHER, "--ipv6=on", "--istio-inbound-tproxy-mark=0x10", "--istio-inbound-tproxy-route-table=77"]
ODD_PLUMBING = """# ip rule add fwmark 16 lookup 77 priority 32765
# ip route add local default dev lo table 77
# ip -6 rule add fwmark 16 lookup 77 priority 32765
# ip -6 route add local default dev lo table 77
# ip address add ::6/128 dev lo nodad
"""


def load(netns, backend, text):
    if backend == "nftables":
        lib.checked(netns.run(["nft", "-f", "-"], input=text))
    for family in lib.FAMILIES if backend != "nftables" else ():
        [part] = re.findall(rf"(?ms)^# {family}\n.*?(?=^# ipv|\Z)", text)
        netns.restore(family, part, backend.removeprefix("iptables-"))


def test_rules_and_plumbing_are_all_that_an_apply_makes(netns, backend):
    """The text loaded by the stock tools, and each line behind it run as the command that it is."""
    lib.checked(netns.istio_init(*ODD, f"--backend={backend}"))
    text = lib.checked(netns.istio_init("--dry-run", *ODD, f"--backend={backend}"))
    assert lib.shown(netns, backend) == text and text.endswith(("COMMIT\n" if backend != "nftables" else "}\n") + ODD_PLUMBING)
    with lib.Netns() as alone:
        load(alone, backend, text)
        for command in lib.plumbing_of(text):
            alone.sh(command)
        assert alone.state() == netns.state()
        result = alone.istio_init(*ODD, f"--backend={backend}")
        assert "unchanged" in result.stderr, result.stderr
        assert lib.shown(alone, backend) == text


@pytest.mark.parametrize("family", lib.FAMILIES)
def test_plumbing_of_one_family(netns, backend, family):
    lib.checked(netns.istio_init(*ODD, f"--backend={backend}"))
    lines = ODD_PLUMBING.splitlines(keepends=True)
    lines = "".join(lines[:2] if family == "ipv4" else lines[2:])
    for words in ["show"], ["--dry-run", *ODD, f"--backend={backend}"]:
        text = lib.checked(netns.istio_init(*words, f"--family={family}"))
        assert lib.as_comments(lib.plumbing_of(text)) == lines
        if backend != "nftables":
            with lib.Netns() as alone:
                alone.restore(family, text, backend.removeprefix("iptables-"))
                assert lib.tables(alone.save(family, flavour=backend.removeprefix("iptables-"))) == \
                    lib.tables(netns.save(family, flavour=backend.removeprefix("iptables-")))


def test_show_tells_plumbing_that_is_ours(netns):
    """What a killed run left, without any rules; not what is a user's own beside REDIRECT's rules."""
    commands = [line.removeprefix("# ").replace("16", "1337").replace("77", "133") for line in ODD_PLUMBING.splitlines()]
    for command in commands:
        netns.sh(command)
    assert lib.checked(netns.istio_init("show")) == lib.as_comments(commands)
    lib.checked(netns.istio_init("clean"))
    assert lib.checked(netns.istio_init("show")) == ""
    lib.checked(netns.istio_init("--sidecar", "--ipv6=on"))
    netns.sh("ip rule add fwmark 1337 lookup 133 priority 99; ip route add local default dev lo table 133; "
             "ip rule add fwmark 7 lookup 7; ip route add default dev lo table 7; ip address add ::7/128 dev lo nodad")
    assert lib.plumbing_of(lib.checked(netns.istio_init("show"))) == ["ip address add ::6/128 dev lo nodad"]


def on_a_terminal(netns, *args, **env):
    ours, theirs = pty.openpty()
    netns.istio_init(*args, env={"TERM": "xterm", **env}, prefix=["sh", "-c", f'exec "$@" >/proc/{os.getpid()}/fd/{theirs}', "sh"])
    os.close(theirs)
    out = b""
    try:
        while chunk := os.read(ours, 65536):
            out += chunk
    except OSError:  # how Linux tells the end of a terminal
        pass
    os.close(ours)
    return out.decode()


def test_colours_are_for_terminals(netns):
    assert "\x1b[32m+" in on_a_terminal(netns, "diff", "--sidecar")
    assert "\x1b" not in on_a_terminal(netns, "diff", "--sidecar", "--color=never")
    assert "\x1b" not in on_a_terminal(netns, "diff", "--sidecar", NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(netns, "diff", "--sidecar", TERM="dumb")
    assert "\x1b" not in netns.istio_init("diff", "--sidecar").stdout
    assert "\x1b[32m+" in netns.istio_init("diff", "--sidecar", "--color=always").stdout


def test_a_native_rule_of_many_owner_groups_is_shown_whole(netns):
    """As upstream writes it: one test a group, more of them than any rule of ours has."""
    tests = " ".join(f"meta skgid != {gid}" for gid in range(1, 61))
    text = netns.dir / "rules"
    text.write_text("table inet istio-proxy-nat {\nchain output {\ntype nat hook output priority -100;\n"
                    "counter jump istio-output\n}\nchain istio-output {\ncounter "
                    f"{tests} return\n}}\n}}\n")
    netns.sh(f"nft -f {text}")
    shown = lib.checked(netns.istio_init("show"))
    assert f"{tests} counter return\n" in shown and "cannot read" not in shown
    diff = netns.istio_init("diff", "--sidecar", "--backend=nftables", "--ipv6=on")
    assert diff.returncode == 2
    assert f"-\t\t{tests} counter return\n" in diff.stdout


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_an_iptables_rule_of_many_owner_groups_is_shown_whole(netns, backend):
    tests = " ".join(f"-m owner ! --gid-owner {gid}" for gid in range(1, 21))
    rule = f"-A ISTIO_OUTPUT {tests} -j RETURN\n"
    netns.restore("ipv4", f"*nat\n:ISTIO_OUTPUT - [0:0]\n-A OUTPUT -j ISTIO_OUTPUT\n{rule}COMMIT\n",
                  backend.removeprefix("iptables-"))
    assert rule in lib.checked(netns.istio_init("show"))
    diff = netns.istio_init("diff", "--sidecar", f"--backend={backend}", "--ipv6=on")
    assert diff.returncode == 2 and f"-{rule}" in diff.stdout
