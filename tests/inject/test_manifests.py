# SPDX-License-Identifier: GPL-2.0-or-later
"""What `istio-inject manifests` prints holds together; make check-kubernetes applies it to an API server."""

import base64
import subprocess

import injection
import lib
import pytest
import yaml

KINDS = ["Namespace", "ConfigMap", "ServiceAccount", "Deployment", "Service", "PodDisruptionBudget",
         "MutatingWebhookConfiguration"]
NAMES = ["rev.namespace", "rev.object", "namespace", "object"]
NAMESPACE_LABELS = [{}, {"istio-injection": "enabled"}, {"istio-injection": "disabled"}, {"istio.io/rev": "default"},
                    {"istio.io/rev": "canary"}, {"istio-injection": "enabled", "istio.io/rev": "default"}]
POD_LABELS = [{key: value for key, value in (("sidecar.istio.io/inject", inject), ("istio.io/rev", rev)) if value}
              for inject in (None, "true", "false") for rev in (None, "default", "canary")]


def certificate(directory, name, *extensions):
    lib.checked(lib.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                         "-keyout", directory / f"{name}.key", "-out", directory / f"{name}.crt", "-days", "9", "-subj",
                         f"/CN={name}", *extensions]))
    return directory / f"{name}.crt"


@pytest.fixture(scope="module", name="ca")
def fixture_ca(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("ca"), "ca")


def manifests(tmp_path, ca, *args, config=injection.CONFIG):
    return injection.run(tmp_path, "manifests", "--ca", ca, *args, config=config)


def objects(tmp_path, ca, *args, config=injection.CONFIG):
    out = lib.checked(manifests(tmp_path, ca, *args, config=config))
    return {item["kind"]: item for item in yaml.safe_load_all(out)}


def test_objects(tmp_path, ca):
    config = injection.CONFIG + "revision: 'canary'   # a comment, kept\nneverInject: []\n"
    found = objects(tmp_path, ca, "-n", "mesh", "--service", "inject-canary", "--image", "example.org/i@sha256:ab",
                    "--replicas=3", config=config)
    assert list(found) == KINDS
    assert found.pop("Namespace")["metadata"]["name"] == "mesh"
    assert {item["metadata"]["name"] for item in found.values()} == {"inject-canary"}
    assert found["ConfigMap"]["data"] == {"config.yaml": config}
    deployment = found["Deployment"]["spec"]
    assert deployment["replicas"] == 3
    labels = deployment["selector"]["matchLabels"]
    assert labels == found["Service"]["spec"]["selector"] == found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]
    assert labels.items() <= deployment["template"]["metadata"]["labels"].items()
    [container] = deployment["template"]["spec"]["containers"]
    assert container["image"] == "example.org/i@sha256:ab"
    [port] = found["Service"]["spec"]["ports"]
    assert {item["name"]: item["containerPort"] for item in container["ports"]}[port["targetPort"]] == 8443
    webhooks = found["MutatingWebhookConfiguration"]["webhooks"]
    assert [item["name"] for item in webhooks] == [f"{name}.sidecar-injector.istio.io" for name in NAMES[:2]]
    for item in webhooks:
        client = item["clientConfig"]
        assert client["service"] == {"namespace": "mesh", "name": "inject-canary", "path": "/inject", "port": port["port"]}
        assert base64.b64decode(client["caBundle"]) == ca.read_bytes()
        assert (item["failurePolicy"], item["sideEffects"], item["reinvocationPolicy"]) == ("Fail", "None", "IfNeeded")
        assert item["admissionReviewVersions"] == ["v1"] and item["timeoutSeconds"] == 10
        assert item["rules"] == [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                                  "resources": ["pods"], "scope": "Namespaced"}]


def test_the_server_finds_its_files(tmp_path, ca):
    """The volumes are mounted where the arguments and the defaults of `serve` look."""
    found = objects(tmp_path, ca)
    spec = found["Deployment"]["spec"]["template"]["spec"]
    [container] = spec["containers"]
    mounts = {item["name"]: item["mountPath"] for item in container["volumeMounts"]}
    volumes = {item["name"]: item for item in spec["volumes"]}
    assert volumes["config"]["configMap"]["name"] == found["ConfigMap"]["metadata"]["name"]
    assert container["args"] == ["serve", f"--config={mounts['config']}/config.yaml"]
    assert mounts["tls"] == "/etc/istio-inject/tls" and volumes["tls"]["secret"]["secretName"] == "istio-inject-tls"
    # Kubernetes cannot mount into a volume that is read-only
    assert not any(a != b and a.startswith(b + "/") for a in mounts.values() for b in mounts.values())
    assert volumes["tls"]["secret"]["defaultMode"] == 0o440
    assert spec["securityContext"]["fsGroup"] == container["securityContext"]["runAsGroup"] == 65532


def test_pod_security(tmp_path, ca):
    """What the level `restricted` asks for; and nothing of the API."""
    spec = objects(tmp_path, ca)["Deployment"]["spec"]["template"]["spec"]
    context = spec["containers"][0]["securityContext"]
    assert context["runAsNonRoot"] and context["readOnlyRootFilesystem"] and context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]} and context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert all(set(volume) <= {"name", "configMap", "secret"} for volume in spec["volumes"])


