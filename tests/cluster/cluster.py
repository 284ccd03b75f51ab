# SPDX-License-Identifier: GPL-2.0-or-later
"""A cluster of one node: API server, kubelet and containerd of today, istio-inject as a pod, its images made here.

    node 192.0.2.1 ──ptp── pods 10.89.0.0/16, fd89::/64

There is no scheduler (pods name their node), no controller (a Deployment's pod is made of its template) and no
kube-proxy (installation.py's rule for the webhook's service).  All of it is in the namespaces of tests/cluster/run.
"""

import contextlib
import functools
import http.client
import json
import pathlib
import signal
import socket
import subprocess

import app
import apiserver
import bootstrap
import image
import installation
import lib
import node as nodes
import yaml
from apiserver import until

HERE = pathlib.Path(__file__).resolve().parent
DEPLOY = lib.ROOT / "deploy"
KUBELET = lib.ROOT / "build/kubernetes/kubelet"
ENVOY = lib.ROOT / "build/envoy/envoy/_bin/envoy"
APP, PROXY, INIT, INJECT = (f"localhost/{name}:test" for name in ("app", "envoy", "istio-init", "istio-inject"))
USER, PROXY_USER = 1000, 1337
# Addresses of the node that are no pod's: a service outside the mesh, and one in the CIDR that is excluded
OUTSIDE, EXCLUDED, OUTSIDE6 = "192.0.2.15", "198.51.100.7", "2001:db8::15"
# The kubelet wants these of the whole machine: it finds files that already say so.
SETTINGS = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
            "kernel/keys/root_maxkeys": 1000000, "kernel/keys/root_maxbytes": 25000000}
# Where the API has what became of a pod's containers
STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
# What Pod Security's level restricted asks of a pod
RESTRICTED = {"runAsNonRoot": True, "runAsUser": USER, "seccompProfile": {"type": "RuntimeDefault"}}


def configuration(**more):
    """deploy/inject/envoy.yaml, with our images, the bootstrap that counts, and @more keys."""
    config = yaml.safe_load(bootstrap.FILE.read_text(encoding="utf-8"))
    config["initContainer"]["image"] = INIT
    container, = config["overlays"]["envoy"]["spec"]["containers"]
    container["image"] = PROXY
    container["args"] = bootstrap.arguments(container["args"], dns=True)
    return json.dumps(config | more)


class Node(nodes.Node):
    """With a network of ptp alone, until somebody puts the plugin in."""

    def __init__(self, directory, families):
        self.families = families
        super().__init__(directory, "current")

    def base(self):
        network = super().base()
        if "ipv6" in self.families:
            ipam = network["plugins"][0]["ipam"]
            ipam["ranges"].append([{"subnet": "fd89::/64"}])
            ipam["routes"].append({"dst": "::/0"})
        return network

    def configure(self, **_):
        self.list.write_text(json.dumps(self.base()))
        if self.runtime:
            self.wait_for_network()


class Plugin:
    """istio-init-cni by the manifests of deploy/cni, each DaemonSet's pod made as its controller would."""

    def __init__(self, cluster):
        self.cluster, self.node, self.pod = cluster, cluster.node, None

    def daemon(self, file, *changes):
        """The objects of a file, with our images, this node's folders and these changes; its pod."""
        text = (DEPLOY / "cni" / file).read_text(encoding="utf-8")
        for name, here in (("example.org/istio-init:0.1.0", INIT), ("example.org/pause:3.9", nodes.PAUSE),
                           ("{path: /etc/cni/net.d", f"{{path: {self.node.conf}"),
                           ("{path: /opt/cni/bin", f"{{path: {self.node.bin}"), *changes):
            assert name in text or here == nodes.PAUSE
            text = text.replace(name, here)
        *others, daemon = yaml.safe_load_all(text)
        for item in others:
            self.cluster.server.apply(json.dumps(item))
        name, namespace = daemon["metadata"]["name"], daemon["metadata"]["namespace"]
        if self.cluster.api("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default").status == 404:
            self.cluster.api.account(namespace, "default")
        return self.cluster.pod(name, namespace, daemon["spec"]["template"])

    def entry(self):
        """Ours in the network's list, or None."""
        last = json.loads(self.node.list.read_text())["plugins"][-1]
        return last if last["type"] == nodes.ENTRY["type"] else None

    def install(self):
        if not self.pod:
            # As deploy/inject/envoy.yaml has it: the plugin sees no more of that than annotations.
            self.pod = self.daemon("daemonset.yaml", ('"capture": {}', '"capture": {"dual-stack": true}'))
        self.pod.wait()
        # That of the ConfigMap: another may have come with the list.
        until(lambda: "logFile" in (self.entry() or {}))
        self.node.wait_for_network()
        self.cluster.wait_ready()
        return self

    def uninstall(self):
        if self.pod:
            self.pod.close()
            self.pod = None
        self.daemon("uninstall.yaml").wait().close()
        self.node.wait_for_network()
        assert not self.entry() and not (self.node.bin / nodes.ENTRY["type"]).exists()


