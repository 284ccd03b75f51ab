# SPDX-License-Identifier: GPL-2.0-or-later
"""Help, version, manual and logs."""

import json
import random
import re

import configs
import lib
import pytest

LEVELS = {"debug", "info", "warn", "error", "fatal"}


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["help"], ["--sidecar", "--help"]])
def test_help_is_on_stdout(netns, args):
    before = netns.snapshot()
    result = netns.istio_init(*args)
    assert result.returncode == 0 and result.stderr == ""
    assert result.stdout == lib.checked(netns.istio_init("--help"))
    assert netns.snapshot() == before


def test_help_names_every_option_and_variable(netns):
    text = lib.checked(netns.istio_init("--help"))
    for name, (short, variable, alias) in configs.OPTIONS.items():
        assert re.search(rf"--{name}(?![\w-])", text), name
        assert not short or re.search(rf"(?<![\w-])-{short}\b", text), short
        for word in variable, alias:
            assert not word or re.search(rf"\b{word}\b", text), word
    for word in configs.VARIABLES_ALONE:
        assert word in text
    for command in "apply", "diff", "show", "clean", "explain", "help", "version":
        assert re.search(rf"(?m)^ *{command}\b", text), command


COMMANDS = ["apply", "diff", "show", "clean", "explain", "help", "version"]
EXAMPLES = [(command, example) for command in COMMANDS for example in
            re.findall(r"(?m)^  (istio-init .*)$", lib.run([lib.BINARY, "help", command]).stdout)]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(netns, command):
    text = lib.checked(netns.istio_init("help", command))
    for args in [command, "--help"], ["--help", command], [command, "-h"]:
        assert lib.checked(netns.istio_init(*args)) == text
    assert text.startswith(f"Usage: istio-init {command} ")
    assert len([example for named, example in EXAMPLES if named == command]) == 2
    assert max(map(len, text.splitlines())) <= 80
    everything = set(re.findall(r"(?m)^ {2,6}.*?--([\w-]+)", lib.checked(netns.istio_init("--help"))))
    own = set(re.findall(r"(?m)^ {2,6}(?:-\w, )?--([\w-]+)", text))
    assert {"log_as_json", "help"} <= own < everything
    assert ("counters" in own) == (command == "show")
    assert ("istio-service-cidr" in own) == (command in {"apply", "diff", "explain"})
    assert ("kube-virt-interfaces" in own) == (command in {"apply", "diff", "explain", "clean"})


@pytest.mark.parametrize("command, example", EXAMPLES, ids=[example for _, example in EXAMPLES])
def test_the_examples_of_help_work(netns, command, example):
    result = netns.istio_init(*example.replace("/run/netns/pod", netns.path).split()[1:])
    assert result.returncode == (2 if command == "diff" else 0), result.stderr


def test_help_of_what_is_no_command(netns):
    result = netns.istio_init("help", "claen")
    assert (result.returncode, result.stdout) == (64, "")
    assert "claen" in result.stderr and '"clean"' in result.stderr


