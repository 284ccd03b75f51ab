# SPDX-License-Identifier: GPL-2.0-or-later
"""What `istio-inject manifests` and `cert` print, applied to an API server; and the pods of its Deployment.

A replica is the program run as the Deployment says, as a node would: with the container's arguments and user, its
ConfigMap and Secret as files in a root directory that holds nothing else, in a network namespace of its own.
What kube-proxy does, a rule of nftables does in the suite's namespace: from the Service's address to the replicas in
turn, and a refused connection where there is none.  So clientConfig and Service are used as they are printed.
"""

import base64
import contextlib
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import urllib.error
import urllib.request

import lib
import yaml
from apiserver import WEBHOOKS, pod, until

PROGRAM = pathlib.Path(os.environ.get("ISTIO_INJECT", lib.ROOT / "build/istio-inject")).resolve()
CONFIG = """\
revision: {revision}
initContainer: {{image: example.org/istio-init:1}}
overlays:
  proxy:
    metadata: {{labels: {{overlay: proxy}}}}
    spec:
      containers:
      - {{name: istio-proxy, image: example.org/proxy:1, securityContext: {{runAsUser: 1337, runAsGroup: 1337}}}}
"""

numbers = itertools.count(1)


def istio_inject(*args, **kwargs):
    return lib.run([PROGRAM, *args], **kwargs)


def project(directory, files, mode, group):
    """Puts the files there as a kubelet does: links to what is under ..data, a link that is swapped."""
    directory.mkdir(parents=True, exist_ok=True)
    version = directory / f"..{next(numbers)}"
    version.mkdir()
    for name, data in files.items():
        (version / name).write_bytes(data)
        (version / name).chmod(mode)
        os.chown(version / name, 0, group)
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")
    old = (directory / "..data").resolve() if (directory / "..data").is_symlink() else None
    (directory / "..new").symlink_to(version.name)
    (directory / "..new").rename(directory / "..data")
    if old:
        shutil.rmtree(old)


class Replica:
    """One pod of the Deployment."""

    def __init__(self, installation):
        self.installation, self.number = installation, next(numbers)
        self.address, gateway = f"10.244.{self.number}.2", f"10.244.{self.number}.1"
        self.netns = lib.Netns()
        link = f"pod{self.number}"
        # By a process that lives as long as the move takes: ip takes a namespace by the id of one in it
        holder = self.netns.start(["sleep", "60"])
        try:
            until(lambda: os.stat(f"/proc/{holder.pid}/ns/net").st_ino == os.stat(self.netns.path).st_ino)
            lib.checked(lib.run(["ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns",
                                 str(holder.pid)]))
        finally:
            holder.kill()
            holder.communicate()
        lib.checked(lib.run(["ip", "addr", "add", f"{gateway}/24", "dev", link]))
        lib.checked(lib.run(["ip", "link", "set", link, "up"]))
        self.netns.ip(f"addr add {self.address}/24 dev eth0")
        self.netns.ip("link set eth0 up")
        self.netns.ip(f"route add default via {gateway}")
        self.log = installation.dir / f"replica-{self.number}.log"
        self.process = None
        self.start()

    def start(self):
        """Starts it, also again after its end; it is ready on return."""
        spec = self.installation.pod["spec"]
        [container] = spec["containers"]
        context = {**spec.get("securityContext", {}), **container["securityContext"]}
        assert context["runAsUser"] and context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
        assert context["capabilities"] == {"drop": ["ALL"]} and "command" not in container
        user = [f"--userspec={context['runAsUser']}:{context['runAsGroup']}", f"--groups={context['fsGroup']}"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.netns.command(["setpriv", "--no-new-privs", "chroot", *user, str(self.installation.root),
                                    "/istio-inject", *container["args"]]),
                env={"PATH": lib.PATH}, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        until(lambda: self.alive() and self.is_ready())
        return self

    def alive(self):
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-2000:]
        return True

    def get(self, path):
        """(status, text) of the plain port; (0, why) if there is no answer."""
        try:
            with urllib.request.urlopen(f"http://{self.address}:{self.installation.ports['http']}{path}",
                                        timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def is_ready(self):
        return self.get(self.installation.readiness)[0] == 200

    def metrics(self):
        """{name and labels: value}"""
        _, text = self.get("/metrics")
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                if line and not line.startswith("#")}

    def signal(self, number):
        self.process.send_signal(number)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        lib.run(["ip", "link", "del", f"pod{self.number}"])
        self.netns.close()


