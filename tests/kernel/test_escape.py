# SPDX-License-Identifier: GPL-2.0-or-later
"""What others have put into the kernel's rules can neither end a line of ours nor move a cursor, nor look like another rule."""

import json
import re

import lib
import pytest

NASTY = 'a\nb\x1b[2J\r"\\\'\x7f\u202e\u2028é'
SHOWN = r'a\nb\x1b[2J\r\"\\%s\x7f\u202e\u2028é'
PACKET = ["out", "dst=192.0.2.7"]


def put_json(netns, *commands):
    lib.checked(netns.run(["nft", "-j", "-f", "-"], input=json.dumps({"nftables": list(commands)})))


def put_rule(netns, backend, comment, chain=None, istio=False):
    """A rule of OUTPUT (of Istio's own chain) with that comment, which jumps to a chain of that name."""
    if backend != "nftables":
        target = ["-j", chain] if chain else ["-j", "RETURN"]
        hook = "ISTIO_OUTPUT" if istio else "OUTPUT"
        lib.checked(netns.run([backend, "-t", "nat", "-I", hook, "-d", "192.0.2.7", "-m", "comment", "--comment", comment, *target]))
        return
    where = {"family": "inet", "table": "istio-proxy-nat", "chain": "istio-output" if istio else "output"}
    test = {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": "192.0.2.7"}}
    end = {"jump": {"target": chain}} if chain else {"return": None}
    put_json(netns, {"insert": {"rule": {**where, "expr": [test, end], "comment": comment}}})


def put_chain(netns, backend, name):
    if backend == "iptables-legacy":
        lib.checked(netns.run([backend, "-t", "nat", "-N", name]))
        return
    family, table = ("inet", "istio-proxy-nat") if backend == "nftables" else ("ip", "nat")
    put_json(netns, {"add": {"chain": {"family": family, "table": table, "name": name}}})


def assert_clean(text):
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e\u2028]", text.replace("\t", "")), repr(text)


def lines_with(text, word):
    return [line for line in text.splitlines() if word in line]


@pytest.mark.parametrize("istio", [True, False], ids=["istio's chain", "built-in chain"])
def test_comments(istio, backend, netns):
    args = ["--sidecar", f"--backend={backend}"]
    lib.checked(netns.istio_init(*args))
    put_rule(netns, backend, NASTY, istio=istio)
    shown = SHOWN % (r"\'" if backend != "nftables" else "'")
    said = [netns.istio_init("explain", "--live", *PACKET)]
    # In the native tables everything is ours.
    if istio or backend == "nftables":
        said += [netns.istio_init("show"), netns.istio_init("diff", *args), netns.istio_init(*args)]
        assert [result.returncode for result in said] == [0, 0, 2, 1]
    for result in said:
        assert_clean(result.stdout + result.stderr)
        assert len(lines_with(result.stdout, shown)) == 1, result.stdout


def test_a_quote_in_a_comment_ends_nothing(backend, netns):
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    put_rule(netns, backend, 'x" -j ACCEPT comment "', istio=True)
    shown = lib.checked(netns.istio_init("show"))
    assert len(lines_with(shown, r'"x\" -j ACCEPT comment \""')) == 1, shown


# iptables-legacy takes no blanks in the name of a chain.
@pytest.mark.parametrize(("name", "shown"), [
    ("A\x1b[2J", r'"A\x1b[2J"'), ("A\\\"", r'"A\\\""'), ("B\n-A OUTPUT", r'"B\n-A OUTPUT"'), ("C -j DROP", '"C -j DROP"'),
    ("D\u2028", r'"D\u2028"')])
def test_names_of_chains(name, shown, backend, netns):
    if backend == "iptables-legacy" and re.search(r"\s", name):
        name, shown = name.translate({10: "\x0e", 32: "\x0f", 0x2028: "\x10"}), shown.replace("\\n", "\\x0e").replace(
            " ", "\\x0f").replace("\\u2028", "\\x10")
    args = ["--sidecar", f"--backend={backend}"]
    lib.checked(netns.istio_init(*args))
    put_chain(netns, backend, name)
    if backend == "iptables-nft":
        put_json(netns, {"insert": {"rule": {"family": "ip", "table": "nat", "chain": "OUTPUT", "expr": [{"jump": {"target": name}}]}}})
    else:
        put_rule(netns, backend, "c", name)
    said = netns.istio_init("explain", "--live", *PACKET)
    assert_clean(said.stdout + said.stderr)
    assert len(lines_with(said.stdout, shown)) == 1, said.stdout
    if backend == "nftables":
        for command in ["show"], ["diff", *args]:
            text = netns.istio_init(*command).stdout
            assert_clean(text)
            assert f"chain {shown} {{\n" in text and f"jump {shown} comment" in text, text


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_names_of_interfaces_in_logs(backend, netns):
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    lib.checked(netns.run([backend, "-t", "nat", "-A", "OUTPUT", "-o", 'e\x1b"\x07', "-j", "RETURN"]))
    for options in [], ["--log_as_json"]:
        result = netns.istio_init("diff", "--sidecar", *options)
        assert_clean(result.stderr)
        [line] = lines_with(result.stderr, "left alone")
        if options:
            line = json.loads(line)["msg"]
        assert line.endswith(r'-t nat -A OUTPUT -o "e\x1b\"\x07" -j RETURN'), line


def test_names_of_other_tables(netns):
    put_json(netns, {"add": {"table": {"family": "inet", "name": "t\n\x1b"}}}, {"add": {"chain": {
        "family": "inet", "table": "t\n\x1b", "name": "c d;", "type": "nat", "hook": "output", "prio": -110, "policy": "drop"}}})
    said = netns.istio_init("explain", "--live", *PACKET)
    assert_clean(said.stdout + said.stderr)
    assert lines_with(said.stdout, r'by table inet "t\n\x1b", which istio-init does not read: chain "c d;" (nat hook output, priority -110)')


@pytest.mark.backends("iptables-legacy", "nftables")
def test_a_refusal_ends_with_the_error_and_its_remedy(backend, netns):
    """Also where both go into one pipe, as a container's log."""
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    result = netns.run(["sh", "-c", f"{lib.BINARY} --sidecar -x 10.0.0.0/8 2>&1"])
    assert result.returncode == 1
    *diff, error, remedy = result.stdout.splitlines()
    assert diff[0] == "--- live" and not any(line.startswith("istio-init: error") for line in diff)
    assert error.startswith("istio-init: error: the live Istio rules are not those")
    assert remedy.startswith("istio-init: error: run again with --reconcile")
