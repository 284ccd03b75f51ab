# SPDX-License-Identifier: GPL-2.0-or-later
"""--output=json says what the text says.  That each document is valid is seen to by lib.run, for all tests."""

import json
import pathlib
import re

import configs
import lib
import pytest

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
TPROXY = ["--sidecar", "-m", "TPROXY", "--ipv6=on"]
FOREIGN = "-A OUTPUT -p tcp -m tcp --dport 9 -j ACCEPT"


def rules_of(backend, ours=True):
    """(family, table, text) of each rule, in order."""
    return [(table["family"], table["table"], rule["text"]) for table in backend["tables"] for chain in table["chains"]
            for rule in chain["rules"] if rule["ours"] or not ours]


def rules_of_iptables(text):
    """The same of text as iptables-save prints it."""
    found, family, table = [], None, None
    for line in text.splitlines():
        if line.startswith("# ipv"):
            family = line[2:]
        elif line.startswith("*"):
            table = line[1:]
        elif line.startswith("-A "):
            found.append((family, table, line))
    return found


def rules_of_nft(text):
    found, table = [], None
    for line in text.splitlines():
        if line.startswith("table "):
            table = line.split()[2]
        elif "counter" in line:
            found.append(("inet", table, line.strip()))
    return found


def ask(netns, *args, status=0):
    result = netns.istio_init(*args, "--output=json")
    assert result.returncode == status, result.stderr
    return lib.document(result.stdout)


@pytest.mark.parametrize("name", configs.NAMED)
def test_a_dry_run(name, public):
    args, env = configs.command_line(configs.NAMED[name], public)
    for text in [], ["--format=nft"]:
        found = lib.document(lib.checked(lib.run([lib.BINARY, "--dry-run", *args, *text, "--output=json"], env=env)))
        printed = lib.checked(lib.run([lib.BINARY, "--dry-run", *args, *text], env=env))
        assert (found["version"], found["command"]) == (1, "apply")
        [backend] = found["backends"]
        native = backend["backend"] == "nftables"
        assert rules_of(backend) == (rules_of_nft if native else rules_of_iptables)(printed)
        assert all("packets" not in rule for table in backend["tables"] for chain in table["chains"] for rule in chain["rules"])
        # Every rule is there for a reason.
        assert all(("option" in rule) != ("reason" in rule) for table in backend["tables"] for chain in table["chains"]
                   for rule in chain["rules"])


def test_a_dry_run_says_which_option_asked(public):
    command = [lib.BINARY, "--dry-run", "--sidecar", "-x", "10.0.0.0/8", "-o", "3306", "--family=ipv4", "--output=json"]
    found = lib.document(lib.checked(lib.run(command)))
    options = {rule["text"]: rule.get("option") for table in found["backends"][0]["tables"] for chain in table["chains"]
               for rule in chain["rules"]}
    assert found["backends"][0]["families"] == ["ipv4"] and found["routes"] == []
    assert options["-A ISTIO_OUTPUT -d 10.0.0.0/8 -j RETURN"] == "--istio-service-exclude-cidr"
    assert options["-A ISTIO_OUTPUT -p tcp -m tcp --dport 3306 -j RETURN"] == "--istio-local-outbound-ports-exclude"


