# SPDX-License-Identifier: GPL-2.0-or-later
"""Every spelling of every option means the same; who wins over whom."""

import json
import re

import configs
import lib
import pytest

SAMPLES = {
    "envoy-port": "16001", "inbound-capture-port": "16006", "inbound-tunnel-port": "16008", "proxy-uid": "7,8",
    "proxy-gid": "9", "istio-inbound-interception-mode": "TPROXY", "istio-inbound-ports": "81,82",
    "istio-local-exclude-ports": "83", "istio-service-cidr": "10.0.0.0/8,fd00::/8",
    "istio-service-exclude-cidr": "10.9.0.0/16", "istio-outbound-ports": "84", "istio-exclude-interfaces": "eth7",
    "istio-local-outbound-ports-exclude": "85", "kube-virt-interfaces": "vm7", "istio-inbound-tproxy-mark": "0x99",
    "istio-inbound-tproxy-route-table": "77", "dry-run": True, "redirect-dns": True, "capture-all-dns": True,
    "drop-invalid": True, "dual-stack": True, "run-validation": True, "iptables-probe-port": "15777",
    "probe-timeout": "1m30s", "skip-rule-apply": True, "network-namespace": "/proc/self/ns/net", "cni-mode": True,
    "reconcile": True, "cleanup-only": True, "force-apply": True, "native-nftables": True,
    "force-iptables-binary": "legacy", "log_output_level": "default:debug", "log_as_json": True,
    "log_target": "/dev/stderr", "log_stacktrace_level": "default:none", "log_caller": "default", "vklog": "3",
    "sidecar": True, "backend": "iptables-legacy", "ipv6": "off", "family": "ipv4", "format": "iptables",
    "output": "json", "resolv-conf": "/dev/null", "dns-port": "5353", "dns-zones": "off", "exclude-outbound-uids": "7,100-200",
    "exclude-outbound-gids": "9-10", "exclude-outbound-ports-for-uids": "tcp:80,90-99:5,7-8",
    "exclude-inbound-cidrs": "10.0.0.0/8", "bypass-mark": "0x10/0xf0", "long-lists": "linear", "jump": "insert",
    "inner-interfaces": "br7,veth+", "keep-connections": True, "wait": "1s",
    "allow-host-netns": True, "comments": True, "iptables-trace-logging": True, "restore-format": True,
    "iptables-version": "1.8.9",
}
# What an option needs beside it to show in the rules.
BESIDE = {"istio-local-exclude-ports": ["-b", "*"], "istio-inbound-tproxy-mark": ["-m", "TPROXY"],
          "redirect-dns": ["--capture-all-dns", "--resolv-conf=/dev/null"],
          "capture-all-dns": ["--redirect-dns", "--resolv-conf=/dev/null"],
          "dns-port": ["--redirect-dns", "--capture-all-dns", "--resolv-conf=/dev/null"],
          "dns-zones": ["--redirect-dns", "--capture-all-dns", "--resolv-conf=/dev/null"]}
# Options that leave the text of a dry run as it is.
SILENT = {"istio-inbound-tproxy-route-table", "dry-run", "dual-stack", "run-validation", "iptables-probe-port",
          "probe-timeout", "skip-rule-apply", "network-namespace", "cni-mode", "reconcile", "force-apply",
          "native-nftables", "force-iptables-binary", "log_output_level", "log_as_json", "log_target",
          "log_stacktrace_level", "log_caller", "vklog", "backend", "format", "resolv-conf", "long-lists", "jump", "wait",
          "allow-host-netns", "iptables-trace-logging", "restore-format", "iptables-version"}
# Options that are not in the configuration, as they change nothing.
IGNORED = {"vklog", "iptables-trace-logging", "restore-format", "iptables-version"}


def dry_run(netns, *args, env=None):
    return lib.checked(netns.istio_init("--dry-run", *args, env=env))


def effective(netns, *args, env=None):
    """The effective configuration that the debug level shows, {name: value}."""
    result = netns.istio_init("--dry-run", "--log_output_level=debug", "--log_as_json", *args, env=env)
    lib.checked(result)
    messages = [json.loads(line)["msg"] for line in result.stderr.splitlines()]
    return dict(found.groups() for message in messages if (found := re.fullmatch(r"([a-zA-Z0-9_-]+)=(.*)", message)))


@pytest.mark.parametrize("name", configs.OPTIONS)
def test_spellings(netns, name):
    """Long, short, variable and alias have one effect, and it is not that of the default."""
    value = SAMPLES[name]
    if name == "native-nftables" or name == "force-iptables-binary":
        beside = ["--format=iptables"]
    else:
        beside = BESIDE.get(name, [])
    default = dry_run(netns, *beside)
    seen, shown = set(), []
    for spelling in configs.spellings(name, value):
        args, env = ([], spelling) if isinstance(spelling, dict) else (spelling, {})
        seen.add(dry_run(netns, *beside, *args, env=env))
        if not name.startswith("log_"):
            shown.append(effective(netns, *beside, *args, env=env))
    assert len(seen) == 1
    assert all(one == shown[0] for one in shown)
    if name in SILENT:
        assert seen == {default}
    else:
        assert seen != {default}
    if shown and name not in {"dry-run", *IGNORED}:
        assert shown[0] != effective(netns, *beside), "the debug level does not show it"