class Injector(installation.Installation):
    """istio-inject by its own manifests and certificate, its pod made as a ReplicaSet would."""

    image = INJECT

    def __init__(self, cluster, directory, **kwargs):
        self.cluster = cluster
        super().__init__(cluster.server, directory, **kwargs)

    def mount(self):
        """The kubelet does."""

    def start(self, count=1):
        self.replicas += [self.cluster.pod(f"{self.name}-{number}", self.namespace, self.pod) for number in range(count)]
        for replica in self.replicas:
            replica.wait()
        self.route(self.replicas)
        self.settle(lambda answer: answer.status == 201 and self.is_ours(answer))
        return self


class Pod:
    """One of the API's, on the node."""

    def __init__(self, cluster, name, namespace):
        self.cluster, self.name, self.namespace = cluster, name, namespace
        self.path = f"/api/v1/namespaces/{namespace}/pods/{name}"

    def object(self):
        return self.cluster.api.must("GET", self.path)

    def status(self, container):
        """That of a container of any kind; {} while there is none."""
        status = self.object()["status"]
        return next((one for kind in STATUSES for one in status.get(kind, [])
                     if one["name"] == container), {})

    def state(self, container):
        """(running, waiting or terminated, what is known of it)"""
        return next(iter(self.status(container).get("state", {}).items()), ("", {}))

    def is_ready(self):
        return {"type": "Ready", "status": "True"}.items() <= {
            key: value for one in self.object()["status"].get("conditions", []) if one["type"] == "Ready"
            for key, value in one.items()}.items()

    def wait(self, seconds=60):
        """Until it is ready; self."""
        until(self.is_ready, seconds)
        return self

    @property
    def address(self):
        return self.addresses["ipv4"]

    @property
    def addresses(self):
        """By family, as the kubelet has them."""
        return {"ipv6" if ":" in one["ip"] else "ipv4": one["ip"] for one in self.object()["status"]["podIPs"]}

    def containers(self):
        """Names, those of init containers first."""
        spec = self.object()["spec"]
        return [one["name"] for kind in ("initContainers", "containers") for one in spec.get(kind, [])]

    def id(self, container):
        return self.status(container)["containerID"].split("//")[1]

    def pid(self, container):
        return self.cluster.node.runtime.container_info(self.id(container))["pid"]

    @functools.cached_property
    def netns(self):
        """For the stock tools, from the node; that of the sandbox, whatever becomes of the containers."""
        return nodes.PodNetns(f"/proc/{self.pid('app')}/ns/net")

    def request(self, host, port, path, uid):
        """The status and the text of an answer to what a program of a user in the pod would ask."""
        connection = http.client.HTTPConnection(host)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with self.netns.socket(family, socket.SOCK_STREAM, uid, uid) as connection.sock:
            connection.sock.settimeout(10)
            connection.sock.connect((host, port))
            connection.request("GET", path, headers={"Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def logs(self, container):
        return lib.checked(self.cluster.server.kubectl("logs", "-n", self.namespace, self.name, "-c", container))

    def events(self):
        query = f"fieldSelector=involvedObject.name={self.name}"
        items = self.cluster.api.must("GET", f"/api/v1/namespaces/{self.namespace}/events?{query}")["items"]
        return [f"{item['reason']}: {item['message']}" for item in items]

    def get(self, host, port=app.HTTP):
        """What the application's client gets, by kubectl exec: the answer, or the reason why there is none."""
        result = self.cluster.server.kubectl("exec", "-n", self.namespace, self.name, "-c", "app", "--",
                                             "/app", "get", host, port)
        return json.loads(result.stdout) if result.returncode == 0 else result.stderr.splitlines()[0]

    def counters(self):
        """Requests that its Envoy has seen: (outbound, inbound, questions for names)"""
        _, text = self.request("127.0.0.1", 15000, "/stats", PROXY_USER)
        found = dict(line.split(": ") for line in text.splitlines() if line.count(": ") == 1)
        return tuple(int(found.get(name, 0)) for name in (
            "http.outbound_http.downstream_rq_completed", "http.inbound_http.downstream_rq_completed",
            "dns_filter.dns.downstream_rx_queries"))

    def ask(self, host, port=app.HTTP):
        """What an application would get, without a program in the pod: the Envoys passed, or why there is no answer."""
        try:
            status, text = self.request(host, port, "/", USER)
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        return json.loads(text)["passes"] if status == 200 else str(status)

    def close(self, seconds=60):
        self.cluster.api("DELETE", f"{self.path}?gracePeriodSeconds=1")
        if "netns" in self.__dict__:
            self.netns.close()
        until(lambda: self.cluster.api("GET", self.path).status == 404, seconds)


class Cluster:
    def __init__(self, directory, families=lib.FAMILIES):
        self.stack, self.dir, self.families = contextlib.ExitStack(), pathlib.Path(directory), families
        self.kubelet = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self):
        self.dir.mkdir(parents=True)
        self.prepare()
        more = {"kubelet-preferred-address-types": "InternalIP"}
        self.server = apiserver.ApiServer(self.dir / "api", 6443, more=more)
        self.stack.callback(self.server.close)
        self.api = self.server.api
        self.node = Node(self.dir / "node", self.families)
        self.stack.callback(self.node.close)
        self.images()
        self.stack.callback(self.kill_kubelet)
        self.start_kubelet()
        self.wait_ready()
        self.serve()

    def close(self):
        self.stack.close()

    # The node

    def prepare(self):
        """Addresses, and what the kubelet finds set."""
        for words in ("link set lo up", f"addr add {OUTSIDE6}/128 dev lo",
                      *(f"addr add {address}/32 dev lo" for address in (apiserver.ADDRESS, OUTSIDE, EXCLUDED)),
                      f"route add 10.96.0.0/16 dev lo src {apiserver.ADDRESS}"):
            lib.checked(lib.run(["ip", *words.split()]))
        for name, value in SETTINGS.items():
            file = self.dir / name.replace("/", "-")
            file.write_text(f"{value}\n")
            lib.checked(lib.run(["mount", "--bind", file, f"/proc/sys/{name}"]))

    def images(self):
        self.app = self.dir / "app"
        lib.checked(lib.run(["musl-gcc", "-Os", "-static", "-s", "-o", self.app, HERE / "app.c"]))
        envoy = ENVOY.resolve()
        for name, entry, files in (
                (APP, "/app", {"/app": self.app}),
                (INIT, "/istio-init", {"/istio-init": lib.BINARY, "/istio-iptables": "istio-init"}),
                (INJECT, "/istio-inject", {"/istio-inject": installation.PROGRAM}),
                (PROXY, "/usr/local/bin/envoy", {"/usr/local/bin/envoy": envoy, **image.libraries(envoy)})):
            self.node.import_image(name, [entry], files)

    def start_kubelet(self):
        config = self.dir / "kubelet.yaml"
        config.write_text((HERE / "kubelet.yaml").read_text().replace("@DIR@", str(self.node.dir)))
        with open(self.dir / "kubelet.log", "ab") as log:
            self.kubelet = subprocess.Popen(
                [KUBELET, f"--config={config}", f"--kubeconfig={self.server.dir}/kubeconfig", "--hostname-override=node",
                 f"--node-ip={apiserver.ADDRESS}", f"--root-dir={self.dir}/kubelet", f"--cert-dir={self.dir}/kubelet-certs"],
                env={"PATH": f"{nodes.BUILT}:{lib.PATH}"}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        until(self.serves, 60)

    def serves(self):
        """Whether the kubelet does: what kubectl exec and logs need."""
        assert self.kubelet.poll() is None, (self.dir / "kubelet.log").read_text(errors="replace")[-3000:]
        with contextlib.suppress(OSError), socket.create_connection((apiserver.ADDRESS, 10250), timeout=5):
            return True
        return False

    def kill_kubelet(self):
        if self.kubelet:
            self.kubelet.send_signal(signal.SIGKILL)
            self.kubelet.wait()

    def wait_ready(self):
        until(lambda: self.serves() and self.ready_message() == "", 90)

    def ready_message(self):
        """Why the node is not ready; nothing if it is."""
        answer = self.api("GET", "/api/v1/nodes/node")
        if answer.status != 200:
            return answer.message
        one, = (one for one in answer.object["status"].get("conditions", [{"type": "Ready", "status": "False"}])
                if one["type"] == "Ready")
        return "" if one["status"] == "True" else one.get("message", "no message")

    def serve(self):
        """The application outside the mesh, at all addresses of the node."""
        with open(self.dir / "app.log", "ab") as log:
            process = subprocess.Popen([self.app, "serve", "outside", str(app.HTTP), str(app.EXCLUDED)],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)

    # What users do

    def injector(self, **config):
        """istio-inject with the configuration of deploy/inject/envoy.yaml, and these keys."""
        revision = config.get("revision", "default")
        one = Injector(self, lib.public_dir(), config=configuration(**config), revision=revision)
        self.stack.callback(one.close)
        return one.apply().start()

    def pod(self, name, namespace, template):
        """Of a template, as a controller makes it; not waited for."""
        body = {"apiVersion": "v1", "kind": "Pod",
                "metadata": {**template.get("metadata", {}), "name": name, "namespace": namespace},
                "spec": {**template["spec"], "nodeName": "node"}}
        self.api.must("POST", f"/api/v1/namespaces/{namespace}/pods", body)
        return Pod(self, name, namespace)

    def application(self, name, namespace, annotations=(), **spec):
        container = {"name": "app", "image": APP, "args": ["serve", name, str(app.HTTP), str(app.EXCLUDED)],
                     "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}
        return self.pod(name, namespace, {
            "metadata": {"labels": {"app": name}, "annotations": dict(annotations)},
            "spec": {"containers": [container], "securityContext": RESTRICTED, "automountServiceAccountToken": False,
                     "terminationGracePeriodSeconds": 1, **spec}})
