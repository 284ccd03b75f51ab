# SPDX-License-Identifier: GPL-2.0-or-later
"""Words that mean nothing, or two things: what the message says, and that nothing is done."""

import re

import lib
import pytest
from messages import assert_refused, assert_warned


@pytest.mark.parametrize("option, near", [
    ("--istio-inbound-port", "--istio-inbound-ports"), ("--envoyport", "--envoy-port"), ("--dryrun", "--dry-run"),
    ("--istio-service-cidrs=*", "--istio-service-cidr"), ("--redirect_dns", "--redirect-dns")])
def test_unknown_options_name_the_nearest(room, option, near):
    result = room.istio_init(option)
    assert_refused(result, option.split("=")[0], "")
    assert re.search(rf"{near}(?![\w-])", result.stderr)


@pytest.mark.parametrize("args", [["--istio-inbound", "80"], ["--side"], ["--dry"], ["-y"], ["-ny"], ["--=1"], ["-="],
                                  ["---dry-run"], ["--Sidecar"]])
def test_unknown_options(room, args):
    result = room.istio_init(*args)
    assert (result.returncode, result.stdout) == (64, "")
    assert 1 <= len(result.stderr.splitlines()) <= 2


@pytest.mark.parametrize("word, near", [("aply", "apply"), ("clena", "clean"), ("dif", "diff"), ("shwo", "show"),
                                        ("explane", "explain"), ("versoin", "version"), ("halp", "help")])
def test_unknown_commands_name_the_nearest_and_apply_nothing(room, word, near):
    for args in [word], [word, "--sidecar"], ["--sidecar", word]:
        result = room.istio_init(*args)
        assert (result.returncode, result.stdout) == (64, "")
        assert word in result.stderr and re.search(rf"\b{near}\b", result.stderr)
    assert room.snapshot() == room.before


@pytest.mark.parametrize("args, here", [
    (["uninstall"], "clean"), (["remove", "--sidecar"], "clean"), (["delete"], "clean"), (["cleanup"], "clean"),
    (["istio-clean-iptables"], "clean"), (["status"], "show"), (["list"], "show"), (["get"], "show"),
    (["validate"], "--run-validation"), (["verify"], "--run-validation"), (["help", "uninstall"], "clean"),
    (["traffic.sidecar.istio.io/excludeOutboundIPRanges=10.0.0.0/8"], "--istio-service-exclude-cidr (-x)"),
    (["--sidecar.istio.io/interceptionMode=TPROXY"], "--istio-inbound-interception-mode (-m)"),
    (["--incoming-proxy-port", "4143"], "--inbound-capture-port (-z)"),
    (["--subnets-to-ignore=10.0.0.0/8"], "--istio-service-exclude-cidr (-x)"), (["--netns=/x"], "--network-namespace"),
    (["--kuma-dp-uid=5678"], "--proxy-uid (-u)"), (["--redirect-all-dns-traffic"], "--capture-all-dns"),
    (["--ip-family-mode=ipv4"], "--ipv6"), (["--clean"], "clean"), (["dry-run"], "--dry-run (-n)")])
def test_words_of_elsewhere(room, args, here):
    result = room.istio_init(*args)
    assert (result.returncode, result.stdout) == (64, "")
    [line] = result.stderr.splitlines()
    assert re.search(rf'; (here it|there) is .*{re.escape(here)}"?$', line)


def test_every_answer_to_a_word_of_elsewhere_is_there():
    words = re.findall(r'(?m)^\t"([\w-]+)\\0([\w-]+)\\0"$', (lib.ROOT / "src/cli/guess.c").read_text())
    assert len(words) > 40
    for word, here in words:
        message = lib.run([lib.BINARY, f"--{word}=1"]).stderr
        assert message.startswith(f'istio-init: error: unknown option "--{word}=1"; here it is ') and here in message
        assert lib.run([lib.BINARY, *([here] if here[0] != "-" else []), "--help"]).returncode == 0
        assert here[0] != "-" or f"{here}" in lib.run([lib.BINARY, "--help"]).stdout


@pytest.mark.parametrize("args", [["frobnicate"], ["--frobnicate"], ["--x"], ["up"], [""], ["-y"]])
def test_what_is_far_from_everything_is_not_named(room, args):
    result = room.istio_init(*args)
    assert (result.returncode, result.stdout) == (64, "")
    assert "nearest" not in result.stderr and "here" not in result.stderr and "istio-init help" in result.stderr


@pytest.mark.parametrize("args", [
    ["clean", "diff"], ["show", "clean"], ["clean", "apply", "--sidecar"], ["clean", "clean"], ["clean", "help"],
    ["--sidecar", "apply", "x", "clean"], ["istio-iptables", "init", "x", "clean"], ["clean", "--", "diff"],
    ["help", "clean", "show"], ["clean", "status"], ["show", "cleanup"], ["istio-iptables", "uninstall"],
    ["init", "--sidecar", "remove"]])
def test_two_commands_in_one_call(room, args):
    """Words of elsewhere are commands, too."""
    result = room.istio_init(*args)
    assert (result.returncode, result.stdout) == (64, "")
    assert len(result.stderr.splitlines()) == 1 and "two commands in one call" in result.stderr


