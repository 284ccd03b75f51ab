# SPDX-License-Identifier: GPL-2.0-or-later
"""Random pods under random overlays: the filter gives what the contract says, and its patch gives the same."""

import copy
import json
import os
import pathlib
import random
import subprocess

import inject
import jsonpatch
import lib
import pytest

BINARY = pathlib.Path(os.environ.get("ISTIO_INJECT", lib.ROOT / "build/istio-inject"))
SEEDS = range(int(os.environ.get("ISTIO_INJECT_SEEDS", "150")))

IMAGE = {"image": "example.org/istio-init:1"}
ENVIRONMENT = [
    {"name": "POD", "value": "${pod.name|none} of ${pod.namespace}, $(POD_IP) $${literal} $5"},
    {"name": "OWNER", "value": "${workload.owner}"}, {"name": "PORTS", "value": "${app.ports}"},
    {"name": "APPS", "value": "${app.containers}"}, {"name": "MODE", "value": "${mode}/${native|${hold|neither}}"},
    {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}, {"name": "EMPTY", "value": "${label:no}"},
    {"$if": "annotation:x/level", "name": "LEVEL", "value": "${annotation:x/level}"},
    {"$if": ["native", "label:app!=web"], "$value": [{"name": "A1", "value": "1"}, {"name": "A2", "value": "2"}]},
    {"name": "CONFIG", "value": "${proxyConfig}"}, {"name": "ABC", "value": "overlay"},
]
PROXY = {
    "image": "${annotation:sidecar.istio.io/proxyImage|example.org/proxy:1}",
    "args": ["proxy", {"$if": "annotation:x/level", "$value": "--level=${annotation:x/level}"}, "--rev=${revision}"],
    "command": None,
    "resources": "${json:resources}",
    "readinessProbe": {"$if": "status.port", "httpGet": {"path": "/ready", "port": 15021},
                       "periodSeconds": "${int:annotation:x/period|15}"},
    "securityContext": {"runAsUser": {"$if": "mode=TPROXY", "$value": 0, "$else": 1337}, "runAsGroup": 1337,
                        "privileged": False, "capabilities": {"drop": ["ALL"], "add": {"$if": "mode=TPROXY",
                                                                                       "$value": ["NET_ADMIN"]}}},
    "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "etc", "mountPath": "/etc/x"}],
    "ports": [{"containerPort": 15090, "name": "metrics", "hostPort": 0}],
    "lifecycle": {"$if": "hold", "postStart": {"exec": {"command": ["wait"]}}},
    "livenessProbe": {"$if": "label:never", "exec": {"command": ["x"]}},
}
VOLUMES = [{"name": "data", "emptyDir": {}}, {"name": "etc", "configMap": {"name": "x"}},
           {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]
SPEC = {"terminationGracePeriodSeconds": 40, "imagePullSecrets": [{"name": "pull"}], "priorityClassName": None,
        "securityContext": {"fsGroup": 1337}, "hostAliases": [{"ip": "10.0.0.9", "hostnames": ["o"]}],
        "tolerations": [{"key": "k", "operator": "Exists"}]}
METADATA = {"labels": {"rev": "${revision}", "canon": "${canonical.name}", "v": "${canonical.revision}"},
            "annotations": {"first": {"$if": "app.first", "$value": "${app.first}"}, "note": "from ${workload.kind}",
                            "gone": None}}
NOTES = {
    "traffic.sidecar.istio.io/includeOutboundIPRanges": ["10.0.0.0/8,fd00::/8", "*", ""],
    "traffic.sidecar.istio.io/excludeInboundPorts": ["80, 90,", "15020", ""],
    "traffic.sidecar.istio.io/excludeOutboundPorts": ["3306", ""],
    "traffic.sidecar.istio.io/kubevirtInterfaces": ["net1"], "istio-init/redirect-dns": ["true", "false"],
    "istio-init/backend": ["nftables"], "istio-init/proxy-uid": ["2000"], "x/level": ["debug", "a: b\n- c", "\"{}"],
    "x/period": ["7"], "sidecar.istio.io/interceptionMode": ["TPROXY", "NONE", "REDIRECT"],
    "status.sidecar.istio.io/port": ["0", "15099"], "sidecar.istio.io/nativeSidecar": ["true", "false", "F"],
    "sidecar.istio.io/proxyCPU": ["1000m"], "sidecar.istio.io/proxyMemoryLimit": ["1Gi"], "gone": ["x"], "a/b~c": ["/"],
    "istio-inject/order": ["first", "last", "after:migrate"],
    "inject.istio.io/templates": ["proxy", "both", "extra, proxy"],
}
PROBES = {"readinessProbe": {"httpGet": {"port": "http", "scheme": "HTTPS"}}, "livenessProbe": {"tcpSocket": {"port": 9}},
          "startupProbe": {"grpc": {"port": 7}}, "lifecycle": {"preStop": {"httpGet": {"port": 80, "path": "/bye"}}}}
PROMETHEUS = {"prometheus.io/port": "80", "prometheus_io_path": "/m", "prometheus.istio.io/scrape-targets": "81:/x,82"}


def some(rng, items, odds=0.5):
    return [copy.deepcopy(item) for item in items if rng.random() < odds]


def part(rng, whole, odds=0.5):
    return {key: copy.deepcopy(value) for key, value in whole.items() if rng.random() < odds}


def random_config(rng):
    proxy = {"name": "istio-proxy", **part(rng, PROXY, 0.7), "env": some(rng, ENVIRONMENT)}
    overlay = {"metadata": part(rng, METADATA, 0.7),
               "spec": {**part(rng, SPEC), "containers": [proxy], "volumes": some(rng, VOLUMES)}}
    extra = {"sidecar": rng.random() < 0.8,
             "spec": {"containers": [{"name": "helper", "image": "h"},
                                     *some(rng, [{"name": "istio-proxy", "env": [{"name": "ABC", "value": "extra"}]}])],
                      "initContainers": some(rng, [{"name": "prepare", "image": "p"}]),
                      "volumes": some(rng, [{"name": "etc", "secret": {"secretName": "s"}}])}}
    config = {"overlays": {"proxy": overlay}, "initContainer": copy.deepcopy(IMAGE),
              "init": rng.choice(["container", "container", "cni"]), "native": rng.random() < 0.6,
              "hold": rng.random() < 0.3, "order": rng.choice(["auto", "auto", "auto", "first", "last", "after:migrate"]),
              "aliases": {"both": ["proxy", "extra"]}, "revision": rng.choice(["default", "canary"])}
    config["overlays"]["extra"] = extra
    if rng.random() < 0.7:
        config["default"] = rng.choice([["proxy"], ["proxy", "extra"], ["extra", "proxy"]])
    if rng.random() < 0.5:
        config["proxyConfig"] = {"proxyMetadata": {"ZED": "1", "ABC": "meta", "ISTIO_META_DNS_CAPTURE": "true"}}
    if rng.random() < 0.5:
        config["resources"] = {"requests": {"cpu": "0.5", "memory": "128Mi"}, "limits": None}
    if rng.random() < 0.3:
        config["capture"] = {"istio-service-exclude-cidr": "169.254.169.254", "comments": True}
        config["capture"]["comments"] = "true"
    if rng.random() < 0.3:
        config["initContainer"].update({"securityContext": {"privileged": None, "seccompProfile": {"type": "X"}},
                                        "env": [{"name": "NODE", "value": "${pod.name|x}"}]})
    return config


def random_pod(rng):
    apps = [{"name": "web", "image": "web:1", "unknown": {"deep": [1, {"x": None}]},
             "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}]},
            {"name": "second", "image": "s", "env": [{"name": "X", "value": "é\u2028"}]}]
    users = {"name": "istio-proxy", "image": rng.choice(["auto", "mine:1"]),
             **part(rng, {"args": ["own"], "env": [{"name": "MINE", "value": "1"}, {"name": "ABC", "value": "user"}],
                          "resources": {"requests": {"cpu": "2"}}, "securityContext": {"runAsUser": 99},
                          "volumeMounts": [{"name": "mine", "mountPath": "/data", "readOnly": True}]})}
    spec = {"containers": apps[:rng.randint(1, 2)]}
    if rng.random() < 0.3:
        spec["containers"].insert(rng.randrange(len(spec["containers"]) + 1), users)
    if rng.random() < 0.5:
        spec["initContainers"] = some(rng, [{"name": "migrate", "image": "m"}, {"name": "chown", "image": "c"},
                                            {"name": "istio-init", "image": "own", "args": ["mine"]}], 0.6)
    if rng.random() < 0.5:
        spec["volumes"] = some(rng, [{"name": "etc", "emptyDir": {}}, {"name": "own", "emptyDir": {"medium": "Memory"}},
                                     {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}], 0.6)
    spec.update(part(rng, {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}], "priorityClassName": "high",
                           "serviceAccountName": "sa", "imagePullSecrets": [{"name": "own"}], "newField": {"a": 1},
                           "securityContext": {"runAsNonRoot": True}}, 0.3))
    pod = {"spec": spec}
    if rng.random() < 0.9:
        pod["metadata"] = part(rng, {
            "labels": part(rng, {"app": "web", "version": "v1", "rev": "mine", "app.kubernetes.io/name": "-odd_"}),
            "annotations": {key: rng.choice(values) for key, values in part(rng, NOTES, 0.12).items()},
            "creationTimestamp": None}, 0.8)
    return pod