def test_help_and_manual_have_the_same_options(netns):
    manual = (lib.ROOT / "man/istio-init.8").read_text(encoding="utf-8")
    text = lib.checked(netns.istio_init("--help"))
    options = set(re.findall(r"(?<![\w-])--([a-z][a-z0-9_-]+)", text))
    assert options >= set(configs.OPTIONS)
    # In mdoc an option is an item of a list, after .Fl: ".It Fl p , Fl -envoy-port Ar port".
    assert options == set(re.findall(r"(?m)^\.It.* Fl -([a-z][a-z0-9_-]+)", manual))
    variables = set(re.findall(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b", text))
    assert variables <= set(re.findall(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b", manual))


def test_help_fits_a_terminal(netns):
    assert max(map(len, lib.checked(netns.istio_init("--help")).splitlines())) <= 80


@pytest.mark.parametrize("args", [["--version"], ["version"]])
def test_version(netns, args):
    assert re.fullmatch(r"istio-init \d+\.\d+\S*\n", lib.checked(netns.istio_init(*args)).splitlines(True)[0])


NASTY = ["plain", 'quo"te', "back\\slash", "line\nfeed", "tab\there", "\x01\x1f\x7f", "é漢\U0001f600", "\u2028",
         "%s%n%d", "{\"level\":\"fatal\"}", "x" * 5000]


@pytest.mark.parametrize("value", NASTY)
@pytest.mark.parametrize("args", [["-b"], ["--dry-run", "apply"], ["--network-namespace"], ["--resolv-conf"]])
def test_json_logs_are_json(netns, value, args):
    noisy = ["--log_as_json", "--log_output_level=debug", "--redirect-dns"]
    result = netns.istio_init(*args[:-1], *noisy, args[-1], value)
    *lines, rest = result.stderr.split("\n")
    assert lines and rest == ""
    for line in lines:
        entry = json.loads(line)
        assert set(entry) == {"level", "time", "scope", "msg"}
        assert entry["level"] in LEVELS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", entry["time"])


def test_json_logs_of_bytes_that_are_no_text(netns):
    result = netns.run([lib.BINARY, "--log_as_json", "-b", b"\xff\xc0\x80".decode(errors="surrogateescape")],
                       text=False)
    assert result.returncode == 64
    for line in result.stderr.decode("utf-8").splitlines():
        json.loads(line)


def test_json_logs_of_random_bytes(netns):
    rng = random.Random(5)
    for _ in range(60):
        value = bytes(rng.randrange(1, 256) for _ in range(rng.randrange(1, 60))).decode(errors="surrogateescape")
        option = rng.choice(["-b", "-x", "-u", "-c", "--resolv-conf", "--network-namespace", "--backend", "explain"])
        result = netns.run([lib.BINARY, "--dry-run", "--log_as_json", "--log_output_level=debug", option, value], text=False)
        lines = result.stderr.decode("utf-8").splitlines()
        assert all(set(json.loads(line)) == {"level", "time", "scope", "msg"} for line in lines)
        assert lines or result.returncode == 0


def test_json_errors_even_if_the_option_comes_last(netns):
    for args in ["-b", "0", "--log_as_json"], ["--no-such-option", "--log_as_json"]:
        for line in netns.istio_init(*args).stderr.splitlines():
            assert json.loads(line)["level"] == "error"


def test_levels(netns):
    def lines(level):
        return len(netns.istio_init("--dry-run", f"--log_output_level={level}").stderr.splitlines())

    assert lines("default:none") == lines("none") == lines("fatal") == lines("error") == 0
    assert lines("warn") == lines("info") == 1
    assert 3 < lines("debug") <= 40
    assert lines("no-such-scope:debug") == 1
    assert lines("no-such-scope:debug,default:none") == 0


def test_one_line_of_summary(netns, backend):
    result = netns.istio_init("--sidecar", f"--backend={backend}")
    assert result.returncode == 0 and result.stdout == ""
    line = rf"istio-init: applied: \d+ rules \(ipv4 and ipv6\) through {backend} \(as asked for\) in \d+\.\d\d ms"
    line += "; UID 1337 and GID 1337 are let through\\n"
    assert re.fullmatch(line, result.stderr)
    again = netns.istio_init("--sidecar")
    assert re.match(rf"istio-init: unchanged, .* \d+ rules .* through {backend} \(it holds Istio rules already\)", again.stderr)


@pytest.mark.parametrize("uids,gids,text", [
    ("1", "2,3", "UID 1 and GIDs 2,3"),
    (",".join(map(str, range(1234567890, 1234567910))), "0",
     "UIDs 1234567890,1234567891,1234567892,1234567893,1234567894,1234567895 and 14 more and GID 0")])
def test_summary_names_who_is_let_through(netns, uids, gids, text):
    for _ in range(2):
        assert netns.istio_init("--sidecar", "-u", uids, "-g", gids).stderr.endswith(f" ms; {text} are let through\n")


def test_log_target(netns):
    path = netns.dir / "log"
    result = netns.istio_init("--dry-run", f"--log_target={path}")
    assert result.returncode == 0 and result.stderr == ""
    assert len(path.read_text().splitlines()) == 1
    result = netns.istio_init("--dry-run", "--log_target=/nonexistent/log")
    assert result.returncode != 0 and "/nonexistent/log" in result.stderr


def test_dry_run_is_deterministic(netns):
    args = ["--dry-run", "--sidecar", "--redirect-dns", "--capture-all-dns", "-m", "TPROXY"]
    first = lib.checked(netns.istio_init(*args))
    assert all(lib.checked(netns.istio_init(*args)) == first for _ in range(5))


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
@pytest.mark.parametrize("args", [["--dry-run", "--sidecar"], ["--version"], ["--help"], ["show"], ["diff"],
                                  ["explain", "--sidecar", "out", "proto=tcp", "dst=10.0.0.5", "dport=443"]])
def test_output_to_a_full_or_closed_file_is_an_error(netns, args, redirection):
    if args == ["show"]:
        lib.checked(netns.istio_init("--sidecar"))
    result = netns.run(["sh", "-c", f'"$@" {redirection}', "sh", lib.BINARY, *args])
    assert result.returncode == 1 and "cannot write to standard output: " in result.stderr


def test_dry_run_looks_at_nothing_of_the_machine(netns):
    """It reads no file but passwd, group and resolv.conf, and asks the kernel nothing about the network."""
    for args, files in [(["-u", "1337"], set()),
                        (["-u", "nobody"], {"/etc/passwd", "/etc/group"}),
                        (["-u", "1337", "--redirect-dns"], {"/etc/resolv.conf"})]:
        result = netns.istio_init("--dry-run", "--sidecar", *args,
                                  prefix=["strace", "-f", "-e", "trace=%file,%network"])
        assert result.returncode in (0, 1)
        calls = [line for line in result.stderr.splitlines() if re.match(r"[a-z0-9_]+\(", line)]
        opened = {re.search(r'"([^"]*)"', call)[1] for call in calls if not call.startswith("execve(")}
        assert opened <= files | {"/etc/passwd"}, calls
        assert not [call for call in calls if call.startswith("socket(")]


@pytest.mark.parametrize("word", ["ipv6-icmp", "icmpv6"])
def test_explain_knows_icmp_of_ipv6(word):
    out = lib.checked(lib.run([lib.BINARY, "explain", "--sidecar", "out", f"proto={word}"]))
    assert " dst=2001:db8::" in out.splitlines()[0] and "verdict: PASSES" in out


@pytest.mark.parametrize("name, rule", [("iptables-legacy", "! --uid-owner 1337"), ("nftables", None)])
def test_explain_knows_packets_of_no_socket(name, rule):
    """xt's inverted owner match holds for them, nft's does not."""
    out = lib.checked(lib.run([lib.BINARY, "explain", "--sidecar", f"--backend={name}", "out", "dst=127.0.0.1",
                               "uid=none"]))
    assert " uid=none oif=lo " in out.splitlines()[0]
    assert rule in out if rule else "skuid" not in out


def debug_lines(netns, *args, **kwargs):
    result = netns.istio_init(*args, "--log_output_level=debug", **kwargs)
    return [line.removeprefix("istio-init: ").removeprefix("debug: ") for line in result.stderr.splitlines()]


@pytest.mark.parametrize("mode", ["REDIRECT", "TPROXY"])
def test_the_debug_level_says_what_was_tried_and_why(netns, backend, mode):
    args = ["--sidecar", "-m", mode, "--ipv6=on"]
    lines = debug_lines(netns, *args, f"--backend={backend}")
    assert len(lines) <= 40
    assert f"backend={backend}" in lines and "dry-run=false" not in lines
    for name in lib.BACKENDS:
        assert f"found {name}: 0 Istio rules, 0 of others" in lines
    assert f"to try: {backend} (as asked for)" in lines
    plan = [line.removeprefix("plan: ") for line in lines if line.startswith("plan: ")]
    assert "ip address add ::6/128 dev lo nodad" in plan
    assert ("ip rule add fwmark 1337 lookup 133 priority 32765" in plan) == (mode == "TPROXY")
    counts = [int(n) for line in plan if line.startswith("add rules") for n in re.findall(r" (\d+)(?=,|$)", line)]
    assert f"applied: {sum(counts)} rules " in lines[-1]
    again = debug_lines(netns, *args)
    assert f"found {backend}: {sum(counts)} Istio rules, 0 of others" in again
    assert f"to try: {backend} (it holds Istio rules already)" in again and "plan: nothing to do" in again
    removed = debug_lines(netns, "clean")
    assert sum(line.startswith("plan: delete rules from") for line in removed) >= 1


def test_the_debug_level_says_what_a_backend_answered(netns):
    lines = debug_lines(netns, "--sidecar", prefix=["/usr/bin/python3", "-B", lib.ROOT / "tests/deny.py", "nftables-by-policy"],
                        env={"ISTIO_INIT_BACKEND": "iptables-legacy"})
    assert any(line.startswith("found nftables: ") and "Istio rules," not in line for line in lines), lines
    assert "to try: iptables-legacy (as asked for)" in lines


def test_the_debug_level_tells_of_foreign_rules(netns):
    netns.sh("iptables-legacy -t nat -A OUTPUT -p tcp --dport 9 -j ACCEPT")
    lines = debug_lines(netns, "--sidecar")
    assert "found iptables-legacy: 0 Istio rules, 1 of others" in lines
    assert "to try: iptables-legacy, then nftables, then iptables-nft (legacy tables hold rules already)" in lines


def test_explain_traffic_is_short_and_takes_no_packet():
    """The injector's defaults fit on a screen; the same each time."""
    argv = [lib.BINARY, "explain", "traffic", "--sidecar"]
    out = lib.checked(lib.run(argv))
    assert 10 < len(out.splitlines()) <= 60
    assert out == lib.checked(lib.run(argv))
    result = lib.run([*argv, "out"])
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr == "istio-init: error: explain traffic: expected nothing behind it but options\n"


def test_explain_traffic_as_json():
    """The classes of the text, with lists that are whole, and say which values a packet has."""
    cidrs = ",".join(f"10.{n}.0.0/16" for n in range(0, 40, 2))
    argv = [lib.BINARY, "explain", "traffic", "--sidecar", "-x", cidrs, "-c", "net+,eth1", "--bypass-mark=0x100/0xff00"]
    said = lib.document(lib.checked(lib.run([*argv, "--output=json"])))
    assert (said["version"], said["command"], said["exact"]) == (1, "explain", True)
    assert len(said["classes"]) == len(lib.checked(lib.run(argv)).splitlines())
    excluded = [one for one in said["classes"] if one["because"] == ["--istio-service-exclude-cidr"]]
    assert [one["dst"] for one in excluded] == [cidrs.split(",")]
    assert (excluded[0]["direction"], excluded[0]["family"], excluded[0]["fate"]) == ("out", "ipv4", "passes")
    assert excluded[0]["mark_not"] == ["0x100/0xff00"] and excluded[0]["proto"] == ["tcp"]
    assert excluded[0]["uid"] == ["none", "0-1336", "1338-4294967295"]
    assert sorted(excluded[0]["oif_not"]) == ["eth1", "lo", "net+"]
    assert {"direction": "in", "iif": ["lo"], "fate": "passes", "because": []} in said["classes"]
    assert {one.get("port") for one in said["classes"] if one["fate"] == "redirect"} == {15001, 15006}