def holds(selector, labels):
    for item in selector["matchExpressions"]:
        value = labels.get(item["key"])
        if not {"In": lambda: value in item["values"], "NotIn": lambda: value not in item["values"],
                "DoesNotExist": lambda: value is None}[item["operator"]]():
            return False
    return True


@pytest.mark.parametrize("revision", ["default", "canary"])
def test_as_check_says(tmp_path, ca, revision):
    """For all labels at most one webhook is asked, and it is the one that check names."""
    config = injection.CONFIG + f"revision: {revision}\n"
    webhooks = objects(tmp_path, ca, config=config)["MutatingWebhookConfiguration"]["webhooks"]
    asked_once = set()
    for of_namespace in NAMESPACE_LABELS:
        given = ",".join(f"{key}={value}" for key, value in of_namespace.items())
        pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{i}", "labels": of_pod},
                 "spec": {"containers": [{"name": "app"}]}} for i, of_pod in enumerate(POD_LABELS)]
        result = injection.run(tmp_path, "check", "-o", "json", f"--namespace-labels={given}", "-n", "shop",
                               input=yaml.safe_dump_all(pods), config=config)
        said = [item["webhook"] for item in yaml.safe_load(result.stdout)]
        labels = {**of_namespace, "kubernetes.io/metadata.name": "shop"}
        for of_pod, name in zip(POD_LABELS, said):
            asked = [item["name"].removesuffix(".sidecar-injector.istio.io") for item in webhooks
                     if holds(item["namespaceSelector"], labels) and holds(item["objectSelector"], of_pod)]
            assert asked == ([name] if name else []), (of_namespace, of_pod)
            asked_once.update(asked)
        for own in ("kube-system", "istio-inject"):
            labels["kubernetes.io/metadata.name"] = own
            assert not any(holds(item["namespaceSelector"], labels) for item in webhooks)
    assert asked_once == set(NAMES if revision == "default" else NAMES[:2])


def test_everywhere(tmp_path, ca):
    config = injection.CONFIG + "ignoredNamespaces: [kube-system, legacy]\n"
    found = objects(tmp_path, ca, "--everywhere", config=config)["MutatingWebhookConfiguration"]["webhooks"]
    assert [item["name"].removesuffix(".sidecar-injector.istio.io") for item in found] == [*NAMES, "auto"]
    selector = found[-1]["namespaceSelector"]
    assert holds(selector, {"kubernetes.io/metadata.name": "shop"})
    for name in ("legacy", "kube-system", "istio-inject"):
        assert not holds(selector, {"kubernetes.io/metadata.name": name})
    for labels in ({"sidecar.istio.io/inject": "true"}, {"istio.io/rev": "default"}):
        assert not holds(found[-1]["objectSelector"], labels)
        assert not holds(selector, {"istio-injection": "enabled", "kubernetes.io/metadata.name": "shop"})


def test_ca(tmp_path, ca):
    """Only certificates of CAs get out, whatever else the file holds; without one it is refused."""
    leaf = certificate(tmp_path, "leaf", "-addext", "basicConstraints=critical,CA:FALSE")
    both = tmp_path / "both.pem"
    both.write_text((tmp_path / "leaf.key").read_text() + "of no meaning\n" + leaf.read_text() + ca.read_text())
    found = objects(tmp_path, both)["MutatingWebhookConfiguration"]["webhooks"][0]
    assert base64.b64decode(found["clientConfig"]["caBundle"]) == ca.read_bytes()
    for path, message in ((leaf, "expected a certificate of a CA"), (tmp_path / "leaf.key", "expected a certificate"),
                          (tmp_path / "config.yaml", "expected a certificate in PEM")):
        result = manifests(tmp_path, path)
        assert (result.returncode, result.stdout) == (64, "") and f"{path}: {message}" in result.stderr, result
    assert manifests(tmp_path, "/nonexistent").returncode == 1


@pytest.mark.parametrize("args,config,message", [
    (["--service=9a"], "", '--service: "9a": expected a name'),
    (["--service=a.b"], "", '--service: "a.b": expected a name'),
    (["-n", "Mesh"], "", '--namespace (-n): "Mesh": expected a name'),
    (["--image="], "", "--image: expected the name of an image"),
    (["--replicas=0"], "", '--replicas: "0": expected a number from 1 to 65535'),
    (["--everywhere"], "revision: canary", "--everywhere: only the revision default"),
    ([], "revision: a b", 'revision of the configuration: "a b": expected a label'),
    ([], "revisions: a", "config.yaml:3: revisions: expected a key of the configuration; the nearest is revision"),
])
def test_wrong(tmp_path, ca, args, config, message):
    result = manifests(tmp_path, ca, *args, config=injection.CONFIG + config)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (64, "", 1)
    assert message in result.stderr


def test_without_ca(tmp_path):
    result = injection.run(tmp_path, "manifests")
    assert (result.returncode, result.stdout) == (64, "") and "--ca is missing" in result.stderr


def test_same_bytes(tmp_path, ca):
    """Nothing drifts, and nothing says when it was printed."""
    first, second = (subprocess.run([injection.BINARY, "manifests", "-c", tmp_path / "config.yaml", "--ca", ca],
                                    capture_output=True, check=True).stdout for _ in "12"
                     if injection.write(tmp_path / "config.yaml", injection.CONFIG))
    assert first == second