def random_document(rng):
    """A document, how to get at its pod, and the workload that it belongs to."""
    pod = random_pod(rng)
    if rng.random() < 0.4:
        document = {"apiVersion": "v1", "kind": "Pod", **pod}
        document["metadata"] = {"name": "alone", **document.get("metadata", {})}
        return document, "", ("alone", "Pod", "v1")
    kind, version = rng.choice([("Deployment", "apps/v1"), ("StatefulSet", "apps/v1"), ("Job", "batch/v1")])
    document = {"apiVersion": version, "kind": kind, "metadata": {"name": "hello-é"}, "spec": {"template": pod}}
    return document, "/spec/template", ("hello-é", kind, version)


def pod_of(document, pointer):
    return document["spec"]["template"] if pointer else document


def run(tmp_path, config, document, output):
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    (tmp_path / "in.json").write_text(json.dumps(document, ensure_ascii=False))
    return subprocess.run([BINARY, "-c", tmp_path / "config.yaml", "-f", tmp_path / "in.json", "-n", "shop", "-o", output],
                          capture_output=True, text=True, timeout=60, check=False)


def readable(document, pointer):
    """The document with the annotation of overrides, which has a JSON text, as a value."""
    document = copy.deepcopy(document)
    notes = (pod_of(document, pointer).get("metadata") or {}).get("annotations") or {}
    if isinstance(notes.get(inject.OVERRIDES), str):
        notes[inject.OVERRIDES] = json.loads(notes[inject.OVERRIDES])
    return document


