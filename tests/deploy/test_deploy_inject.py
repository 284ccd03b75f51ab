# SPDX-License-Identifier: GPL-2.0-or-later
"""The configurations of deploy/inject/: each makes of a pod what its README says."""

import json
import os
import pathlib
import re
import subprocess

import inject
import lib
import pytest
import yaml

DEPLOY = lib.ROOT / "deploy/inject"
FILES = sorted(path.name for path in DEPLOY.glob("*.yaml"))
BINARY = pathlib.Path(os.environ.get("ISTIO_INJECT", lib.ROOT / "build/istio-inject"))
PROXY = {"proxy.yaml": "proxy"}

POD = {"apiVersion": "v1", "kind": "Pod",
       "metadata": {"name": "hello", "labels": {"app": "hello", "version": "v1"}},
       "spec": {"containers": [{"name": "app", "image": "app:1", "ports": [{"name": "http", "containerPort": 80}],
                                "readinessProbe": {"httpGet": {"port": "http"}}}]}}

ISTIO_ENV = """PILOT_CERT_PROVIDER CA_ADDR POD_NAME POD_NAMESPACE INSTANCE_IP SERVICE_ACCOUNT HOST_IP ISTIO_CPU_LIMIT
PROXY_CONFIG ISTIO_META_POD_PORTS ISTIO_META_APP_CONTAINERS GOMEMLIMIT ISTIO_META_CLUSTER_ID
ISTIO_META_NODE_NAME ISTIO_META_INTERCEPTION_MODE ISTIO_META_WORKLOAD_NAME ISTIO_META_OWNER ISTIO_META_MESH_ID
TRUST_DOMAIN ISTIO_NATIVE_SIDECAR""".split()
ISTIO_VOLUMES = """workload-socket credential-socket workload-certs istio-envoy istio-data istio-podinfo istio-token
istiod-ca-cert istio-ca-crl""".split()
ISTIO_ARGS = ["istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*",
              "-d", "15090,15021,15020", "--log_output_level=default:info"]