@pytest.mark.parametrize("name", [name for name in configs.OPTIONS if SAMPLES[name] is True])
def test_boolean_spellings(netns, name):
    beside = [*BESIDE.get(name, []), "--format=iptables"]
    on = [dry_run(netns, *beside, f"--{name}={word}") for word in "1 t T true TRUE True".split()]
    if name != "dry-run":
        off = [dry_run(netns, *beside, f"--{name}={word}") for word in "0 f F false FALSE False".split()]
        assert set(off) == {dry_run(netns, *beside)}
    assert len(set(on)) == 1
    result = netns.istio_init("--dry-run", f"--{name}=yes")
    assert (result.returncode, result.stdout) == (64, "")
    assert f"--{name}" in result.stderr and "yes" in result.stderr


def test_last_occurrence_wins(netns):
    assert dry_run(netns, "-b", "80", "-b81", "--istio-inbound-ports=82") == dry_run(netns, "-b", "82")
    assert dry_run(netns, "-b", "82", "-b", "") == dry_run(netns)
    assert dry_run(netns, "--drop-invalid", "--drop-invalid=false") == dry_run(netns)


def test_port_exclusions_for_uids_add_up(netns):
    text = dry_run(netns, "--exclude-outbound-ports-for-uids=tcp:1:2", "--exclude-outbound-ports-for-uids", "udp:3:4")
    assert "--dport 1 -m owner --uid-owner 2" in text and "--dport 3 -m owner --uid-owner 4" in text


def test_short_booleans_are_bundled(netns):
    wanted = dry_run(netns, "-b", "*")
    for args in ["-nb", "*"], ["-nb*"], ["-nb=*"], ["-n", "-b", "*"], ["-b*", "-n"]:
        assert lib.checked(netns.istio_init(*args)) == wanted


def test_double_dash_ends_the_options(netns):
    result = netns.istio_init("apply", "--dry-run", "-b", "80", "--", "--istio-inbound-ports=90")
    assert lib.checked(result) == dry_run(netns, "-b", "80")
    assert len(result.stderr.splitlines()) == 1 and "--istio-inbound-ports=90" in result.stderr


def test_a_stray_word_is_ignored_with_one_warning(netns):
    result = netns.istio_init("apply", "stray", "--dry-run", "--sidecar")
    assert lib.checked(result) == dry_run(netns, "--sidecar")
    assert len(result.stderr.splitlines()) == 1 and "stray" in result.stderr


@pytest.mark.parametrize("name", [name for name, (_, variable, _) in configs.OPTIONS.items() if variable])
def test_the_command_line_beats_the_variables(netns, name):
    _, variable, alias = configs.OPTIONS[name]
    value = SAMPLES[name]
    word = "true" if value is True else value
    other = {"native-nftables": "false"}.get(name, "false" if value is True else {
        "istio-inbound-interception-mode": "REDIRECT", "ipv6": "on", "family": "ipv6", "dns-zones": "on",
        "long-lists": "auto", "jump": "auto", "backend": "auto", "format": "iptables", "output": "text", "force-iptables-binary": "nft"}.get(name, "1"))
    beside = BESIDE.get(name, ["--format=iptables"])
    wanted = effective(netns, *beside, f"--{name}={word}")
    for variables in [{variable: other}, {alias: other}, {variable: other, alias: other}]:
        if None not in variables:
            assert effective(netns, *beside, f"--{name}={word}", env=variables) == wanted


@pytest.mark.parametrize("name", [name for name, (_, _, alias) in configs.OPTIONS.items() if alias])
def test_the_alias_beats_the_variable(netns, name):
    _, variable, alias = configs.OPTIONS[name]
    on, off = (effective(netns, f"--{name}={word}", "--resolv-conf=/dev/null") for word in ("true", "false"))
    assert on != off
    assert effective(netns, "--resolv-conf=/dev/null", env={variable: "true", alias: "false"}) == off
    assert effective(netns, "--resolv-conf=/dev/null", env={variable: "false", alias: "true"}) == on


def test_envoy_port_is_no_variable(netns):
    assert dry_run(netns, env={"ENVOY_PORT": "9"}) == dry_run(netns)


def test_an_empty_variable_counts_as_set(netns):
    assert dry_run(netns, "--sidecar", env={"ISTIO_INBOUND_PORTS": "", "ISTIO_SERVICE_CIDR": ""}) == dry_run(netns)
    assert dry_run(netns, env={"PROXY_UID": "", "PROXY_GID": ""}) == dry_run(netns)
    assert dry_run(netns, env={"PROXY_UID": "5", "PROXY_GID": ""}) == dry_run(netns, "-u5", "-g5")
    assert "ISTIO_OUTPUT -j RETURN" in dry_run(netns, env={"ISTIO_OUTBOUND_OWNER_GROUPS": ""})


