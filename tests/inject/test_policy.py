# SPDX-License-Identifier: GPL-2.0-or-later
"""The structure of what `istio-inject policy` prints; make check-kubernetes compares its pods with the webhook's."""

import json

import injection
import lib
import pytest
import yaml

RICH = """\
revision: canary
initContainer: {image: example.org/istio-init:1}
resources: {requests: {cpu: 10m}}
overlays:
  proxy:
    metadata: {labels: {by: "it's ${revision}\\n\\\\"}}
    spec:
      terminationGracePeriodSeconds: {$if: annotation:x/slow, $value: 300}
      hostAliases: [{ip: 10.0.0.9, hostnames: [a]}]
      volumes: [{name: data, emptyDir: {}}]
      containers:
      - name: istio-proxy
        image: ${annotation:sidecar.istio.io/proxyImage|example.org/proxy:1}
        resources: ${json:resources}
        securityContext: {runAsUser: {$if: mode=TPROXY, $value: 0, $else: 1337}}
"""

REFUSED = [
    ("rewriteProbes: true", ["rewriteProbes: "]),
    ("mergePrometheus: true", ["mergePrometheus: "]),
    ("neverInject: [{matchLabels: {a: b}}]", ["neverInject: "]),
    ("alwaysInject: [{matchLabels: {a: b}}]", ["alwaysInject: "]),
    ("order: after:x", ["order: "]),
    ("aliases: {a: [proxy]}", ["aliases: "]),
    ("rewriteProbes: true\naliases: {a: [proxy]}\norder: after:x", ["rewriteProbes: ", "order: ", "aliases: "]),
]
REFUSED_OVERLAYS = [
    ("{a: {spec: {}}, b: {spec: {}}}", "overlays: more than one"),
    ('{a: {metadata: {labels: {x: "${proxyConfig}"}}}}', "overlays: CEL cannot say the variable proxyConfig"),
    ('{a: {metadata: {labels: {x: "${proxyMetadata:Y}"}}}}', "overlays: CEL cannot say the variable proxyMetadata:Y"),
    ('{a: {spec: {containers: [{name: p, args: "${json:annotation:x}"}]}}}', "overlays: CEL cannot read JSON"),
    ('{a: {spec: {containers: [{name: "${pod.name}"}]}}}', "overlays: CEL cannot say a container whose name depends"),
    ('{a: {spec: {volumes: [{name: "${pod.name}", emptyDir: {}}]}}}', "overlays: CEL cannot merge a list whose name"),
]


def policy(tmp_path, config=RICH):
    return injection.run(tmp_path, "policy", config=config)


def objects(tmp_path, config=RICH):
    return list(yaml.safe_load_all(lib.checked(policy(tmp_path, config))))


def balanced(expression):
    """Whether brackets close what was opened, and literals end."""
    stack, i = [], 0
    while i < len(expression):
        c = expression[i]
        if c == "'":
            i += 1
            while expression[i] != "'":
                i += 2 if expression[i] == "\\" else 1
        elif c in "([{":
            stack.append(c)
        elif c in ")]}" and not (stack and stack.pop() + c in ("()", "[]", "{}")):
            return False
        i += 1
    return not stack


def test_objects(tmp_path):
    first, *bindings = objects(tmp_path)
    assert (first["kind"], first["metadata"]["name"]) == ("MutatingAdmissionPolicy", "istio-inject-canary")
    spec = first["spec"]
    assert (spec["failurePolicy"], spec["reinvocationPolicy"]) == ("Fail", "IfNeeded")
    assert spec["matchConstraints"]["resourceRules"] == [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                                                          "resources": ["pods"], "scope": "Namespaced"}]
    assert [item["metadata"]["name"] for item in bindings] == [f"istio-inject-canary.{name}" for name in
                                                               ("rev.namespace", "rev.object")]
    assert {item["apiVersion"] for item in (first, *bindings)} == {"admissionregistration.k8s.io/v1"}
    assert all(item["spec"]["policyName"] == first["metadata"]["name"] for item in bindings)


def test_bindings_are_the_webhooks(tmp_path):
    """The same selectors as `manifests` prints, but for the server's own namespace."""
    lib.checked(lib.run([injection.BINARY, "cert", "-d", tmp_path]))
    _, *bindings = objects(tmp_path, injection.CONFIG)
    out = lib.checked(injection.run(tmp_path, "manifests", "--ca", tmp_path / "ca.crt"))
    [webhooks] = [item["webhooks"] for item in yaml.safe_load_all(out.replace("      - istio-inject\n", ""))
                  if item["kind"] == "MutatingWebhookConfiguration"]
    assert len(bindings) == len(webhooks) == 4
    for binding, webhook in zip(bindings, webhooks):
        assert binding["spec"]["matchResources"] == {key: webhook[key] for key in ("namespaceSelector", "objectSelector")}


