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
    ["help", "clean", "show"]])
def test_two_commands_in_one_call(room, args):
    result = room.istio_init(*args)
    assert (result.returncode, result.stdout) == (64, "")
    assert len(result.stderr.splitlines()) == 1 and "two commands in one call" in result.stderr


@pytest.mark.parametrize("words, cause", [
    (["false"], "--name=false"), (["True"], "--name=false"), (["443"], "commas"), (["8000-8100"], "commas"),
    (["10.0.0.0/8"], "commas"), ([",443"], "commas"), (["eth1,", "eth2"], "commas"), (["bin", "etc"], "'*'"),
    (["bin"], "'*'"), (["frobnicate"], "the command is the first word")])
def test_stray_words_say_why(room, words, cause):
    """The program runs where a shell would put "bin" and "etc" in the place of an asterisk."""
    result = room.istio_init("apply", "--dry-run", "--sidecar", *words, cwd="/")
    assert_warned(result, f'ignored "{words[0]}"', cause)
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
    ("ISTIO_INIT_EXCLUDE_OUTBOUND_UID", "ISTIO_INIT_EXCLUDE_OUTBOUND_UIDS"), ("ISTIO_INIT_SERVICE_PORT", "")])
def test_unknown_variables_of_ours(room, variable, near):
    result = room.istio_init("--dry-run", "--sidecar", env={variable: "nftables"})
    assert_warned(result, f'unknown variable "{variable}"' + (f"; the nearest is {near}" if near else ""))
    assert near or "nearest" not in result.stderr