def run(name, pod, output, *args):
    done = subprocess.run([BINARY, "-c", DEPLOY / name, "-o", output, *args], input=json.dumps(pod), capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def noted(annotations):
    return {**POD, "metadata": {**POD["metadata"], "annotations": annotations}}


def container(pod, name):
    return inject.named([*pod["spec"]["containers"], *pod["spec"]["initContainers"]], name)


@pytest.mark.parametrize("name", FILES)
def test_twice(name):
    """Injected, and nothing to do when asked again; nor when the API server has been there in between."""
    first = run(name, inject.with_defaults(POD), "json")
    assert container(first, "istio-init") and container(first, PROXY.get(name, "istio-proxy"))
    assert inject.named(first["spec"]["containers"], "app")["image"] == "app:1"
    for again in first, inject.with_token(inject.with_defaults(first)):
        [of_pod] = run(name, again, "patch")
        assert of_pod["patch"] == []


@pytest.mark.parametrize("name", FILES)
def test_rules(name, netns):
    """The arguments mean rules, which spare the proxy and send everything else to it."""
    pod = run(name, POD, "json")
    result = netns.istio_init(*container(pod, "istio-init")["args"], "--dry-run")
    rules = lib.checked(result)
    assert "ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006" in rules
    assert "ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001" in rules
    user = container(pod, PROXY.get(name, "istio-proxy"))["securityContext"]["runAsUser"]
    assert f"--uid-owner {user} " in rules
    assert re.search(r"(?m)^-A ISTIO_INBOUND -p tcp .*--dport 15021 -j RETURN", rules)


def test_haproxy():
    """Its configuration is the one that tests/e2e runs, and is where HAProxy looks for it."""
    [configmap, _] = yaml.safe_load_all((lib.ROOT / "deploy/pod.yaml").read_text(encoding="utf-8"))
    pod = run("proxy.yaml", POD, "json")
    key = "example.org/haproxy.cfg"
    assert pod["metadata"]["annotations"][key] == configmap["data"]["haproxy.cfg"]
    proxy, volume = container(pod, "proxy"), inject.named(pod["spec"]["volumes"], "proxy-config")
    [item] = volume["downwardAPI"]["items"]
    assert item["fieldRef"]["fieldPath"] == f"metadata.annotations['{key}']"
    [mount] = proxy["volumeMounts"]
    assert mount["name"] == "proxy-config"
    assert proxy["args"][-1] == f"{mount['mountPath']}/{item['path']}"
    assert "--ipv6=off" in container(pod, "istio-init")["args"]


def values(value, key):
    """All values of the key, at any depth."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    found = [value[key]] if isinstance(value, dict) and key in value else []
    return found + [each for part in parts for each in values(part, key)]


@pytest.mark.parametrize("mode", ["REDIRECT", "TPROXY"])
def test_envoy(mode):
    pod = run("envoy.yaml", noted({"sidecar.istio.io/interceptionMode": mode}), "json")
    proxy = container(pod, "istio-proxy")
    text = proxy["args"][proxy["args"].index("--config-yaml") + 1]
    for variable in proxy["env"]:
        # As the kubelet does it
        assert f"$({variable['name']})" in text
        text = text.replace(f"$({variable['name']})", variable["value"])
    assert "$(" not in text
    bootstrap = yaml.safe_load(text)["static_resources"]
    listeners = {each["name"]: each for each in bootstrap["listeners"]}
    ports = {name: each["address"]["socket_address"]["port_value"] for name, each in listeners.items()}
    assert ports == {"virtualOutbound": 15001, "virtualInbound": 15006, "health": 15021}
    assert all(each["address"]["socket_address"]["ipv4_compat"] for each in listeners.values())
    clusters = {each["name"]: each for each in bootstrap["clusters"]}
    assert set(values(bootstrap["listeners"], "cluster")) == set(clusters)
    sources = [cluster["upstream_bind_config"]["source_address"]["address"] for name, cluster in clusters.items()
               if name.startswith("inbound")]
    assert sources == ["127.0.0.6", "::6"]
    for name in "virtualOutbound", "virtualInbound":
        refused = [chain["filter_chain_match"]["destination_port"] for chain in listeners[name]["filter_chains"]
                   if "destination_port" in chain.get("filter_chain_match", {})]
        assert refused == [15001, 15006]
    inbound, transparent = listeners["virtualInbound"], mode == "TPROXY"
    [source] = [each for each in inbound["listener_filters"] if each["name"] == "original_src"]
    assert inbound["transparent"] is transparent
    assert (source["typed_config"]["mark"], source["filter_disabled"]) == (1337, None if transparent else {"any_match": True})
    assert "--dual-stack" in container(pod, "istio-init")["args"]
    context = proxy["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["runAsNonRoot"], context["capabilities"].get("add")) == (
        (0, 1337, False, ["NET_ADMIN"]) if transparent else (1337, 1337, True, None))
    assert proxy["readinessProbe"]["httpGet"]["port"] == proxy["startupProbe"]["httpGet"]["port"] == 15021


def test_istio():
    pod = run("istio.yaml", POD, "json", "-n", "shop")
    proxy = container(pod, "istio-proxy")
    assert container(pod, "istio-init")["args"] == ISTIO_ARGS
    assert [item["name"] for item in pod["spec"]["initContainers"]] == ["istio-init", "istio-proxy"]
    assert [item["name"] for item in proxy["env"]] == [*ISTIO_ENV, "ISTIO_KUBE_APP_PROBERS"]
    assert [item["name"] for item in pod["spec"]["volumes"]] == ISTIO_VOLUMES
    assert {item["name"] for item in proxy["volumeMounts"]} == set(ISTIO_VOLUMES)
    assert proxy["args"][:5] == ["proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local",
                                 "--proxyLogLevel=warning"]
    assert proxy["restartPolicy"] == "Always"
    assert inject.named(proxy["env"], "ISTIO_META_OWNER")["value"] == "kubernetes://apis/v1/namespaces/shop/pods/hello"
    assert json.loads(inject.named(proxy["env"], "ISTIO_META_POD_PORTS")["value"]) == [{"name": "http", "containerPort": 80}]
    assert pod["metadata"]["labels"] == {"app": "hello", "version": "v1", "security.istio.io/tlsMode": "istio",
                                         "service.istio.io/canonical-name": "hello",
                                         "service.istio.io/canonical-revision": "v1"}
    notes = pod["metadata"]["annotations"]
    status = json.loads(notes.pop("sidecar.istio.io/status"))
    assert notes == {"istio.io/rev": "default", "kubectl.kubernetes.io/default-container": "app",
                     "kubectl.kubernetes.io/default-logs-container": "app", "prometheus.io/path": "/stats/prometheus",
                     "prometheus.io/port": "15020", "prometheus.io/scrape": "true"}
    assert status == {"initContainers": ["istio-init", "istio-proxy"], "containers": None, "volumes": ISTIO_VOLUMES,
                      "imagePullSecrets": None, "revision": "default"}
    assert pod["spec"]["containers"][0]["readinessProbe"]["httpGet"] == {"path": "/app-health/app/readyz", "port": 15020}


def test_istio_tproxy_and_annotations():
    pod = run("istio.yaml", noted({"sidecar.istio.io/interceptionMode": "TPROXY", "sidecar.istio.io/logLevel": "debug",
                                   "sidecar.istio.io/bootstrapOverride": "mine", "sidecar.istio.io/proxyCPU": "5m"}), "json")
    proxy = container(pod, "istio-proxy")
    assert proxy["securityContext"]["runAsUser"] == 0
    assert proxy["securityContext"]["runAsNonRoot"] is False
    assert proxy["securityContext"]["capabilities"]["add"] == ["NET_ADMIN"]
    assert "--proxyLogLevel=debug" in proxy["args"]
    assert proxy["resources"] == {"requests": {"cpu": "5m"}}
    assert pod["spec"]["volumes"][0]["configMap"] == {"name": "mine"}
    args = container(pod, "istio-init")["args"]
    assert args[args.index("-m") + 1] == "TPROXY" and args[args.index("-u") + 1] == "1337"


def test_istio_gateway():
    pod = run("istio.yaml", noted({"inject.istio.io/templates": "gateway"}), "json")
    assert "initContainers" not in pod["spec"]
    gateway = inject.named(pod["spec"]["containers"], "istio-proxy")
    assert gateway["args"][:2] == ["proxy", "router"]
    assert not gateway.keys() & {"restartPolicy", "lifecycle", "resources"}
    # it listens on 80 and 443
    assert pod["spec"]["securityContext"]["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    assert gateway["securityContext"] == {"runAsUser": 1337, "runAsGroup": 1337}
    assert pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == "app"
    assert pod["metadata"]["labels"] == {"app": "hello", "version": "v1", "service.istio.io/canonical-name": "hello",
                                         "service.istio.io/canonical-revision": "v1"}
    auto = {**noted({"inject.istio.io/templates": "gateway"}), "spec": {"containers": [{"name": "istio-proxy", "image": "auto"}]}}
    pod = run("istio.yaml", auto, "json")
    assert [item["name"] for item in pod["spec"]["containers"]] == ["istio-proxy"]
    assert pod["spec"]["containers"][0]["image"] == "docker.io/istio/proxyv2:1.28.0"
