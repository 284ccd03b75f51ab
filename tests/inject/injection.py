# SPDX-License-Identifier: GPL-2.0-or-later
"""istio-inject, the binary, run on texts."""

import os
import pathlib

import lib

BINARY = pathlib.Path(os.environ.get("ISTIO_INJECT", lib.BINARY.parent / "istio-inject"))
HERE = pathlib.Path(__file__).resolve().parent

# A proxy of one line, and nothing else.
CONFIG = """\
initContainer: {image: example.org/istio-init:1}
overlays: {proxy: {spec: {containers: [{name: istio-proxy, image: example.org/proxy:1}]}}}
"""

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: app
spec:
  containers:
  - name: app
    image: example.org/app
"""

# What is no pod, or will not be injected, in all the ways that a file can have.
FOREIGN = """\
# head
%YAML 1.1
---
kind: Service   # comment
metadata: {name: "x", h: 0x10, f: 1e3, g: 0.10, big: 123456789012345678901234567890}
--- # another
# only a comment
---
- just
- a list
...
# between
---
kind: Deployment
spec:
  template:
    metadata: {labels: {sidecar.istio.io/inject: "false"}}
    spec: {hostNetwork: false, containers: []}
---
scalar
"""


def write(path, text):
    """The file at @path with the text as its bytes."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def run(tmp_path, *args, config=CONFIG, env=None, **kwargs):
    """istio-inject with the configuration; bytes of standard input as input=..."""
    write(tmp_path / "config.yaml", config)
    command = [args[0]] if args and not str(args[0]).startswith("-") else []
    return lib.run([BINARY, *command, "-c", tmp_path / "config.yaml", *args[len(command):]], env=env, **kwargs)


def inject(tmp_path, text, *args, **kwargs):
    """What the filter makes of the text, which it must accept; bytes."""
    data = text if isinstance(text, bytes) else text.encode()
    result = run(tmp_path, *args, input=data, text=False, **kwargs)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout
