# SPDX-License-Identifier: GPL-2.0-or-later
"""Options that do not go together are found at admission: a pod that is accepted has arguments that istio-init takes."""

import json
import random
import re

import injection
import pytest

BASE = "initContainer: {image: x}\noverlays: {proxy: {spec: {containers: [{name: istio-proxy, image: proxy}]}}}\n"

# What the configuration's `capture` says, the pod's annotations; what the line says behind "pod default/app: ".
CONFLICTS = [
    ({"native-nftables": True}, {"istio-init/backend": "iptables-legacy"},
     "annotation istio-init/backend and the configuration's native-nftables: --backend and --native-nftables ask for different"),
    ({"force-iptables-binary": "legacy"}, {"istio-init/backend": "nftables"},
     "annotation istio-init/backend and the configuration's force-iptables-binary: "),
    ({}, {"sidecar.istio.io/interceptionMode": "TPROXY", "istio-init/bypass-mark": "0x539"},
     "annotation istio-init/bypass-mark and annotation sidecar.istio.io/interceptionMode: --bypass-mark matches the TPROXY"),
    ({"istio-inbound-interception-mode": "TPROXY", "istio-inbound-tproxy-mark": 7}, {"istio-init/bypass-mark": "7"},
     "annotation istio-init/bypass-mark and the configuration's istio-inbound-interception-mode: "),
    ({"bypass-mark": "1338"}, {"sidecar.istio.io/interceptionMode": "TPROXY"},
     "annotation sidecar.istio.io/interceptionMode and the configuration's bypass-mark: "),
    ({}, {"istio-init/backend": "iptables-nft",
          "istio-init/exclude-outbound-ports-for-uids": f"tcp:1-65535:{','.join(map(str, range(0, 40, 2)))};udp:"
                                                        + ",".join(map(str, range(1, 2200, 2))) + ":"
                                                        + ",".join(map(str, range(1, 2200, 2)))},
     "annotation istio-init/exclude-outbound-ports-for-uids and annotation istio-init/backend: "),
]

def configure(capture, init):
    return BASE + "capture: " + json.dumps(capture) + f"\ninit: {init}\n"


def pod(notes, user=None):
    containers = [{"name": "app", "image": "a"}]
    if user is not None:
        containers.append({"name": "istio-proxy", "image": "auto", "securityContext": user})
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app", "annotations": notes},
                       "spec": {"containers": containers}})


def inject(tmp_path, capture, notes, user=None, init="container"):
    return injection.run(tmp_path, config=configure(capture, init), input=pod(notes, user))


def arguments(injected):
    """Of the container that makes the rules, or proves them."""
    containers = json.loads(injected)["spec"]["initContainers"]
    return next(c["args"] for c in containers if c["name"] in ("istio-init", "istio-validation"))


@pytest.mark.parametrize("capture, notes, line", CONFLICTS)
def test_conflict(tmp_path, capture, notes, line):
    p = inject(tmp_path, capture, notes)
    assert p.returncode == 65 and p.stdout == ""
    assert f"Pod default/app: {line}" in p.stderr and p.stderr.count("\n") == 1
    # where the annotation stands, not the beginning of the document
    assert re.match(r"istio-inject: error: stdin:1: ", p.stderr)


def test_configuration_alone(tmp_path):
    capture = {"backend": "nftables", "force-iptables-binary": "nft"}
    # nobody is given them
    assert inject(tmp_path, capture, {}, init="none").returncode == 0
    p = inject(tmp_path, capture, {})
    assert p.returncode == 64
    assert "config.yaml:3: capture: expected options that istio-init takes together: --backend and " in p.stderr


