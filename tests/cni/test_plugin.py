# SPDX-License-Identifier: GPL-2.0-or-later
"""Each verb, decision and error of the plugin, by the final binary in a network namespace of the test's own."""

import concurrent.futures
import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import lib
import pytest
import runtime
from runtime import KEY, PLUGIN, PREVIOUS, add, call, config, failed, succeeded

T = "traffic.sidecar.istio.io/"
DEFAULTS = ["-u", "1337", "-g", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*", "-d"]
PORTS = "15020,15021,15090"


@pytest.fixture
def log(netns):
    return netns.dir / "log"


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_add_hands_prevresult_on_byte_for_byte(netns, version):
    for _ in range(2):
        succeeded(add(netns, version=version), PREVIOUS + "\n")
    assert netns.has_istio("ipv4")
    if version >= "0.4.0":
        succeeded(call(netns, "CHECK", config(version=version)))


OPTIONS = [
    ({}, {}, [*DEFAULTS, PORTS]),
    ({T + "excludeInboundPorts": " 80,,15021 "}, {}, [*DEFAULTS, "80,15021,15020,15090"]),
    ({T + "excludeInboundPorts": ""}, {"istio-local-exclude-ports": "7"}, [*DEFAULTS, PORTS]),
    ({}, {"istio-local-exclude-ports": "7,8"}, [*DEFAULTS, f"7,8,{PORTS}"]),
    ({"status.sidecar.istio.io/port": "99"}, {}, [*DEFAULTS, f"99,{PORTS}"]),
    ({"status.sidecar.istio.io/port": "0"}, {}, [*DEFAULTS, PORTS]),
    ({"status.sidecar.istio.io/port": "99", T + "excludeInboundPorts": "80"}, {}, [*DEFAULTS, f"80,{PORTS}"]),
    ({T + "includeOutboundIPRanges": "10.0.0.0/8", T + "excludeOutboundIPRanges": "10.1.0.0/16"}, {},
     [*DEFAULTS, PORTS, "-i", "10.0.0.0/8", "-x", "10.1.0.0/16"]),
    ({T + "includeInboundPorts": "80,443"}, {}, [*DEFAULTS, PORTS, "-b", "80,443"]),
    ({T + "excludeOutboundPorts": "3306", T + "includeOutboundPorts": "5432"}, {"istio-service-cidr": ""},
     [*DEFAULTS, PORTS, "-i", "", "-o", "3306", "-q", "5432"]),
    ({"sidecar.istio.io/interceptionMode": "TPROXY"}, {}, [*DEFAULTS, PORTS, "-m", "TPROXY"]),
    ({"istio-init/proxy-uid": "7"}, {}, [*DEFAULTS, PORTS, "-u", "7", "-g", "1337"]),
    ({"istio-init/proxy-uid": "7", "istio-init/proxy-gid": "8"}, {"proxy-gid": 9}, [*DEFAULTS, PORTS, "-u", "7", "-g", "8"]),
    ({}, {"proxy-gid": 9, "envoy-port": 15007}, [*DEFAULTS, PORTS, "-g", "9", "-p", "15007"]),
    ({"istio-init/redirect-dns": "true"}, {}, [*DEFAULTS, PORTS, "--redirect-dns", "--capture-all-dns"]),
    ({}, {"redirect-dns": True, "capture-all-dns": False}, [*DEFAULTS, PORTS, "--redirect-dns", "--capture-all-dns"]),
    ({"istio-init/redirect-dns": "false"}, {"redirect-dns": True}, [*DEFAULTS, PORTS]),
    ({"istio.io/reroute-virtual-interfaces": "lo"}, {}, [*DEFAULTS, PORTS, "-k", "lo"]),
    ({T + "excludeInterfaces": "net1"}, {}, [*DEFAULTS, PORTS, "-c", "net1"]),
    ({"istio-init/drop-invalid": "true", "istio-init/comments": "true"}, {}, [*DEFAULTS, PORTS, "--drop-invalid", "--comments"]),
]


@pytest.mark.parametrize("annotations, capture, args", OPTIONS)
def test_options_are_those_of_an_init_container(netns, annotations, capture, args):
    """What the plugin has made is what istio-init, given the options, finds equal: diff compares all of it."""
    succeeded(add(netns, annotations, capture={"backend": "nftables", **capture}), PREVIOUS + "\n")
    result = netns.istio_init("diff", "--backend=nftables", *args)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("by", ["annotation", "capture"])
def test_every_backend(netns, backend, by):
    choice = {"annotations": {"istio-init/backend": backend}} if by == "annotation" else {"capture": {"backend": backend}}
    succeeded(add(netns, **choice), PREVIOUS + "\n")
    assert lib.shown(netns, backend)
    succeeded(call(netns, "CHECK", config(**choice)))


def test_a_change_replaces_the_rules(netns):
    succeeded(add(netns), PREVIOUS + "\n")
    other = {T + "includeInboundPorts": "8080"}
    assert "8080" in failed(call(netns, "CHECK", config(other)), 102)["details"]
    succeeded(add(netns, other), PREVIOUS + "\n")
    succeeded(call(netns, "CHECK", config(other)))


LEFT_ALONE = [
    ({"excludeNamespaces": ["shop"]}, {}),
    ({}, {"CNI_ARGS": "K8S_POD_NAMESPACE=kube-system;K8S_POD_NAME=x"}),
    ({}, {"CNI_ARGS": "K8S_POD_NAMESPACE=istio-system"}),
    ({"excludeNamespaces": ["shop"], "runtime": None}, {}),
    ({"runtime": {KEY: None}}, {}),
    ({"runtime": {KEY: {}}}, {}),
    ({"runtime": {KEY: {"sidecar.istio.io/inject": "true"}}}, {}),
    ({"annotations": {"sidecar.istio.io/status": '{"initContainers":["istio-init"]}'}}, {}),
    ({"annotations": {"sidecar.istio.io/inject": "false"}}, {}),
    ({"annotations": {"sidecar.istio.io/interceptionMode": "NONE"}}, {}),
    # what comes earlier decides: a pod that is not ours may have any annotation
    ({"annotations": {"sidecar.istio.io/inject": "false", T + "includeInboundPorts": "x"}}, {}),
]


@pytest.mark.parametrize("changes, env", LEFT_ALONE)
def test_a_pod_that_is_not_ours_is_not_touched(netns, changes, env):
    before = netns.snapshot()
    succeeded(call(netns, "ADD", config(**changes), CNI_NETNS="/nonexistent", **env), PREVIOUS + "\n")
    succeeded(call(netns, "CHECK", config(**changes), CNI_NETNS="/nonexistent", **env))
    assert netns.snapshot() == before


@pytest.mark.parametrize("status", ["", "no JSON", "[1]", "{}", '{"initContainers":null}', '{"initContainers":"istio-init"}'])
def test_a_status_that_is_no_object_names_nothing(netns, status):
    succeeded(add(netns, {"sidecar.istio.io/status": status}), PREVIOUS + "\n")
    assert netns.has_istio("ipv4")


@pytest.mark.parametrize("args", [None, "", ";", "K8S_POD_NAME=x", "K8S_POD_NAMESPACE="])
def test_a_pod_whose_namespace_nobody_says_is_ours(netns, args):
    succeeded(call(netns, "ADD", config(), CNI_ARGS=args), PREVIOUS + "\n")
    assert netns.has_istio("ipv4")


DEEP = "[" * 101 + "]" * 101
BAD_TEXTS = ["", "  \n", "{", config()[:-1], config() + config(), "[]", '"x"', "null", "\0", config() + "x",
             '{"cniVersion":"1.0.0","cniVersion":"1.0.0"}', f'{{"x":{DEEP}}}', '{"x":01}', "{'x':1}", '{"x":"\ud800"}']


@pytest.mark.parametrize("text", BAD_TEXTS)
@pytest.mark.parametrize("verb", ["ADD", "CHECK", "GC", "STATUS"])
def test_what_is_no_json_object(netns, verb, text):
    raw = text.encode("utf-8", "surrogatepass")
    with lib.Netns() as node:
        result = lib.run(node.command([PLUGIN]), env=runtime.variables(netns, verb), input=raw, text=False)
    error = json.loads(result.stdout)
    assert (result.returncode, error["code"], error["cniVersion"]) == (1, 6, "1.1.0")
    assert re.search(r"\d+:\d+: ", error["msg"])


def test_a_huge_text(netns):
    failed(call(netns, "ADD", config(previous='"' + "x" * (17 << 20) + '"')), 6, "16 MiB")


BAD_CONFIGS = [
    ({"previous": None}, "prevResult"),
    ({"previous": "null"}, "prevResult"),
    ({"previous": "[]"}, "prevResult"),
    ({"runtime": None}, "containerd from 1.5"),
    ({"runtime": {}}, "CRI-O"),
    ({"runtime": []}, "runtimeConfig"),
    ({"runtime": {KEY: []}}, KEY),
    ({"runtime": {KEY: {"x": 1}}}, KEY),
    ({"capture": []}, "capture"),
    ({"capture": {"bakend": "auto"}}, "capture.bakend"),
    ({"capture": {"backend": "ipfw"}}, "capture.backend"),
    ({"capture": {"dry-run": True}}, "capture.dry-run"),
    ({"capture": {"envoy-port": 0}}, "capture.envoy-port"),
    ({"capture": {"istio-service-cidr": "@/nonexistent"}}, "/nonexistent"),
    ({"capture": {"backend": "nftables", "force-iptables-binary": "legacy"}}, "different backends"),
    ({"excludeNamespaces": "x"}, "excludeNamespaces"),
    ({"excludeNamespaces": [""]}, "excludeNamespaces"),
    ({"failOpen": "true"}, "failOpen"),
    ({"failOpen": 1}, "failOpen"),
    ({"logFile": "log"}, "logFile"),
    ({"logFile": 1}, "logFile"),
    ({"logLevel": "loud"}, "logLevel"),
]


@pytest.mark.parametrize("changes, word", BAD_CONFIGS)
def test_a_bad_configuration(netns, changes, word):
    before = netns.snapshot()
    for verb in ("ADD", "CHECK"):
        failed(call(netns, verb, config(**changes)), 7, word)
    assert netns.snapshot() == before
    if "previous" in changes or changes.get("runtime", 0) in (None, {}):
        succeeded(call(netns, "STATUS", config(**changes)))
    else:
        failed(call(netns, "STATUS", config(**changes)), 50, word)


VERSIONS = [("ADD", None, ""), ("ADD", "0.2.0", "0.2.0"), ("ADD", "1.2.0", "1.2.0"), ("ADD", "x" * 999, "x"), ("CHECK", "0.3.1", "0.4.0"),
            ("GC", "1.0.0", "1.1.0"), ("STATUS", "1.0.0", "1.1.0"), ("STATUS", "2.0.0", "2.0.0")]


@pytest.mark.parametrize("verb, version, word", VERSIONS)
def test_a_version_that_is_not_supported(netns, verb, version, word):
    known = version if version in ("0.3.1", "1.0.0") else "1.1.0"
    failed(call(netns, verb, config(version=version)), 1, word, version=known)


VARIABLES = [
    ({"CNI_COMMAND": ""}, "CNI_COMMAND"), ({"CNI_COMMAND": "add"}, "CNI_COMMAND"), ({"CNI_COMMAND": "ADD "}, "CNI_COMMAND"),
    ({"CNI_CONTAINERID": None}, "CNI_CONTAINERID"), ({"CNI_CONTAINERID": ""}, "CNI_CONTAINERID"),
    ({"CNI_CONTAINERID": "-x"}, "CNI_CONTAINERID"), ({"CNI_CONTAINERID": "a/b"}, "CNI_CONTAINERID"),
    ({"CNI_IFNAME": None}, "CNI_IFNAME"), ({"CNI_IFNAME": ""}, "CNI_IFNAME"), ({"CNI_IFNAME": "eth0/1"}, "CNI_IFNAME"),
    ({"CNI_IFNAME": "eth0123456789012"}, "CNI_IFNAME"), ({"CNI_IFNAME": ".."}, "CNI_IFNAME"), ({"CNI_IFNAME": "a b"}, "CNI_IFNAME"),
    ({"CNI_NETNS": None}, "CNI_NETNS"), ({"CNI_NETNS": ""}, "CNI_NETNS"), ({"CNI_NETNS": "run/netns/x"}, "CNI_NETNS"),
    ({"CNI_ARGS": "x"}, "CNI_ARGS"), ({"CNI_ARGS": "=x"}, "CNI_ARGS"), ({"CNI_ARGS": "K8S_POD_NAMESPACE=a;\x01"}, "\\x01"),
]


@pytest.mark.parametrize("change, word", VARIABLES)
def test_variables_that_are_missing_or_malformed(netns, change, word):
    before = netns.snapshot()
    failed(call(netns, "ADD", config(), **change), 4, word)
    assert netns.snapshot() == before


ANNOTATIONS = [
    (T + "excludeInboundPorts", "80,x", 'excludeInboundPorts: "80,x": item "x": expected a port (1-65535) or a range a-b'),
    (T + "includeOutboundIPRanges", "@/etc/passwd", "no @FILE"),
    (T + "includeOutboundIPRanges", "10.0.0.0/8\x1b[31m", "\\u001b[31m"),
    (T + "includeOutboundIPRanges", "10.0.0.1/33" * 20000, "..."),
    ("istio-init/proxy-uid", "root", "another machine"),
    ("istio-init/proxy-gid", "x", "GID"),
    ("istio-init/bakend", "nftables", "istio-init/backend"),
    ("istio-init/backend", "ipfw", "nftables"),
    ("istio-init/wait", "5s", "no such option"),
    ("sidecar.istio.io/interceptionMode", "none", "NONE"),
    ("status.sidecar.istio.io/port", "65536", "0-65535"),
    ("istio-init/bypass-mark", "0x539", "TPROXY mark"),
]


@pytest.mark.parametrize("name, value, words", ANNOTATIONS)
def test_a_bad_annotation(netns, name, value, words, log):
    notes = {name: value}
    if "bypass" in name:
        notes["sidecar.istio.io/interceptionMode"] = "TPROXY"
    before = netns.snapshot()
    failed(call(netns, "ADD", config(notes)), 101, words)
    failed(call(netns, "CHECK", config(notes, failOpen=True)), 101, words)
    succeeded(add(netns, notes, failOpen=True, logFile=str(log)), PREVIOUS + "\n")
    assert netns.snapshot() == before
    assert len(log.read_text().splitlines()) == 1 and "failOpen" in log.read_text()


def test_annotations_of_others_are_taken_as_they_are(netns):
    others = {"sidecar.istio.io/proxyCPU": "much", "x": "\x01\x7f", "prometheus.io/port": "http", "big": "x" * (200 << 10)}
    succeeded(add(netns, others), PREVIOUS + "\n")


@pytest.mark.parametrize("number", [60000])
def test_an_annotation_as_long_as_can_be(netns, number):
    ports = ",".join(str(1024 + i % 60000) for i in range(number))[:250 << 10].rsplit(",", 1)[0]
    succeeded(add(netns, {T + "excludeInboundPorts": ports}, capture={"backend": "nftables"}), PREVIOUS + "\n")


def test_a_netns_that_cannot_be_entered(netns, log):
    process = subprocess.Popen(["sleep", "60"])
    process.kill()
    process.wait()
    for path in ("/run/netns/gone", f"/proc/{process.pid}/ns/net", "/etc/passwd", "/", "/proc/self/ns/mnt"):
        failed(call(netns, "ADD", config(), CNI_NETNS=path), 103, path)
        failed(call(netns, "CHECK", config(failOpen=True), CNI_NETNS=path), 103, path)
    succeeded(call(netns, "ADD", config(failOpen=True, logFile=str(log)), CNI_NETNS="/run/netns/gone"), PREVIOUS + "\n")
    assert "/run/netns/gone" in log.read_text() and "failOpen" in log.read_text()
    failed(call(netns, "ADD", config(), CNI_NETNS=b"/\xff\xfe".decode("utf-8", "surrogateescape")), 103, "\ufffd")


def without(capability):
    return ["capsh", f"--drop={capability}", "--shell=/usr/bin/env", "--"]


def test_capabilities_that_are_missing(netns):
    failed(call(netns, "ADD", config(), prefix=without("cap_net_admin")), 100, "NET_ADMIN")
    failed(call(netns, "ADD", config(), prefix=without("cap_sys_admin")), 103, "SYS_ADMIN")
    for name in ("net_admin", "sys_admin"):
        failed(call(netns, "STATUS", config(), prefix=without(f"cap_{name}")), 50, name.upper())
    assert not netns.has_istio("ipv4")


def test_rules_that_cannot_be_made(netns, log):
    text = config(capture={"backend": "iptables-legacy"})
    error = failed(call(netns, "ADD", text, prefix=without("cap_net_raw")), 100, "NET_RAW")
    assert error["msg"] == "the rules could not be made"
    text = config(capture={"backend": "iptables-legacy"}, failOpen=True, logFile=str(log))
    succeeded(call(netns, "ADD", text, prefix=without("cap_net_raw")), PREVIOUS + "\n")
    assert "NET_RAW" in log.read_text() and not netns.has_istio("ipv4")


# What tells the machine's own namespace, laid over one of the test's (tests/kernel/test_refusals.py).
HOST = """
mount --make-rprivate /
mkdir -p "$1"; cp /proc/sys/net/core/somaxconn "$1"; echo 0 >"$1/netdev_budget"
mount --bind "$1" /proc/sys/net/core
shift; exec "$@"
"""


def test_the_netns_of_the_machine_is_no_pod(netns):
    prefix = ["unshare", "-m", "sh", "-ec", HOST, "sh", netns.dir / "core"]
    result = lib.run(netns.command([*prefix, PLUGIN]), env=runtime.variables(netns, "ADD"), input=config())
    failed(result, 100, "own network namespace")
    assert not netns.has_istio("ipv4")


def test_a_rival_that_holds_the_lock(netns):
    with open(netns.path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = config(capture={"wait": "100ms"}, failOpen=True)
        failed(call(netns, "ADD", text), 11)
    succeeded(call(netns, "ADD", text), PREVIOUS + "\n")


@pytest.mark.parametrize("change", [{}, {"CNI_NETNS": None}, {"CNI_NETNS": ""}, {"CNI_NETNS": "/gone"}, {"CNI_ARGS": None}])
@pytest.mark.parametrize("text", [config(), config(previous=None), config(runtime=None), config(version="9"), "{}", "",
                                  config(capture=1), "no JSON"])
def test_del_always_succeeds(netns, change, text):
    before = netns.snapshot()
    succeeded(call(netns, "DEL", text, **change))
    assert netns.snapshot() == before


def test_del_says_which_variable_is_missing(netns):
    failed(call(netns, "DEL", config(), CNI_CONTAINERID=None), 4, "CNI_CONTAINERID")


def test_gc_and_status(netns):
    nothing = dict.fromkeys(["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS"])
    attachments = {"cni.dev/valid-attachments": [{"containerID": "x", "ifname": "eth0"}]}
    for verb in ("GC", "STATUS"):
        succeeded(call(netns, verb, config(previous=None, runtime=None, **attachments), **nothing))


@pytest.mark.parametrize("text, version", [("{}", "1.1.0"), ("", "1.1.0"), ('{"cniVersion":"0.3.1"}', "0.3.1"),
                                           ('{"cniVersion":"9.9.9"}', "9.9.9")])
def test_version(netns, text, version):
    succeeded(call(netns, "VERSION", text), f'{{"cniVersion":"{version}","supportedVersions":'
              '["0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}\n')


def test_by_hand():
    result = lib.run([PLUGIN])
    assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (0, "", 1)
    assert "container runtime" in result.stderr
    assert lib.run([PLUGIN, "clean"]).stderr == result.stderr


def test_by_another_name(netns):
    """CNI_COMMAND without a word is a runtime's call; with one it is a person's."""
    succeeded(call(netns, "ADD", config(), program=lib.BINARY), PREVIOUS + "\n")
    result = netns.istio_init("version", env={"CNI_COMMAND": "ADD"})
    assert result.stdout.startswith("istio-init ")


def test_the_log(netns, log):
    """Appended to, one line a call, with the time and the pod; the level counts."""
    log.write_text("before\n")
    succeeded(add(netns, logFile=str(log)), PREVIOUS + "\n")
    succeeded(add(netns, logFile=str(log), logLevel="error"), PREVIOUS + "\n")
    first, second = log.read_text().splitlines()
    assert first == "before"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z istio-init-cni: shop/web-1: applied: .*", second)
    succeeded(add(netns, logFile=str(log), capture={"log_as_json": True}), PREVIOUS + "\n")
    assert json.loads(log.read_text().splitlines()[2])["scope"] == "istio-init-cni: shop/web-1"
    failed(call(netns, "CHECK", config({T + "includeInboundPorts": "1"}, logFile=str(log))), 102)
    assert "live" not in log.read_text().splitlines()[3] and len(log.read_text().splitlines()) == 4


def test_a_log_that_cannot_be_opened_stops_no_pod(netns):
    succeeded(add(netns, logFile="/nonexistent/log"), PREVIOUS + "\n")


def test_an_answer_that_cannot_be_written(netns):
    """The rules are there, and the runtime, which does not know, is told by the status and tries again."""
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run([str(PLUGIN)], env={"PATH": lib.PATH, **runtime.variables(netns, "ADD")}, input=config(),
                                text=True, stdout=full, stderr=subprocess.PIPE, check=False)
    assert result.returncode == 1
    succeeded(add(netns), PREVIOUS + "\n")


def test_the_environment_of_the_runtime_gives_no_option(netns):
    env = {"ISTIO_INBOUND_PORTS": "1", "RUN_VALIDATION": "true", "DRY_RUN": "true", "ISTIO_INIT_BACKEND": "iptables-legacy"}
    succeeded(call(netns, "ADD", config(capture={"backend": "nftables"}), **env), PREVIOUS + "\n")
    assert netns.istio_init("diff", "--backend=nftables", *DEFAULTS, PORTS).returncode == 0


def test_killed_at_any_moment_it_repairs(netns):
    """SIGKILL after some hundred microseconds more each time; the next ADD leaves all the rules."""
    for delay in range(20):
        process = runtime.start(netns, "ADD", config(capture={"backend": "iptables-legacy"}))
        time.sleep(delay * 150e-6)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        succeeded(add(netns, capture={"backend": "iptables-legacy"}), PREVIOUS + "\n")
        succeeded(call(netns, "CHECK", config(capture={"backend": "iptables-legacy"})))
        lib.checked(netns.istio_init("clean"))


def test_fifty_pods_at_once():
    pods = [lib.Netns() for _ in range(50)]
    try:
        running = [runtime.start(pod, "ADD", config()) for pod in pods]
        for process in running:
            output, errors = process.communicate(timeout=60)
            assert (process.returncode, output, errors) == (0, PREVIOUS + "\n", "")
        assert all(pod.has_istio("ipv4") for pod in pods)
    finally:
        for pod in pods:
            pod.close()


def test_twenty_calls_for_one_pod_at_once(netns):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        for result in pool.map(lambda _: call(netns, "ADD", config()), range(20)):
            succeeded(result, PREVIOUS + "\n")
    succeeded(call(netns, "CHECK", config()))


def test_one_process_and_no_file_of_the_machine(netns):
    trace = netns.dir / "trace"
    prefix = ["strace", "-f", "-e", "trace=process,openat,open", "-o", trace]
    succeeded(call(netns, "ADD", config({"istio-init/redirect-dns": "true"}), prefix=prefix), PREVIOUS + "\n")
    lines = pathlib.Path(trace).read_text().splitlines()
    assert sum("execve(" in line for line in lines) == 1 and not any(re.search(r"\b(clone|v?fork)", line) for line in lines)
    assert not any("passwd" in line or "resolv.conf" in line for line in lines)
    assert os.path.basename(PLUGIN) in lines[0]
