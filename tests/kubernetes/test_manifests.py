# SPDX-License-Identifier: GPL-2.0-or-later
"""Every manifest, judged by the API server; and the levels of Pod Security that injected pods pass."""

import json

import lib
import pytest
import yaml
from apiserver import RESTRICTED, names, pod

DEPLOY = lib.ROOT / "deploy"
LEVEL = "pod-security.kubernetes.io/enforce"


def manifests():
    """Files that hold objects of Kubernetes; the others are configurations, or values of Helm's."""
    for path in sorted(DEPLOY.glob("**/*.yaml")):
        documents = [item for item in yaml.safe_load_all(path.read_text()) if item]
        if all("kind" in item for item in documents):
            yield str(path.relative_to(DEPLOY))


def configurations():
    return sorted(path.stem for path in (DEPLOY / "inject").glob("*.yaml") if "overlays:" in path.read_text())


@pytest.mark.parametrize("version", ["current", "1.35"])
@pytest.mark.parametrize("name", manifests())
def test_manifest(servers, version, name):
    """kubectl's dry run by the API server, with every field known to it, and without a warning."""
    server = servers(version)
    # What is only tried is not there for what stands in it.
    for item in yaml.safe_load_all((DEPLOY / name).read_text()):
        if item and (namespace := item["metadata"].get("namespace")):
            lib.checked(server.kubectl("apply", "-f", "-", input=f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}"))
    result = server.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", DEPLOY / name)
    lib.checked(result)
    assert result.stderr == ""


@pytest.mark.parametrize("version", ["current", "1.35"])
@pytest.mark.parametrize("name", configurations())
def test_configuration(servers, install, version, name):
    """What `manifests` prints of a configuration: applied, applied again without a change, and it injects."""
    server, text = servers(version), (DEPLOY / f"inject/{name}.yaml").read_text()
    installation = install(server, config=text)

    def versions():
        listed = lib.checked(server.kubectl("get", "-o", "json", "-f", "-", input=installation.printed))
        return [item["metadata"]["resourceVersion"] for item in json.loads(listed)["items"]]
    before = versions()
    again = server.kubectl("apply", "--validate=strict", "-f", "-", input=installation.printed)
    assert lib.checked(again) and again.stderr == ""
    assert versions() == before and len(before) == len(installation.objects)
    installation.start()
    server.api.namespace(f"config-{name}", installation.labels)
    answer = server.api.create(f"config-{name}", pod("a"))
    assert names(answer)[0] == "istio-init" and len(names(answer)) == 2


@pytest.mark.parametrize("version", ["current", "1.35"])
def test_pod_of_the_webhook(servers, install, version):
    """The server's own pod passes the strictest level."""
    server = servers(version)
    installation = install(server)
    server.api.namespace("restricted", {LEVEL: "restricted"})
    server.api.account("restricted", installation.pod["spec"]["serviceAccountName"])
    server.api.must("POST", "/api/v1/namespaces/restricted/pods",
                    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": installation.pod["spec"]})


# What injected pods pass: istio-init adds NET_ADMIN and NET_RAW, with the CNI plugin nothing does
LEVELS = {"container": {"privileged": True, "baseline": False, "restricted": False},
          "cni": {"privileged": True, "baseline": True, "restricted": True}}


@pytest.mark.parametrize("init", LEVELS)
def test_pod_security(server, install, init):
    revision = f"security-{init}"
    proxy = {"name": "istio-proxy", "image": "example.org/proxy:1", "securityContext": RESTRICTED}
    config = {"revision": revision, "init": init, "overlays": {"proxy": {"spec": {"containers": [proxy]}}},
              "initContainer": {"image": "example.org/istio-init:1",
                                "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}}
    installation = install(server, revision=revision, config=json.dumps(config))
    installation.start()
    app = {"name": "app", "image": "example.org/app:1", "securityContext": RESTRICTED}
    for level, accepted in LEVELS[init].items():
        server.api.namespace(f"{init}-{level}", {**installation.labels, LEVEL: level})
        answer = server.api.create(f"{init}-{level}", pod("a", containers=[app]))
        if accepted:
            assert len(names(answer)) == 2
        else:
            assert answer.status == 403 and 'container "istio-init"' in answer.message, answer