CHOICES = {
    "sidecar.istio.io/interceptionMode": ["REDIRECT", "TPROXY", "NONE"],
    "traffic.sidecar.istio.io/includeOutboundIPRanges": ["*", "", "10.0.0.0/8,fd00::/8"],
    "traffic.sidecar.istio.io/excludeOutboundIPRanges": ["", "10.1.0.0/16"],
    "traffic.sidecar.istio.io/includeInboundPorts": ["*", "", "80,443-500"],
    "traffic.sidecar.istio.io/excludeInboundPorts": ["", "0", "22"],
    "traffic.sidecar.istio.io/includeOutboundPorts": ["", "5432"],
    "traffic.sidecar.istio.io/excludeOutboundPorts": ["", "9200,15020"],
    "traffic.sidecar.istio.io/excludeInterfaces": ["", "eth1"],
    "istio.io/reroute-virtual-interfaces": ["", "net1"],
    "istio-init/inbound-tunnel-port": ["15008", "15006"],
    "istio-init/proxy-uid": ["0", "1337", "1,2"],
    "istio-init/proxy-gid": ["0", "5"],
    "istio-init/redirect-dns": ["true", "false"],
    "istio-init/capture-all-dns": ["true", "false"],
    "istio-init/drop-invalid": ["true"],
    "istio-init/dual-stack": ["true", "false"],
    "istio-init/backend": ["auto", "nftables", "iptables-nft", "iptables-legacy"],
    "istio-init/ipv6": ["auto", "on", "off"],
    "istio-init/dns-port": ["53", "15053"],
    "istio-init/dns-zones": ["on", "off"],
    "istio-init/exclude-outbound-uids": ["1-5"],
    "istio-init/exclude-outbound-gids": ["7"],
    "istio-init/exclude-outbound-ports-for-uids": ["tcp:80:5", "udp:53:0;tcp:1-9:1-3"],
    "istio-init/exclude-inbound-cidrs": ["10.0.0.0/8"],
    "istio-init/bypass-mark": ["5", "0x539", "1338", "0x1/0x1", "0x2/0xf", ""],
    "istio-init/long-lists": ["tree", "linear"],
    "istio-init/comments": ["true", "false"],
}
CAPTURES = {"native-nftables": [True, False], "force-iptables-binary": ["legacy", "nft", ""], "bypass-mark": ["7", "1337"],
            "istio-inbound-interception-mode": ["TPROXY"], "istio-inbound-tproxy-mark": [1337, "0x10"],
            "istio-inbound-tproxy-route-table": [133], "proxy-uid": ["7"], "resolv-conf": ["/dev/null"]}
USERS = [None, {}, {"runAsUser": 0}, {"runAsUser": 9, "runAsGroup": 8}, {"runAsUser": 4294967295}, {"runAsUser": 2**40},
         {"runAsUser": 7, "runAsGroup": 2**32}]


def plain_arguments(capture, notes, user):
    """The arguments that the options ask for, by the table of the contract: what istio-init itself is then asked about."""
    mode = notes.get("sidecar.istio.io/interceptionMode", capture.get("istio-inbound-interception-mode", "REDIRECT"))
    uid = notes.get("istio-init/proxy-uid") or str((user or {}).get("runAsUser") or capture.get("proxy-uid", "1337"))
    args = ["-u", uid, "-m", mode]
    for name, value in {**{f"istio-init/{k}": v for k, v in capture.items()}, **notes}.items():
        option = name.removeprefix("istio-init/")
        if option != name and option not in ("proxy-uid", "istio-inbound-interception-mode"):
            args.append(f"--{option}={str(value).lower()}")
    group = str((user or {}).get("runAsGroup") or "")
    if mode == "TPROXY" and group and "istio-init/proxy-gid" not in notes and group != uid:
        args.append(f"--proxy-gid={group}")
    return mode, args


@pytest.mark.parametrize("seed", range(12))
def test_accepted_is_accepted(tmp_path, netns, seed):
    """Of random options: what istio-inject accepts istio-init does not refuse, and what it refuses istio-init would not take."""
    rng, init = random.Random(seed), ("container", "cni")[seed % 2]
    seen = {0: 0, 65: 0}
    for _ in range(40):
        capture = {name: rng.choice(values) for name, values in CAPTURES.items() if rng.random() < 0.15}
        notes = {name: rng.choice(values) for name, values in CHOICES.items() if rng.random() < 0.3}
        user = rng.choice(USERS) if rng.random() < 0.5 else None
        mode, plain = plain_arguments(capture, notes, user)
        p = inject(tmp_path, capture, notes, user, init)
        if p.returncode == 64:
            assert "takes together" in p.stderr
            q = netns.istio_init(*[f"--{name}={str(value).lower()}" for name, value in capture.items()], "--dry-run")
            assert q.returncode == 64, capture
            continue
        seen[p.returncode] += 1
        if p.returncode == 0 and mode != "NONE":
            q = netns.istio_init(*arguments(p.stdout), "--dry-run")
            assert q.returncode == 0, (capture, notes, user, q.stderr)
        elif p.returncode == 65:
            q = netns.istio_init(*plain, "--dry-run")
            assert q.returncode == 64, (capture, notes, user, p.stderr)
    assert seen[0] > 3 and seen[65] > 0