@pytest.mark.parametrize("args", [["--sidecar"], TPROXY, ["--sidecar", "--redirect-dns", "--capture-all-dns"], ["-c", "eth7", "-b", "80"]])
def test_show(netns, backend, args):
    lib.checked(netns.istio_init(*args, f"--backend={backend}"))
    printed = lib.checked(netns.istio_init("show"))
    found = ask(netns, "show")
    [shown] = found["backends"]
    assert (found["command"], shown["backend"]) == ("show", backend)
    assert rules_of(shown) == (rules_of_nft if backend == "nftables" else rules_of_iptables)(printed)
    assert all({"packets", "bytes"} <= set(rule) for table in shown["tables"] for chain in table["chains"] for rule in chain["rules"])
    dry = lib.document(lib.checked(netns.istio_init("--dry-run", *args, f"--backend={backend}", "--output=json")))
    if "--ipv6=on" in args:
        assert sorted(found["routes"], key=str) == sorted(dry["routes"], key=str) and len(found["routes"]) == 5
        assert rules_of(shown) == rules_of(dry["backends"][0])
        assert ask(netns, "show", "--family=ipv4")["routes"] == [route for route in found["routes"] if route["family"] == "ipv4"]
    lib.checked(netns.istio_init("clean", *args))
    assert ask(netns, "show") == {"version": 1, "command": "show", "backends": [], "routes": []}


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_show_tells_ours_from_others_and_counts(netns, backend):
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    netns.sh(f"{backend} -t nat -I {FOREIGN[3:]}; {backend} -t nat -N A; {backend} -t nat -A A -j RETURN")
    [shown] = ask(netns, "show")["backends"]
    foreign = sorted(set(rules_of(shown, ours=False)) - set(rules_of(shown)))
    assert foreign == [("ipv4", "nat", FOREIGN)]
    chains = {chain["chain"] for table in shown["tables"] for chain in table["chains"]}
    assert "OUTPUT" in chains and "A" not in chains


def test_live_routes_become_what_show_prints(netns):
    """The text of each is a command that makes it."""
    lib.checked(netns.istio_init(*TPROXY))
    before, routes = netns.plumbing(), ask(netns, "show")["routes"]
    netns.sh("ip rule del lookup 133; ip -6 rule del lookup 133; ip route flush table 133; ip -6 route flush table 133; "
             "ip addr del ::6/128 dev lo")
    assert netns.plumbing() != before
    netns.sh("; ".join(route["text"] for route in routes))
    assert netns.plumbing() == before


def test_diff(netns, backend):
    args = ["--sidecar", f"--backend={backend}", "--ipv6=on"]
    lib.checked(netns.istio_init(*args))
    assert ask(netns, "diff", *args) == {
        "version": 1, "command": "diff", "backend": backend, "equal": True, "refused": None, "actions": []}
    found = ask(netns, "diff", *args, "-m", "TPROXY", "-o", "99", status=2)
    assert not found["equal"]
    refusal = netns.istio_init(*args, "-m", "TPROXY", "-o", "99")
    assert refusal.returncode == 1 and f"error: {found['refused']}\n" in refusal.stderr
    printed = netns.istio_init("diff", *args, "-m", "TPROXY", "-o", "99").stdout
    for sign, action in ("+", "add"), ("-", "delete"):
        rules = [one["text"] for one in found["actions"] if (one["action"], one["kind"]) == (action, "rule")]
        pattern = rf"(?m)^\{sign}\s+(.*counter.*)$" if backend == "nftables" else rf"(?m)^\{sign}(-A .*)$"
        assert set(re.findall(pattern, printed)) <= set(rules)
        routes = [one for one in found["actions"] if one["action"] == action and one["kind"] in ("iprule", "route", "address")]
        assert len(routes) == len(re.findall(rf"(?m)^\{sign}ip ", printed)) == (4 if action == "add" else 0)
    assert all(one["backend"] == backend for one in found["actions"] if one["kind"] in ("rule", "chain", "table"))
    lib.checked(netns.istio_init(*args, "-m", "TPROXY", "-o", "99", "--reconcile"))
    assert ask(netns, "diff", *args, "-m", "TPROXY", "-o", "99")["equal"]


def test_the_actions_of_a_diff_are_those_of_an_apply_in_an_empty_netns(netns, backend):
    args = [*TPROXY, f"--backend={backend}"]
    found = ask(netns, "diff", *args, status=2)
    assert found["refused"] is None and {one["action"] for one in found["actions"]} == {"add"}
    lib.checked(netns.istio_init(*args))
    shown = ask(netns, "show")
    added = [(one["family"], one["table"], one["text"]) for one in found["actions"] if one["kind"] == "rule"]
    assert sorted(added) == sorted(rules_of(shown["backends"][0]))
    routes = [one["text"] for one in found["actions"] if one["kind"] in ("iprule", "route", "address")]
    assert sorted(routes) == sorted(one["text"] for one in shown["routes"])


