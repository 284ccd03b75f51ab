# SPDX-License-Identifier: GPL-2.0-or-later
"""Values as deployed meshes give them: one warning, and the run goes on."""

import configs
import lib
import pytest
from messages import assert_refused, assert_warned

# The proxy's own settings, which once had other values.
LENIENT = {"ISTIO_META_DNS_CAPTURE": "redirect-dns", "INVALID_DROP": "drop-invalid", "ISTIO_DUAL_STACK": "dual-stack"}


@pytest.mark.parametrize("variable", LENIENT)
@pytest.mark.parametrize("value", ["ALL", "yes", "2", "true,"])
def test_old_values_of_the_aliases_are_false(room, variable, value):
    plain = room.istio_init("--dry-run", "--sidecar", "--resolv-conf=/dev/null")
    result = room.istio_init("--dry-run", "--sidecar", "--resolv-conf=/dev/null", env={variable: value})
    assert_warned(result, variable, value, "false")
    assert result.stdout == plain.stdout
    on = {configs.OPTIONS[LENIENT[variable]][1]: "true"}
    assert room.istio_init("--dry-run", "--sidecar", env={variable: value, **on}).stdout == plain.stdout


# Variables of what has no empty value.
EMPTY = [variable for name in [
    "inbound-capture-port", "inbound-tunnel-port", "iptables-probe-port", "dns-port", "probe-timeout", "wait",
    "backend", "ipv6", "family", "output", "dns-zones", "long-lists", "jump", "istio-inbound-tproxy-mark", "istio-inbound-tproxy-route-table",
    "dry-run", "redirect-dns", "capture-all-dns", "drop-invalid", "dual-stack", "run-validation", "skip-rule-apply",
    "cni-mode", "reconcile", "cleanup-only", "force-apply", "native-nftables", "sidecar", "allow-host-netns",
    "comments"]
         for variable in configs.OPTIONS[name][1:] if variable] + ["ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR"]


@pytest.mark.parametrize("variable", EMPTY)
@pytest.mark.parametrize("value", ["", " \n"])
def test_an_empty_variable_without_an_empty_value_is_not_set(room, variable, value):
    result = room.istio_init("--dry-run", "--sidecar", env={variable: value})
    assert_warned(result, f"{variable} is empty")
    assert result.stdout == room.istio_init("--dry-run", "--sidecar").stdout


def test_behind_an_empty_alias_the_variable_counts(room):
    args = ["--dry-run", "--sidecar", "--capture-all-dns"]
    result = room.istio_init(*args, env={"ISTIO_META_DNS_CAPTURE": "", "REDIRECT_DNS": "true"})
    assert_warned(result, "ISTIO_META_DNS_CAPTURE")
    assert result.stdout == room.istio_init(*args, "--redirect-dns").stdout


@pytest.mark.parametrize("option", ["-d", "-o"])
def test_port_0_is_dropped_from_exclusions(room, option):
    result = room.istio_init("--dry-run", "--sidecar", option, "15090,0,22")
    assert_warned(result, f"({option})", "0 is no port")
    assert result.stdout == room.istio_init("--dry-run", "--sidecar", option, "15090,22").stdout


@pytest.mark.parametrize("args", [["-p", " 16001\n"], ["-m", "TPROXY "], ["--drop-invalid= true"], ["--ipv6=off\t"],
                                  ["-m", "TPROXY", "-t", " 0x99 "], ["--bypass-mark= 7 "]])
def test_blanks_around_single_values(room, args):
    result = room.istio_init("--dry-run", "--sidecar", *args)
    assert result.stdout == lib.checked(room.istio_init("--dry-run", "--sidecar", *(
        "".join(word.split()) for word in args)))
    assert result.stdout != room.istio_init("--dry-run", "--sidecar").stdout


@pytest.mark.parametrize("args, why", [
    (["-t", "0"], "REDIRECT"), (["-r", "main"], "REDIRECT"), (["-r", ""], "REDIRECT"),
    (["-b", "80", "-d", "81,http"], "list")])
def test_a_wrong_value_without_effect_is_a_warning(room, args, why):
    result = room.istio_init("--dry-run", "-i", "*", *args)
    assert_warned(result, args[-2], "expected", "no effect", why)
    assert result.stdout == room.istio_init("--dry-run", "-i", "*", *args[:-2]).stdout


@pytest.mark.parametrize("args", [["clean", "-t", "0"], ["--cleanup-only", "-r", "main"], ["-b", "*", "-d", "http"],
                                  ["-d", "http"], ["-m", "TPROXY", "-t", "0"]])
def test_where_it_has_an_effect_it_is_an_error(room, args):
    assert_refused(room.istio_init(*args), args[-2], args[-1])


@pytest.mark.parametrize("args, names", [
    (["-z", "15001"], ["--envoy-port (-p)", "--inbound-capture-port (-z)", "15001"]),
    (["-e", "15006"], ["--inbound-capture-port (-z)", "--inbound-tunnel-port (-e)", "15006"]),
    (["-p", "9", "-z", "9", "-e", "9"], ["--envoy-port (-p)", "--inbound-capture-port (-z)"]),
    (["--redirect-dns", "--capture-all-dns", "--dns-port=15001"], ["--envoy-port (-p)", "--dns-port"])])
def test_equal_ports_are_one_warning(room, args, names):
    assert_warned(room.istio_init("--dry-run", "--sidecar", *args), *names)


def test_resolv_conf_as_resolvers_read_it(room):
    path = room.dir / "resolv.conf"
    path.write_text("nameserver fe80::1%eth0\nnameserver ::ffff:10.0.0.3\n"
                    "nameserver 10.0.0.3\nnameserver fe80::1%eth1\n")
    result = room.istio_init("--dry-run", "--sidecar", "--redirect-dns", f"--resolv-conf={path}")
    path.write_text("nameserver fe80::1\nnameserver 10.0.0.3\n")
    assert result.stderr == ""
    assert result.stdout == room.istio_init("--dry-run", "--sidecar", "--redirect-dns", f"--resolv-conf={path}").stdout
    assert "-d fe80::1/128 -p udp" in result.stdout and "-d 10.0.0.3/32 -p udp" in result.stdout
    path.write_text("nameserver 10.0.0.3%eth0\n")
    result = room.istio_init("--dry-run", "--sidecar", "--redirect-dns", f"--resolv-conf={path}")
    assert '"10.0.0.3%eth0" is no IP address' in result.stderr
