# SPDX-License-Identifier: GPL-2.0-or-later
"""check says the same as the filter does, and why; its rules are istio-init's."""

import json

import injection
import lib
import pytest


def check(tmp_path, text, *args, **kwargs):
    result = injection.run(tmp_path, "check", *args, input=text, **kwargs)
    return result.returncode, result.stdout, result.stderr


def entry(tmp_path, text, *args, **kwargs):
    status, out, _ = check(tmp_path, text, "-o", "json", *args, **kwargs)
    (found,) = json.loads(out)
    return status, found


def annotated(key, value):
    return injection.POD.replace("name: app", f"name: app\n  annotations: {{{key}: '{value}'}}", 1)


def test_injected(tmp_path):
    status, found = entry(tmp_path, injection.POD)
    assert status == 0
    assert list(found) == ["kind", "namespace", "name", "injected", "reason", "detail", "overlays", "args", "options",
                           "warnings", "error"]
    assert found["injected"] and found["reason"] == "policy" and found["overlays"] == ["proxy"]
    assert found["args"][:3] == ["istio-iptables", "-p", "15001"]
    assert found["error"] is None
    assert {"option": "envoy-port", "value": "15001", "from": "default"} in found["options"]


def test_where_options_come_from(tmp_path):
    pod = annotated("traffic.sidecar.istio.io/includeOutboundIPRanges", "10.0.0.0/8")
    _, found = entry(tmp_path, pod, config=injection.CONFIG + "capture: {envoy-port: 15101}\n")
    sources = {option["option"]: (option["value"], option["from"]) for option in found["options"]}
    assert sources["istio-service-cidr"] == ("10.0.0.0/8", "annotation")
    assert sources["envoy-port"] == ("15101", "configuration")
    assert sources["inbound-capture-port"] == ("15006", "default")


def test_text(tmp_path):
    other = injection.POD.replace("name: app", "name: b\n  labels: {sidecar.istio.io/inject: 'false'}", 1)
    status, out, _ = check(tmp_path, injection.POD + "---\n" + other)
    assert status == 2
    assert out.startswith("Pod default/app: injected (policy")
    assert "\n  --envoy-port=15001 (default)\n" in out
    assert "\nPod default/b: not injected (label" in out


@pytest.mark.parametrize("labels,webhook,reason", [
    ("istio-injection=enabled", "namespace", "policy"),
    ("istio.io/rev=default", "rev.namespace", "policy"),
    ("istio-injection=disabled", None, "not-asked"),
    ("", None, "not-asked"),
    ("a=b", None, "not-asked"),
])
def test_webhook(tmp_path, labels, webhook, reason):
    status, found = entry(tmp_path, injection.POD, f"--namespace-labels={labels}")
    assert (found["webhook"], found["reason"]) == (webhook, reason)
    assert found["injected"] == (webhook is not None) and status == (0 if webhook else 2)


def test_host_network_asks_nobody(tmp_path):
    text = injection.POD.replace("containers:", "hostNetwork: true\n  containers:")
    status, found = entry(tmp_path, text, "--namespace-labels=istio-injection=enabled")
    assert (status, found["webhook"], found["reason"], found["injected"]) == (2, None, "host-network", False)


def test_labels_that_are_none(tmp_path):
    status, out, err = check(tmp_path, injection.POD, "--namespace-labels=a=b,c")
    assert (status, out) == (64, "")
    assert '--namespace-labels: "c": expected KEY=VALUE' in err


def test_a_bad_annotation(tmp_path):
    bad = annotated("traffic.sidecar.istio.io/excludeInboundPorts", "80,x")
    status, found = entry(tmp_path, bad)
    assert status == 65 and not found["injected"]
    assert found["error"].startswith('annotation traffic.sidecar.istio.io/excludeInboundPorts: "80,x": item "x"')
    status, out, _ = check(tmp_path, bad)
    assert status == 65 and "\n  error: annotation traffic" in out


@pytest.mark.parametrize("key,value", [
    ("traffic.sidecar.istio.io/excludeInboundPorts", "80,8000-8100"),
    ("sidecar.istio.io/interceptionMode", "TPROXY"),
    ("traffic.sidecar.istio.io/excludeOutboundIPRanges", "10.0.0.0/8,fd00::/8"),
    ("istio-init/backend", "nftables"),
    ("istio-init/ipv6", "off"),
])
def test_rules_are_those_of_a_dry_run(tmp_path, key, value):
    pod = annotated(key, value)
    _, found = entry(tmp_path, pod, "--show-rules")
    rules = lib.checked(lib.run([lib.BINARY, *found["args"], "--dry-run"]))
    assert found["rules"] == rules
    assert check(tmp_path, pod, "--show-rules")[1].endswith(rules)


def test_no_warnings_about_a_command_line_that_nobody_wrote(tmp_path):
    pod = annotated("traffic.sidecar.istio.io/includeInboundPorts", "8080")
    status, out, err = check(tmp_path, pod, "--show-rules")
    assert (status, err) == (0, "") and "--dport 8080" in out
    # istio-init itself says that the excluded ports mean nothing then
    args = entry(tmp_path, pod)[1]["args"]
    assert "has no effect" in lib.run([lib.BINARY, *args, "--dry-run"]).stderr