def test_expressions(tmp_path):
    """Each is whole, and a variable is said before it is used."""
    spec = objects(tmp_path)[0]["spec"]
    known = []
    for item in spec["variables"]:
        assert balanced(item["expression"]), item
        assert all(name in known for name in used(item["expression"])), item
        known.append(item["name"])
    assert len(known) == len(set(known))
    for item in spec["matchConditions"]:
        assert balanced(item["expression"]) and "variables." not in item["expression"]
    unread, change = (item["jsonPatch"]["expression"] for item in spec["mutations"])
    assert all(item["patchType"] == "JSONPatch" for item in spec["mutations"])
    assert balanced(unread) and balanced(change) and set(used(change)) <= set(known)
    # the message of an error quotes it
    assert len(unread) < 150 and used(unread) == ["unread", "unread"]


def used(expression):
    return [part.split(".")[0].split("[")[0].split(" ")[0].split(")")[0].split(",")[0].split("}")[0].split("]")[0]
            for part in expression.replace("\n", " ").split("variables.")[1:]]


def test_literals(tmp_path):
    """Text of the configuration is a literal of CEL, whatever is in it."""
    spec = objects(tmp_path)[0]["spec"]
    assert r"it\'s ' + 'canary' + '\n\\'" in spec["mutations"][1]["jsonPatch"]["expression"]


def test_unreadable_annotations(tmp_path):
    [unread] = [item["expression"] for item in objects(tmp_path)[0]["spec"]["variables"] if item["name"] == "unread"]
    for name in ("proxy.istio.io/config", "inject.istio.io/templates", "sidecar.istio.io/userVolume",
                 "sidecar.istio.io/userVolumeMount", "istio-inject/order"):
        assert f"'annotation {name}: " in unread


@pytest.mark.parametrize("disabled", [False, True])
def test_conditions(tmp_path, disabled):
    config = injection.CONFIG + "ignoredNamespaces: [kube-system, old]\n" + ("policy: disabled\n" if disabled else "")
    found = {item["name"]: item["expression"] for item in objects(tmp_path, config)[0]["spec"]["matchConditions"]}
    assert found["not-ignored"] == "!(request.namespace in ['kube-system', 'old'])"
    assert found["wanted"].endswith("== 'true'" if disabled else "!= 'false'")
    assert "'istio-proxy'" in found["no-container-of-ours"] and "'istio-init'" in found["no-container-of-ours"]


def test_says_what_it_does_not_do(tmp_path):
    head = lib.checked(policy(tmp_path)).split("---\n")[0]
    assert head.startswith("# Annotations are not validated here") and all(line[0] == "#" for line in head.splitlines())


@pytest.mark.parametrize("config,keys", REFUSED, ids=[config.replace("\n", ", ") for config, _ in REFUSED])
def test_refused(tmp_path, config, keys):
    """One line each, by key, and nothing on stdout."""
    result = policy(tmp_path, injection.CONFIG + config + "\n")
    assert (result.returncode, result.stdout) == (69, "")
    lines = result.stderr.splitlines()
    assert len(lines) == len(keys) and all(line.startswith(f"istio-inject: error: {key}") for line, key in zip(lines, keys))


@pytest.mark.parametrize("overlays,line", REFUSED_OVERLAYS, ids=[overlays for overlays, _ in REFUSED_OVERLAYS])
def test_refused_overlays(tmp_path, overlays, line):
    result = policy(tmp_path, f"initContainer: {{image: a}}\noverlays: {overlays}\n")
    assert (result.returncode, result.stdout) == (69, "") and f"error: {line}" in result.stderr


def test_revision(tmp_path):
    result = policy(tmp_path, injection.CONFIG + "revision: A_b\n")
    assert (result.returncode, result.stdout) == (64, "") and 'revision of the configuration: "A_b"' in result.stderr


@pytest.mark.parametrize("name", ["proxy", "envoy"])
def test_deployed(tmp_path, name):
    """Configurations of deploy/inject that a policy can say."""
    config = (lib.ROOT / f"deploy/inject/{name}.yaml").read_text()
    spec = objects(tmp_path, config)[0]["spec"]
    assert balanced(spec["mutations"][1]["jsonPatch"]["expression"])
    assert json.dumps(spec)