def patched(tmp_path, config, document):
    """What the patch makes of the document; and the patch."""
    done = run(tmp_path, config, document, "patch")
    assert done.returncode == 0, done.stderr
    [of_pod] = json.loads(done.stdout)
    return jsonpatch.apply_patch(document, of_pod["patch"]), of_pod["patch"]


@pytest.mark.parametrize("seed", SEEDS)
def test_random(seed, tmp_path):
    rng = random.Random(seed)
    config = random_config(rng)
    document, pointer, workload = random_document(rng)
    done = run(tmp_path, config, document, "json")
    assert done.returncode == 0, done.stderr
    assert run(tmp_path, config, document, "json").stdout == done.stdout
    injected = json.loads(done.stdout)
    wanted = copy.deepcopy(document)
    new = inject.inject(config, pod_of(document, pointer), "shop", workload)
    wanted = {**wanted, **new} if not pointer else {**wanted, "spec": {**wanted["spec"], "template": new}}
    assert readable(injected, pointer) == wanted
    assert list(pod_of(injected, pointer)["metadata"]["annotations"])[-1] == inject.STATUS
    assert patched(tmp_path, config, document)[0] == injected
    assert patched(tmp_path, config, injected)[1] == []


def change(document, pointer, function):
    """The document with another pod."""
    pod = function(pod_of(document, pointer))
    return {**document, "spec": {**document["spec"], "template": pod}} if pointer else {**document, **pod}


@pytest.mark.parametrize("seed", SEEDS)
def test_api_server(seed, tmp_path):
    """Asked again, after the API server has filled in its defaults and mounted the token, nothing is to be done."""
    rng = random.Random(seed)
    config = {**random_config(rng), "rewriteProbes": rng.random() < 0.5, "mergePrometheus": rng.random() < 0.5}
    document, pointer, _ = random_document(rng)
    pod_of(document, pointer)["spec"]["containers"][0].update(part(rng, PROBES))
    pod_of(document, pointer).setdefault("metadata", {}).setdefault("annotations", {}).update(part(rng, PROMETHEUS))
    injected, _ = patched(tmp_path, config, change(document, pointer, inject.with_defaults))
    filled = change(injected, pointer, lambda pod: inject.with_token(inject.with_defaults(pod)))
    assert patched(tmp_path, config, filled)[1] == []


def foreign(pod, names):
    return [item for where in ("initContainers", "containers") for item in pod["spec"].get(where) or []
            if item["name"] not in names]


@pytest.mark.parametrize("seed", SEEDS)
def test_another_configuration(seed, tmp_path):
    """A pod of one configuration under another: settled after one injection, and nobody else's container has changed."""
    rng = random.Random(seed)
    document, pointer, _ = random_document(rng)
    injected, _ = patched(tmp_path, random_config(rng), document)
    config = random_config(rng)
    again, _ = patched(tmp_path, config, injected)
    assert patched(tmp_path, config, again)[1] == []
    names = {"istio-init", "istio-validation", "istio-proxy", "helper", "prepare"}
    assert foreign(pod_of(again, pointer), names) == foreign(pod_of(document, pointer), names)
