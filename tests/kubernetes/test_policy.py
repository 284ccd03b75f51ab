# SPDX-License-Identifier: GPL-2.0-or-later
"""The policy gives the pod that the webhook gives, both asked by one API server for the same random pods."""

import copy
import json
import random
import re

import lib
import pytest
import test_inject as oracle
from apiserver import names, pod, until
from both import STATUS
from installation import CONFIG, istio_inject

CONFIGURATIONS, PODS = range(8), 40
OURS = ["istio-init", "istio-proxy"]
# What CEL cannot read is refused by name
UNREADABLE = {"proxy.istio.io/config": "{}", "inject.istio.io/templates": "proxy", "istio-inject/order": "after:own",
              "sidecar.istio.io/userVolume": "{}", "sidecar.istio.io/userVolumeMount": "{}"}


def config(rng, revision):
    """A random configuration of those that the policy can say, whose pods an API server accepts."""
    made = oracle.random_config(rng)
    proxy = made["overlays"]["proxy"]
    proxy["spec"]["volumes"] = copy.deepcopy(oracle.VOLUMES)
    [container] = proxy["spec"]["containers"]
    container["env"] = [item for item in container["env"] if "${proxyConfig}" not in json.dumps(item)]
    container.setdefault("image", "example.org/proxy:1")
    made |= {"overlays": {"proxy": proxy}, "revision": revision}
    for key in ("default", "aliases", "proxyConfig"):
        made.pop(key, None)
    if made["order"].startswith("after"):
        made["order"] = "auto"
    made["initContainer"] = oracle.IMAGE | {"env": [{"name": "NODE", "value": "${pod.name|x}"}]}
    return made


def random_pod(rng, name):
    """One that an API server accepts."""
    made = {"apiVersion": "v1", "kind": "Pod", **oracle.random_pod(rng)}
    metadata = made.setdefault("metadata", {})
    metadata["name"] = name
    labels, notes = metadata.get("labels", {}), metadata.get("annotations", {})
    if "app.kubernetes.io/name" in labels:
        labels["app.kubernetes.io/name"] = "odd_name"
    for key in ("a/b~c", *UNREADABLE):
        notes.pop(key, None)
    made["spec"].pop("priorityClassName", None)
    if rng.random() < 0.8:
        for where in ("containers", "initContainers"):
            kept = [one for one in made["spec"].get(where, []) if one["name"] not in OURS]
            made["spec"].pop(where, None)
            made["spec"] |= {where: kept} if kept else {}
    volumes = made["spec"].get("volumes", [])
    made["spec"]["volumes"] = volumes + ([] if any(one["name"] == "mine" for one in volumes) else
                                         [{"name": "mine", "emptyDir": {}}])
    return made


def comparable(answer):
    """What the two have to agree in; names that the API server or the test has made are made one."""
    if answer.status != 201:
        return f"{answer.status} {answer.message}"
    text = json.dumps({"labels": answer.object["metadata"].get("labels"),
                       "annotations": answer.object["metadata"].get("annotations"), "spec": answer.object["spec"]},
                      sort_keys=True)
    return json.loads(re.sub(r"kube-api-access-\w+", "token", re.sub("by-(policy|webhook)-", "by-", text)))


def differences(policy, webhook, path=""):
    """Where the two are not the same: lines."""
    if isinstance(policy, dict) and isinstance(webhook, dict):
        return [line for key in sorted(policy.keys() | webhook.keys())
                for line in differences(policy.get(key), webhook.get(key), f"{path}/{key}")]
    if isinstance(policy, list) and isinstance(webhook, list) and len(policy) == len(webhook):
        return [line for number, pair in enumerate(zip(policy, webhook))
                for line in differences(*pair, f"{path}/{number}")]
    return [] if policy == webhook else [f"{path}: policy {json.dumps(policy)}, webhook {json.dumps(webhook)}"]


def has(item, *wanted):
    containers = item["spec"]["containers"] + (item["spec"].get("initContainers") or [])
    return any(one["name"] in wanted for one in containers)


@pytest.mark.parametrize("seed", CONFIGURATIONS)
def test_same_pod(both, figure, seed):
    rng = random.Random(seed)
    revision = f"random{seed}"
    pair = both(json.dumps(config(rng, revision)), revision)
    same = refused = left = 0

    def compare(number):
        nonlocal same, refused, left
        item = random_pod(rng, f"pod{number}")
        policy, webhook = pair.create("policy", item), pair.create("webhook", item)
        if has(item, *OURS):
            # Left out by the policy: the webhook merges what the user wrote, which CEL cannot
            assert policy.status != 201 or STATUS not in policy.object["metadata"].get("annotations", {})
            left += 1
            return
        assert differences(comparable(policy), comparable(webhook)) == [], json.dumps(item)
        same, refused = same + (policy.status == 201), refused + (policy.status != 201)
    for number in range(PODS):
        compare(number)
    figure(f"policy and webhook, configuration {seed}: {same} pods alike, {refused} that both refuse, "
           f"{left} with a proxy of their own that the policy leaves out")
    assert same > 10


def test_rival(both, rival, api):
    """Ours stay in front of what a webhook appends, although the policy does not look again."""
    pair = both(CONFIG.format(revision="policy-rival"), "policy-rival")
    item = pod("a", initContainers=[{"name": "own", "image": "example.org/own:1"}])
    with rival.webhook(api, "z-rival", "/append/rival", {"istio.io/rev": "policy-rival"}):
        until(lambda: "rival" in names(pair.create("nothing", item, True)))
        policy, webhook = pair.create("policy", item), pair.create("webhook", item)
    assert differences(comparable(policy), comparable(webhook)) == []
    assert names(policy) == [*OURS, "own", "rival"]


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable(both, name):
    """An annotation that CEL cannot read refuses the pod, by its name; never is the pod injected otherwise."""
    revision = "unreadable-" + name.rsplit("/", 1)[1].lower()
    pair = both(json.dumps(config(random.Random(0), revision)), revision)
    answer = pair.create("policy", pod("a", annotations={name: UNREADABLE[name]}))
    assert answer.status == 403 and name in answer.message, answer


def test_old_server(servers, install):
    """A cluster before 1.36 does not know the kinds, and says so; nothing of it is there then."""
    server = servers("1.35")
    installation = install(server)
    printed = lib.checked(istio_inject("policy", "-c", installation.dir / "config.yaml"))
    result = server.kubectl("apply", "-f", "-", input=printed)
    assert result.returncode == 1 and 'no matches for kind "MutatingAdmissionPolicy"' in result.stderr, result
    assert result.stdout == ""