def test_a_diff_of_another_backend_says_what_goes(netns):
    lib.checked(netns.istio_init("--sidecar", "--backend=nftables"))
    found = ask(netns, "diff", "--sidecar", "--backend=iptables-legacy", status=2)
    assert "backend nftables holds Istio rules" in found["refused"] and found["backend"] == "iptables-legacy"
    assert {(one["action"], one["backend"]) for one in found["actions"] if one["kind"] == "table"} >= {("delete", "nftables")}


PACKETS = [["out"], ["out", "dst=10.0.0.5", "dport=443"], ["out", "uid=1337"], ["out", "dst=127.0.0.1"], ["in", "dport=15090"],
           ["in"], ["out", "proto=udp", "dport=53"], ["in", "dst=2001:db8::1"], ["out", "ctstate=established"],
           ["in", "ctstate=invalid"], ["out", "proto=icmp"], ["in", "mark=0x539"],
           ["out", "flags=ack"]]


@pytest.mark.parametrize("words", PACKETS)
@pytest.mark.parametrize("args", [["--sidecar"], TPROXY, ["--sidecar", "-x", "10.0.0.0/8", "--drop-invalid"],
                                  ["--sidecar", "--backend=nftables", "--redirect-dns", "--capture-all-dns"]])
def test_explain(netns, words, args):
    printed = lib.checked(netns.istio_init("explain", *args, *words))
    found = ask(netns, "explain", *args, *words)
    verdict = found["verdict"]
    assert printed.endswith(f"verdict: {verdict['text']}\n")
    assert verdict["certain"] and "unless" not in verdict
    assert verdict["captured"] == (": captured" in verdict["text"])
    assert verdict.get("port") == (int(re.search(r" to :(\d+)", verdict["text"])[1]) if " to :" in verdict["text"] else None)
    assert verdict["fate"] == {"REDI": "redirect", "TPRO": "tproxy", "PASS": "passes", "DROP": "drop"}[verdict["text"][:4]]
    for option in re.findall("because of (--[a-z-]+)", verdict["text"]):
        assert verdict["because"][0].startswith(option)
    assert verdict["because"] or verdict["fate"] == "passes"
    lines = [line.strip() for line in printed.splitlines()[1:-1] if line.startswith("  ")]
    assert len(lines) == len(found["steps"])
    for line, step in zip(lines, found["steps"]):
        assert line.startswith(step["rule"]) and step["ours"] and step["readable"]
        assert line.endswith(f"({step.get('option', step.get('reason'))})") == ("option" in step or "reason" in step)
    assert found["packet"]["direction"] == words[0]


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_explain_live(netns, backend):
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    netns.sh(f"""{backend} -t nat -I OUTPUT -m addrtype --dst-type LOCAL -j ACCEPT
        nft add table inet fw; nft add chain inet fw out '{{ type filter hook output priority 0; }}'; nft add rule inet fw out drop""")
    verdict = ask(netns, "explain", "--live", "out")["verdict"]
    assert not verdict["certain"] and verdict["fate"] == "redirect" and verdict["captured"]
    assert [line.split(":")[0] for line in verdict["unless"]] == [
        "unless it is decided otherwise by table inet fw, which istio-init does not read"]
    netns.sh(f"{backend} -t nat -D OUTPUT 1; {backend} -t nat -I OUTPUT -p tcp -j DNAT --to-destination 10.9.9.9:81; nft delete table inet fw")
    found = ask(netns, "explain", "--live", "out")
    verdict = found["verdict"]
    assert (verdict["fate"], verdict["address"], verdict["port"], verdict["captured"], verdict["certain"]) == (
        "dnat", "10.9.9.9", 81, False, True)
    assert verdict["because"] == ["-t nat -A OUTPUT -p tcp -j DNAT --to-destination 10.9.9.9:81"]
    assert not found["steps"][-1]["ours"]