@pytest.mark.parametrize("words, cause", [
    (["false"], "--name=false"), (["True"], "--name=false"), (["443"], "commas"), (["8000-8100"], "commas"),
    (["10.0.0.0/8"], "commas"), ([",443"], "commas"), (["eth1,", "eth2"], "commas"), (["bin", "etc"], "'*'"),
    (["bin"], "'*'"), (["frobnicate"], "the command is the first word"), (["reconcile"], "there is --reconcile"),
    (["validate"], "here it is --run-validation"), (["--", "\u2013x"], "its dash")])
def test_stray_words_say_why(room, words, cause):
    """The program runs where a shell would put "bin" and "etc" in the place of an asterisk."""
    result = room.istio_init("apply", "--dry-run", "--sidecar", *words, cwd="/")
    word = words[-1] if words[0] == "--" else words[0]
    assert_warned(result, f'ignored "{word}"', cause)
    assert result.stdout == room.istio_init("--dry-run", "--sidecar").stdout
    result = room.istio_init("--sidecar", *words, cwd="/")
    assert (result.returncode, result.stdout) == (64, "")
    assert cause in result.stderr or words == ["frobnicate"]


@pytest.mark.parametrize("args, empty", [
    (["-b", "-i", "*"], "--istio-inbound-ports="), (["-x", "--dry-run"], "--istio-service-exclude-cidr="),
    (["-o", "--istio-service-cidr=*"], "--istio-local-outbound-ports-exclude="), (["--wait", "-n"], "--wait=")])
def test_an_option_in_the_place_of_a_value(room, args, empty):
    assert_refused(room.istio_init("--sidecar", *args), empty.rstrip("="), f'"{args[1]}" is an option')
    assert f"an empty value is written {empty}" in room.istio_init(*args).stderr
    assert room.istio_init("--dry-run", f"--resolv-conf={args[1]}").returncode == 0


@pytest.mark.parametrize("args, names", [
    (["--iptables-trace-logging"], ["--iptables-trace-logging"]),
    (["--restore-format=false"], ["--restore-format (-f)"]),
    (["-f"], ["--restore-format (-f)"]), (["--iptables-version", "1.8.9"], ["--iptables-version"])])
def test_options_of_older_releases(room, args, names):
    result = room.istio_init("--dry-run", "--sidecar", *args)
    assert_warned(result, *names, "has no effect")
    assert result.stdout == room.istio_init("--dry-run", "--sidecar").stdout


@pytest.mark.parametrize("variable, near", [
    ("ISTIO_INIT_BAKCEND", "ISTIO_INIT_BACKEND"), ("ISTIO_INIT_DRY_RUN", "DRY_RUN"), ("ISTIO_INIT_", ""),
    ("ISTIO_INIT_EXCLUDE_OUTBOUND_UID", "ISTIO_INIT_EXCLUDE_OUTBOUND_UIDS"), ("ISTIO_INIT_SERVICE_PORT", ""),
    ("ISTIO_INIT_BACKEND\u200b", "ISTIO_INIT_BACKEND")])
def test_unknown_variables_of_ours(room, variable, near):
    result = room.istio_init("--dry-run", "--sidecar", env={variable: "nftables"})
    shown = variable.replace("\u200b", r"\u200b")
    assert_warned(result, f'unknown variable "{shown}"' + (f"; the nearest is {near}" if near else ""))
    assert near or "nearest" not in result.stderr


def test_the_name_of_an_unknown_variable_may_be_long(room):
    result = room.istio_init("--dry-run", "--sidecar", env={"ISTIO_INIT_" + 500 * "A": "1"})
    assert_warned(result, 'unknown variable "ISTIO_INIT_AAAA', '"...')
    assert len(result.stderr) < 200


@pytest.mark.parametrize("invisible, shown", [
    ("\ufeff", r"\ufeff"), ("\u200b", r"\u200b"), ("\u00a0", r"\u00a0"), ("\u202e", r"\u202e"), ("\x7f", r"\x7f")])
def test_what_cannot_be_seen_is_shown(room, invisible, shown):
    path = room.dir / "list"
    path.write_text(f"10.0.0.0/8\n{invisible}10.1.0.0/16\n", encoding="utf-8")
    for args in [[f"{invisible}clean"], [f"--side{invisible}car"], ["-b", f"80,{invisible}x"], ["-m", f"{invisible}TPROXY"],
                 ["-x", f"@{path}"], ["explain", f"{invisible}out"], ["explain", "out", f"dst={invisible}10.0.0.5"]]:
        result = room.istio_init(*args)
        assert (result.returncode, result.stdout) == (64, "")
        assert shown in result.stderr.splitlines()[0] and result.stderr.replace("\n", "").isprintable()


def test_a_dash_that_is_none(room):
    for dash in "\u2010", "\u2013", "\u2014", "\u2212":
        result = room.istio_init(f"{dash}x", "10.0.0.0/8")
        assert (result.returncode, result.stdout) == (64, "")
        assert "its dash is not the one of the keyboard" in result.stderr.splitlines()[1]
