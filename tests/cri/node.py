# SPDX-License-Identifier: GPL-2.0-or-later
"""A containerd of the test's own with a network of ptp and our plugin, and pods on it."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import cri
import grpc
import image
import lib
from machine import CGROUP

HERE = pathlib.Path(__file__).resolve().parent
BUILT = lib.ROOT / "build/cri/bin"
ENTRY = {"type": "istio-init-cni", "capabilities": {"io.kubernetes.cri.pod-annotations": True}}
INJECTED = {"sidecar.istio.io/status": '{"initContainers":["istio-validation"],"containers":["istio-proxy"]}'}
PAUSE = "localhost/pause:test"

# name: (containerd's folder, that of the plugins before ours, its configuration, the newest version of CNI)
KINDS = {
    "debian": (pathlib.Path("/usr/bin"), pathlib.Path("/usr/lib/cni"), "debian.toml", "1.0.0"),
    "current": (BUILT, BUILT, "current.toml", "1.1.0"),
}


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)
    return value


def refused(call, *args):
    """The message that a call fails with."""
    try:
        call(*args)
    except grpc.RpcError as error:
        return error.details()
    raise AssertionError("it has succeeded")


class PodNetns(lib.Netns):
    """That of a pod, for the stock tools."""

    def __init__(self, path):
        super().__init__()
        os.close(self.fd)
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.path = f"/proc/{os.getpid()}/fd/{self.fd}"
        assert lib.netns_id(self.path) != lib.HOME


class Pod:
    def __init__(self, node, name, annotations=None, host=False, handler=""):
        self.node = node
        self.config = {
            "metadata": {"name": name, "uid": name, "namespace": "shop"}, "annotations": annotations or {},
            "log_directory": str(node.dir / "logs"),
            "linux": {"cgroup_parent": f"/{CGROUP}", "security_context": {"namespace_options": {"network": cri.NODE} if host else {}}},
        }
        self.id = node.runtime.run_sandbox(self.config, handler)

    def info(self):
        return self.node.runtime.sandbox_info(self.id)

    def is_ready(self):
        return self.info()[0] == 0

    def address(self):
        return self.info()[1]

    def netns(self):
        namespaces = json.loads(self.info()[2])["runtimeSpec"]["linux"]["namespaces"]
        return PodNetns(next(one["path"] for one in namespaces if one["type"] == "network"))

    def has_rules(self):
        with self.netns() as netns:
            return netns.has_istio("ipv4")

    def container(self, name, image_name=PAUSE, **config):
        """One of its containers, made and not started; the security is that of the restricted level if nothing is said."""
        config.setdefault("linux", {"security_context": {"capabilities": {"drop_capabilities": ["ALL"]}}})
        return self.node.runtime.create(self.id, self.config, {
            "metadata": {"name": name}, "image": {"image": image_name}, "log_path": f"{self.id}-{name}.log", **config})

    def remove(self):
        self.node.runtime.remove(self.id)


class Node:
    def __init__(self, directory, kind):
        self.dir, self.kind = directory, kind
        self.programs, self.plugins, config, self.cni_version = KINDS[kind]
        self.conf, self.bin = self.dir / "net.d", self.dir / "cni"
        self.list = self.conf / "10-pods.conflist"
        for folder in (self.conf, self.bin, self.dir / "logs"):
            folder.mkdir(parents=True)
        for plugin in ("ptp", "host-local", "loopback"):
            (self.bin / plugin).symlink_to(self.plugins / plugin)
        (self.dir / "config.toml").write_text((HERE / config).read_text().replace("@DIR@", str(self.dir)))
        self.process = self.runtime = None
        self.configure()
        self.start()
        pause = self.dir / "pause"
        subprocess.run(["musl-gcc", "-Os", "-static", "-s", "-o", pause, HERE / "pause.c"], check=True)
        self.import_image(PAUSE, ["/pause"], {"/pause": pause})

    # containerd

    def start(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "containerd", "--address", self.dir / "sock", "--config", self.dir / "config.toml"],
                env={"PATH": f"{self.programs}:{lib.PATH}"}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.runtime = cri.Runtime(self.dir / "sock")
        self.wait_for_network()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.runtime.close()

    def log(self):
        return (self.dir / "log").read_text()

    def import_image(self, name, entrypoint, files):
        archive = self.dir / "image.tar"
        image.write(archive, name, entrypoint, files)
        lib.checked(lib.run(["ctr", "-a", self.dir / "sock", "-n", "k8s.io", "images", "import", archive]))
        archive.unlink()

    # The network

    def base(self):
        """The list before us."""
        ipam = {"type": "host-local", "dataDir": str(self.dir / "ipam"), "ranges": [[{"subnet": self.subnet()}]],
                "routes": [{"dst": "0.0.0.0/0"}]}
        return {"cniVersion": self.cni_version, "name": f"pods-{self.kind}", "plugins": [{"type": "ptp", "ipam": ipam}]}

    def subnet(self):
        return f"10.{88 + list(KINDS).index(self.kind)}.0.0/16"

    def leases(self):
        """Addresses that are given away."""
        return sorted(path.name for path in (self.dir / "ipam").glob("*/10.*"))

    def install(self, program=lib.BINARY, **entry):
        """As the DaemonSet does: cni-install, with an entry that has these keys, too."""
        file = self.dir / "entry.json"
        file.write_text(json.dumps({**ENTRY, **entry}))
        lib.checked(lib.run([program, "cni-install", "--conf-dir", self.conf, "--bin-dir", self.bin, "--conf", file]))

    def configure(self, **entry):
        """A list of ptp and ours, as cni-install has made it; waits until it counts."""
        self.list.write_text(json.dumps(self.base()))
        self.install(**entry)
        if self.runtime:
            self.wait_for_network()

    def edit(self, change):
        """Has a function change the list's plugins."""
        whole = json.loads(self.list.read_text())
        change(whole["plugins"])
        self.list.write_text(json.dumps(whole))
        self.wait_for_network()

    def edit_entry(self, **keys):
        """What cni-install would refuse."""
        self.edit(lambda plugins: plugins[-1].update(keys))

    def witness(self, *behind):
        """A plugin behind ours that writes its calls down, and others behind that."""
        for name in ("witness", *(plugin["type"] for plugin in behind)):
            if not (self.bin / name).exists():
                (self.bin / name).symlink_to((HERE if name == "witness" else self.plugins) / name)
        self.edit(lambda plugins: plugins.extend([{"type": "witness"}, *behind]))
        (self.bin / "calls").write_text("")

    def calls(self):
        """["VERB NETNS"] that the witness has seen."""
        return (self.bin / "calls").read_text().splitlines()

    def wait_for_network(self):
        wanted = json.loads(self.list.read_text())

        def has_read_it():
            networks = json.loads(self.runtime.network_config())["Networks"] or []
            return any(json.loads(one["Config"]["Source"]) == wanted for one in networks if one["Config"]["Source"])
        until(has_read_it)

    # Pods

    def pod(self, name, annotations=None, **kwargs):
        return Pod(self, name, annotations, **kwargs)

    def injected(self, name, annotations=None):
        return Pod(self, name, INJECTED | (annotations or {}))

    def clear(self):
        for sandbox in self.runtime.sandboxes():
            self.runtime.remove(sandbox)
        assert not self.leases()

    def close(self):
        with contextlib.suppress(grpc.RpcError):
            self.clear()
        self.kill()
