# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin called as a container runtime calls it: variables, and a network configuration on standard input."""

import json
import subprocess

import lib

PLUGIN = lib.BINARY.parent / "istio-init-cni"
KEY = "io.kubernetes.cri.pod-annotations"
INJECTED = {"sidecar.istio.io/status": '{"initContainers":["istio-validation"],"containers":["istio-proxy"]}'}
# No number, blank or escape of it may change on its way.
PREVIOUS = '{"cniVersion":"1.0.0" , "ips":[{"address":"10.1.0.5\\/24"}],\n\t"x":[1.50,1e3,123456789012345678901],"\\u00e9":null}'


def config(annotations=None, *, version="1.1.0", previous=PREVIOUS, runtime=..., **ours):
    """The configuration as text, prevResult as it is; what is None is left out."""
    if runtime is ...:
        runtime = {KEY: INJECTED | (annotations or {})}
    members = {"cniVersion": version, "name": "k8s", "type": "istio-init-cni", "runtimeConfig": runtime, **ours}
    text = json.dumps({name: value for name, value in members.items() if value is not None}, ensure_ascii=False)
    return text if previous is None else f'{text[:-1]},"prevResult":{previous}}}'


def variables(netns, verb, **changes):
    """Those of a runtime; what is None is left out."""
    env = {
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": "c0ffee-1",
        "CNI_NETNS": netns.path,
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-1",
        "CNI_PATH": "/opt/cni/bin",
        **changes,
    }
    return netns.env({name: value for name, value in env.items() if value is not None})


def call(netns, verb, text, *, prefix=(), program=PLUGIN, **changes):
    """One call from within another namespace, so that a fault could not reach the machine's own."""
    with lib.Netns() as node:
        return lib.run([*node.command(prefix), program], env=variables(netns, verb, **changes), input=text)


def add(netns, annotations=None, **ours):
    return call(netns, "ADD", config(annotations, **ours))


def start(netns, verb, text, **changes):
    """As call, but does not wait."""
    process = subprocess.Popen([str(PLUGIN)], env={"PATH": lib.PATH, **variables(netns, verb, **changes)},
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdin.write(text)
    process.stdin.close()
    process.stdin = None  # communicate would flush it
    return process


def succeeded(result, output=""):
    assert (result.returncode, result.stdout, result.stderr) == (0, output, "")


def failed(result, code, *words, version="1.1.0"):
    """An error as the specification wants it, alone on standard output."""
    assert (result.returncode, result.stderr) == (1, ""), result
    error = json.loads(result.stdout)
    assert list(error) == ["cniVersion", "code", "msg", "details"] and result.stdout.count("\n") == 1
    assert (error["cniVersion"], error["code"]) == (version, code), error
    for word in words:
        assert word in f"{error['msg']}\n{error['details']}", error
    return error
