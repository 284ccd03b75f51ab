# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration: what each wrong line is answered with, and that it counts."""

import injection
import pytest

BASE = "initContainer: {image: x}\n"

WRONG = [
    ("nativ: true\n", "1: nativ: expected a key of the configuration; the nearest is native"),
    ("policy: maybe\n", "1: policy: expected enabled|disabled"),
    ("policy: true\n", "1: policy: expected enabled|disabled"),
    ("native: 'yes'\n", "1: native: expected true or false"),
    ("init: pod\n", "1: init: expected container|cni|none"),
    ("revision: 7\n", "1: revision: expected a text"),
    ("proxy: ''\n", "1: proxy: expected a text"),
    ("statusPort: 65536\n", "1: statusPort: expected a port, or 0 for none"),
    ("statusPort: '1'\n", "1: statusPort: expected a port, or 0 for none"),
    ("proxyPorts: [1]\n", "1: proxyPorts: expected a text with a list of ports"),
    ("proxyPorts: 1,x\n", "1: proxyPorts: expected "),
    ("order: middle\n", "1: order: expected "),
    ("ignoredNamespaces: x\n", "1: ignoredNamespaces: expected a list of names"),
    ("ignoredNamespaces:\n- a\n- 7\n", "3: ignoredNamespaces[1]: expected a name"),
    ("neverInject: 1\n", "1: neverInject: expected "),
    ("neverInject:\n- matchLabels: {a: 1}\n", "2: neverInject[0]"),
    ("capture: 1\n", "1: capture: expected a mapping"),
    ("capture:\n  istio-service-cidr: 10.0.0.0/33\n", "2: capture.istio-service-cidr: expected "),
    ("capture:\n  dry-run: true\n", "2: capture.dry-run: expected "),
    ("capture:\n  istio-servce-cidr: '*'\n", "2: capture.istio-servce-cidr: expected "),
    ("capture:\n  envoy-port: [1]\n", "2: capture.envoy-port: expected a text, a number, true or false"),
    ("resources: []\n", "1: resources: expected "),
    ("proxyConfig: x\n", "1: proxyConfig: expected "),
    ("overlays: []\n", "1: overlays: expected a mapping of names to overlays"),
    ("overlays:\n  a:\n    spec:\n      containers:\n      - image: x\n", "5: overlays.a.spec.containers[0]: expected "),
    ("overlays:\n  a:\n    spec:\n      containers:\n      - name: c\n        image: ${nothing}\n",
     "6: overlays.a.spec.containers[0].image: expected "),
    ("overlays:\n  a:\n    speck: {}\n", "3: overlays.a.speck: expected "),
    ("default: [a]\n", "1: default"),
    ("aliases: {a: b}\n", "1: aliases.a: expected a list of names"),
    ("aliases: {a: [b]}\n", "1: aliases.a"),
    ("native: true\nhold: true\nnative: false\n", '3:1: the key "native" is there twice'),
    ("native: [true\n", "2:1: "),
    ("- 1\n", "1: expected a mapping of keys"),
    ("native: true\n---\nhold: true\n", "2:1: expected the end of the text"),
]


@pytest.mark.parametrize("text,message", WRONG, ids=[message for _, message in WRONG])
def test_wrong(tmp_path, text, message):
    config = text if text.startswith("- ") else text + BASE
    if "[true" in text:
        config = text
    result = injection.run(tmp_path, config=config, input="")
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr.startswith(f"istio-inject: error: {tmp_path}/config.yaml:{message}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("config", ["", "native: true\n", "init: cni\n"])
def test_the_image_is_required(tmp_path, config):
    result = injection.run(tmp_path, config=config, input="")
    assert result.returncode == 64 and ": initContainer: expected " in result.stderr
    assert injection.run(tmp_path, config="init: none\n", input="").returncode == 0


def test_too_large(tmp_path):
    result = injection.run(tmp_path, config=BASE + "#" * (1 << 20), input="")
    assert result.returncode == 64 and "more than 1 MiB" in result.stderr


def test_not_there(tmp_path):
    result = injection.lib.run([injection.BINARY, "-c", tmp_path / "none"], input="")
    assert result.returncode == 1 and "none: No such file or directory" in result.stderr


@pytest.mark.parametrize("line,marker", [
    ("policy: disabled", b"not injected: policy"),
    ("ignoredNamespaces: [default]", b"not injected: ignored-namespace"),
    ("neverInject: [{matchLabels: {app: web}}]", b"not injected: never-inject"),
])
def test_decisions_by_configuration(tmp_path, line, marker):
    pod = injection.POD.replace("name: app", "name: app\n  labels: {app: web}", 1)
    result = injection.run(tmp_path, config=injection.CONFIG + line + "\n", input=pod.encode(), text=False)
    assert marker in result.stderr and result.stdout == pod.encode()


@pytest.mark.parametrize("line,part", [
    ("revision: green", r'\"revision\":\"green\"'),
    ("statusPort: 0", '"15090,15021"\n'),
    ("statusPort: 15099", '"15090,15021,15099"\n'),
    ("proxyPorts: '7'", '"7,15020"\n'),
    ("capture: {envoy-port: 15101}", '- "15101"\n'),
    ("capture: {redirect-dns: true}", "- --redirect-dns\n"),
    ("resources: {limits: {cpu: 10m}}", "cpu: 10m\n"),
])
def test_every_key_counts(tmp_path, line, part):
    assert part in injection.inject(tmp_path, injection.POD, config=injection.CONFIG + line + "\n").decode()