class Installation:
    """All of it, from apply() to close()."""

    image = "example.org/istio-inject:1"

    def __init__(self, server, directory, config=None, revision="default", service=None, arguments=()):
        self.server, self.api, self.dir, self.revision = server, server.api, pathlib.Path(directory), revision
        self.name = service or f"istio-inject-{revision}"
        self.config = config or CONFIG.format(revision=revision)
        self.arguments, self.replicas = arguments, []
        self.dir.chmod(0o755)
        self.root = self.dir / "root"
        self.root.mkdir()
        self.root.chmod(0o755)
        shutil.copy(PROGRAM, self.root / "istio-inject")
        self.write_config(self.config)
        self.ca_bundle = self.cert()
        self.printed = self.manifests()
        self.objects = {item["kind"]: item for item in yaml.safe_load_all(self.printed)}

    def write_config(self, text):
        self.config = text
        (self.dir / "config.yaml").write_text(text)

    def cert(self, *args, directory="tls"):
        """Makes the files; base64 of the CA."""
        (self.dir / directory).mkdir(exist_ok=True)
        return lib.checked(istio_inject("cert", "-d", self.dir / directory, "--service", self.name, *args)).strip()

    def manifests(self, *args):
        return lib.checked(istio_inject("manifests", "-c", self.dir / "config.yaml", "--ca", self.dir / "tls/ca.crt",
                                        "--image", self.image, "--service", self.name,
                                        *self.arguments, *args))

    def secret(self):
        """Writes the Secret that cert's files go to."""
        [name] = [volume["secret"]["secretName"] for volume in self.pod["spec"]["volumes"] if "secret" in volume]
        files = [f"--cert={self.dir}/tls/tls.crt", f"--key={self.dir}/tls/tls.key"]
        made = self.server.kubectl("create", "secret", "tls", name, "-n", self.namespace, *files, "--dry-run=client",
                                   "-o", "yaml")
        self.server.apply(lib.checked(made))

    @property
    def pod(self):
        return self.objects["Deployment"]["spec"]["template"]

    @property
    def namespace(self):
        return self.objects["Deployment"]["metadata"]["namespace"]

    def apply(self):
        """All into the API server, and the files to where the replicas will have them; self."""
        self.server.apply(self.printed)
        self.secret()
        [container] = self.pod["spec"]["containers"]
        self.ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        self.readiness = container["readinessProbe"]["httpGet"]["path"]
        self.mount()
        self.service = self.api.must("GET", f"/api/v1/namespaces/{self.namespace}/services/{self.name}")
        self.route([])
        return self

    def mount(self):
        """The ConfigMap and the Secret as they are in the API now, where the container has them."""
        [container] = self.pod["spec"]["containers"]
        group = self.pod["spec"]["securityContext"]["fsGroup"]
        for volume in self.pod["spec"]["volumes"]:
            if "configMap" in volume:
                source, decode = volume["configMap"], str.encode
                path = f"configmaps/{source['name']}"
            else:
                source, decode = volume["secret"], base64.b64decode
                path = f"secrets/{source['secretName']}"
            data = self.api.must("GET", f"/api/v1/namespaces/{self.namespace}/{path}")["data"]
            [mount] = [mount for mount in container["volumeMounts"] if mount["name"] == volume["name"]]
            project(self.root / mount["mountPath"].lstrip("/"), {key: decode(text) for key, text in data.items()},
                    source.get("defaultMode", 0o644), group)

    def route(self, replicas):
        """What kube-proxy makes of these endpoints."""
        [port] = self.service["spec"]["ports"]
        target = self.ports.get(port["targetPort"], port["targetPort"])
        match = f"ip daddr {self.service['spec']['clusterIP']} tcp dport {port['port']}"
        nat = "".join(f"{match} numgen inc mod {len(replicas) - i} 0 dnat to {replica.address}:{target}\n"
                      for i, replica in enumerate(replicas))
        table = f"kube-{self.name}"
        # A node's kube-proxy sends ICMP, which has no way back over lo
        refuse = "" if replicas else f"{match} reject with tcp reset"
        rules = f"""table ip {table}
            delete table ip {table}
            table ip {table} {{
                chain filter {{ type filter hook output priority -150; {refuse}; }}
                chain nat {{ type nat hook output priority -100; {nat} }}
            }}"""
        lib.checked(lib.run(["nft", "-f", "-"], input=rules))

    def start(self, count=1):
        """Starts replicas beside those that run, and waits until the API server asks; all that there ever were."""
        self.replicas += [Replica(self) for _ in range(count)]
        self.route([replica for replica in self.replicas if replica.process.poll() is None])
        self.settle(lambda answer: answer.status == 201 and self.is_ours(answer))
        return self.replicas

    def is_ours(self, answer):
        status = answer.object["metadata"].get("annotations", {}).get("sidecar.istio.io/status", "{}")
        return json.loads(status).get("revision") == self.revision

    @property
    def labels(self):
        """Of a namespace whose pods we are asked about."""
        return {"istio.io/rev": self.revision}

    def settle(self, wanted):
        """Waits for what a dry run of a pod in a namespace of ours gives."""
        name = f"settle-{self.name}"
        if self.api("GET", f"/api/v1/namespaces/{name}").status == 404:
            self.api.namespace(name, self.labels)
        until(lambda: wanted(self.api.create(name, pod("settle"), dry=True)))

    def webhooks(self, change):
        """Changes each webhook of the configuration by @change(webhook)."""
        path = f"{WEBHOOKS}/{self.name}"
        configuration = self.api.must("GET", path)
        for webhook in configuration["webhooks"]:
            change(webhook)
        self.api.must("PUT", path, configuration)

    def close(self):
        with contextlib.suppress(OSError):
            self.api("DELETE", f"{WEBHOOKS}/{self.name}")
            self.settle(lambda answer: answer.status == 201 and not self.is_ours(answer))
        for replica in self.replicas:
            replica.close()
        lib.run(["nft", "delete", "table", "ip", f"kube-{self.name}"])
        shutil.rmtree(self.dir)