def test_sidecar_gives_only_defaults(netns):
    wanted = dry_run(netns, "-i", "*", "-b", "*", "-d", "15090,15021,15020", "-m", "REDIRECT")
    assert dry_run(netns, "--sidecar") == wanted
    assert dry_run(netns, env={"ISTIO_INIT_SIDECAR": "true"}) == wanted
    narrowed = dry_run(netns, "-i", "*", "-b", "80", "-d", "15090,15021,15020")
    assert dry_run(netns, "--sidecar", "-b", "80") == narrowed
    assert dry_run(netns, "-b", "80", "--sidecar") == narrowed
    assert dry_run(netns, "--sidecar", env={"ISTIO_INBOUND_PORTS": "80"}) == narrowed
    assert "TPROXY" in dry_run(netns, "--sidecar", env={"ISTIO_INBOUND_INTERCEPTION_MODE": "TPROXY"})


def test_empty_interception_mode_is_redirect(netns):
    assert dry_run(netns, "-m", "") == dry_run(netns)
    assert dry_run(netns, "-m", "tPrOxY") == dry_run(netns, "-m", "TPROXY")


def test_what_captures_nothing_says_so(netns):
    result = netns.istio_init("--dry-run")
    assert result.returncode == 0
    assert len(result.stderr.splitlines()) == 1 and "--sidecar" in result.stderr


@pytest.mark.parametrize("words", [["istio-iptables"], ["init"], ["istio-iptables", "init"], ["apply"]])
def test_leading_words_mean_apply(netns, words):
    assert lib.checked(netns.istio_init(*words, "--dry-run", "--sidecar")) == dry_run(netns, "--sidecar")


def test_called_as_istio_iptables(netns):
    name = netns.dir / "istio-iptables"
    name.symlink_to(lib.BINARY)
    result = netns.run([name, "--dry-run", "--sidecar"])
    assert lib.checked(result) == dry_run(netns, "--sidecar")


def test_lists_from_files(netns):
    path = netns.dir / "ports"
    path.write_text("# the database\n3306 5432  # and its friends\n\n27017\r\n,80,\n")
    wanted = dry_run(netns, "-o", "1,3306,5432,27017,80,2")
    assert dry_run(netns, "-o", f"1,@{path},2") == wanted
    assert dry_run(netns, env={"ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE": f" 1, @{path} ,2,"}) == wanted


def test_a_hundred_thousand_items(netns):
    cidrs = netns.dir / "cidrs"
    cidrs.write_text("".join(f"10.{i >> 8 & 255}.{i & 255}.{i >> 16}\n" for i in range(100_000)))
    ports = netns.dir / "ports"
    ports.write_text(" ".join(map(str, range(1, 65536))))
    text = dry_run(netns, "--long-lists=linear", "-x", f"@{cidrs}", "-q", f"@{ports}", "--ipv6=off")
    assert text.count("-A ISTIO_OUTPUT -d 10.") == 100_000
    assert text.count("-j ISTIO_REDIRECT\n") == 65535


def test_names_of_users_and_groups(netns):
    assert dry_run(netns, "-u", "nobody,games", "-g", "nogroup") == dry_run(netns, "-u65534,5", "-g65534")
    assert dry_run(netns, "-u", "nobody,games") == dry_run(netns, "-u65534,5", "-g65534,60")
    # whose group 60 nobody looks up
    assert dry_run(netns, env={"ENVOY_USER": "games"}) == dry_run(netns, "-u5", "-g5")


def test_own_options_beat_inclusion(netns):
    """They stand where they exclude before anything is captured."""
    text = dry_run(netns, "--sidecar", "-o", "99", "-q", "98", "--exclude-outbound-uids=1-5", "--bypass-mark=3",
                   "--exclude-inbound-cidrs=10.0.0.0/8", "--family=ipv4")
    output = [line for line in text.splitlines() if line.startswith("-A ISTIO_OUTPUT ")]
    assert {"--uid-owner 1-5", "--mark 0x3"} == {re.search("--(uid-owner|mark) \\S+", line)[0] for line in output[:2]}
    assert all(line.endswith("-j RETURN") for line in output[:2])
    inbound = [line for line in text.splitlines() if line.startswith("-A ISTIO_INBOUND ")]
    assert inbound[0] == "-A ISTIO_INBOUND -s 10.0.0.0/8 -j RETURN"


def test_comments_change_nothing_else(netns):
    plain = dry_run(netns, "--sidecar")
    commented = dry_run(netns, "--sidecar", "--comments")
    assert commented.count("-m comment --comment") == plain.count("\n-A ")
    assert re.sub(r' -m comment --comment ("(\\.|[^"\\])*"|\S+)', "", commented) == plain