def test_explain_live_what_is_lost(netns, backend):
    lib.checked(netns.istio_init(*TPROXY, f"--backend={backend}"))
    netns.ip("rule del lookup 133")
    verdict = ask(netns, "explain", "--live", "in")["verdict"]
    assert (verdict["fate"], verdict["captured"]) == ("lost", False) and "port" not in verdict


@pytest.mark.parametrize("args, names", [
    (["--sidecar"], "--output"), (["apply", "--sidecar"], "--output"), (["clean"], "--output"), (["clean", "--dry-run"], "--output"),
    (["--dry-run", "--sidecar", "--format=mermaid"], "--output and --format")])
def test_where_there_is_no_document_it_is_an_error(netns, args, names):
    before = netns.snapshot()
    for more, env in (["--output=json"], {}), ([], {"ISTIO_INIT_OUTPUT": "json"}):
        result = netns.istio_init(*args, *more, env=env)
        assert (result.returncode, result.stdout) == (64, "")
        assert f"error: {names if more else names.replace('--output', 'ISTIO_INIT_OUTPUT')} " in result.stderr
    assert netns.snapshot() == before


def test_errors_stay_errors(netns):
    for args, status in (["explain", "outt"], 64), (["diff", "-b", "http"], 64), (["show", "--network-namespace=/dev/null"], 1):
        result = netns.istio_init(*args, "--output=json")
        assert result.stdout == "" and result.returncode not in (0, 2) and result.stderr
        assert result.returncode == netns.istio_init(*args).returncode


def test_texts_of_others_are_strings(netns):
    comment = 'quo"te back\\slash \u00e9 \u202e \t'
    lib.checked(netns.istio_init("--sidecar", "--backend=iptables-nft"))
    lib.checked(netns.run(["iptables-nft", "-t", "nat", "-I", "OUTPUT", "-p", "tcp", "-m", "comment", "--comment", comment, "-j", "ACCEPT"]))
    [shown] = ask(netns, "show")["backends"]
    [(_, _, text)] = set(rules_of(shown, ours=False)) - set(rules_of(shown))
    assert r'quo\"te' in text and "\u00e9" in text


def test_the_summary_line_of_a_json_log(netns, backend):
    args = ["--sidecar", f"--backend={backend}", "--log_as_json", "--ipv6=on"]
    for changed in True, False:
        entry = json.loads(netns.istio_init(*args).stderr)
        rules, = re.findall(r"(\d+) rules", entry["msg"])
        assert list(entry) == ["level", "time", "scope", "backend", "reason", "rules", "families", "milliseconds", "changed", "msg"]
        assert (entry["backend"], entry["reason"], entry["rules"], entry["families"], entry["changed"]) == (
            backend, "as asked for", int(rules), ["ipv4", "ipv6"], changed)
        assert f"in {entry['milliseconds']:.2f} ms" in entry["msg"]
    assert json.loads(netns.istio_init("--sidecar", "--ipv6=off", "--reconcile", "--log_as_json").stderr)["families"] == ["ipv4"]
    for changed in True, False:
        entry = json.loads(netns.istio_init("clean", "--log_as_json").stderr)
        assert (entry["changed"], entry["rules"] > 0, entry["left"]) == (changed, changed, 0)


MANY = ["--sidecar", "-o", ",".join(map(str, range(100, 160, 2)))]


def test_a_refusal_carries_its_diff(netns, backend):
    lib.checked(netns.istio_init("--sidecar", f"--backend={backend}"))
    whole = netns.istio_init("diff", *MANY).stdout
    plain, logged = (netns.istio_init(*MANY, *words) for words in ([], ["--log_as_json"]))
    error, remedy = map(json.loads, logged.stderr.splitlines())
    assert (logged.returncode, logged.stdout, error["diff"]) == (1, "", plain.stdout)
    assert error["msg"].startswith("the live Istio rules are not those") and "diff" not in remedy
    if backend == "nftables":
        assert plain.stdout == whole
        return
    lines, shown = whole.splitlines(), plain.stdout.splitlines()
    assert len(lines) > 41 and shown == [*lines[:40], f"... and {len(lines) - 40} more lines, which istio-init diff prints"]
