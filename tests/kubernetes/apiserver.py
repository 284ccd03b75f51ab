# SPDX-License-Identifier: GPL-2.0-or-later
"""An API server of one's own on loopback, and a client of it."""

import http.client
import json
import pathlib
import shutil
import ssl
import subprocess
import threading
import time
import uuid

import lib

PROGRAM = lib.ROOT / "build/kubernetes/kubernetes"
ADDRESS = "192.0.2.1"  # the machine's, in the suite's namespace (conftest.py)
ADMISSION = "/apis/admissionregistration.k8s.io/v1/"
WEBHOOKS = ADMISSION + "mutatingwebhookconfigurations"
ASKED = "mutation.webhook.admission.k8s.io/"

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "https://127.0.0.1:{port}", tls-server-name: kubernetes,
                               certificate-authority: {dir}/certs/apiserver.crt}}}}]
users: [{{name: u, user: {{token: admin}}}}]
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
current-context: c
"""
# The log says which webhooks were asked, and whether they changed the pod
AUDIT = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  verbs: [create]
  resources: [{group: "", resources: [pods]}]
- level: None
"""

# What Pod Security's level restricted asks of a container
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
              "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}


class Answer:
    """What came of a request: the status, the object (or the text), its warnings, the id in the audit log."""

    def __init__(self, response, audit_id):
        data = response.read()
        self.status, self.audit_id = response.status, audit_id
        self.warnings = response.headers.get_all("Warning") or []
        self.object = json.loads(data) if data[:1] == b"{" else data.decode(errors="replace")
        self.message = self.object.get("message", "") if isinstance(self.object, dict) else self.object

    def __repr__(self):
        return f"{self.status} {json.dumps(self.object)[:2000]}"


class Api:
    """A client with one connection for each thread that uses it."""

    def __init__(self, port, certificate):
        self.port, self.local = port, threading.local()
        self.context = ssl.create_default_context(cafile=certificate)
        self.context.check_hostname = False

    def __call__(self, method, path, body=None, kind="application/json"):
        audit_id = str(uuid.uuid4())
        headers = {"Authorization": "Bearer admin", "Content-Type": kind, "Audit-ID": audit_id}
        if time.monotonic() - getattr(self.local, "used", 0) > 30:  # the server closes what is idle for longer
            self.local.connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context,
                                                                timeout=60)
        self.local.used = time.monotonic()
        try:
            self.local.connection.request(method, path, None if body is None else json.dumps(body), headers)
            return Answer(self.local.connection.getresponse(), audit_id)
        except (OSError, http.client.HTTPException):
            self.local.connection.close()
            raise

    def must(self, *args, **kwargs):
        """The object of an answer that has to be good."""
        answer = self(*args, **kwargs)
        assert answer.status < 300, f"{args[:2]}: {answer}"
        return answer.object

    def namespace(self, name, labels=()):
        """A namespace with its service account, which no controller is here to make."""
        self.must("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": dict(labels)}})
        self.account(name, "default")

    def account(self, namespace, name):
        self.must("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})

    def create(self, namespace, pod, dry=False):
        return self("POST", f"/api/v1/namespaces/{namespace}/pods" + ("?dryRun=All" if dry else ""), pod)

    def patch(self, path, operations):
        return self.must("PATCH", path, operations, kind="application/json-patch+json")


def until(question, timeout=20):
    """What @question gives as soon as it is true; configurations reach the API server's admission a little later."""
    deadline = time.monotonic() + timeout
    while not (found := question()):
        assert time.monotonic() < deadline, f"not in {timeout} s"
        time.sleep(0.02)
    return found


class ApiServer:
    """kube-apiserver with its etcd, one process; with a version, as that version (--emulated-version)."""

    def __init__(self, directory, port, version=None, more=()):
        self.dir, self.port, self.version = pathlib.Path(directory), port, version
        self.dir.mkdir()
        (self.dir / "tokens.csv").write_text("admin,admin,admin,system:masters\n")
        (self.dir / "audit.yaml").write_text(AUDIT)
        (self.dir / "kubeconfig").write_text(KUBECONFIG.format(port=port, dir=self.dir))
        lib.checked(lib.run(["openssl", "genrsa", "-out", self.dir / "sa.key", "2048"]))
        flags = {"bind-address": "127.0.0.1", "advertise-address": ADDRESS, "secure-port": port,
                 "cert-dir": self.dir / "certs", "token-auth-file": self.dir / "tokens.csv",
                 "authorization-mode": "RBAC",
                 "service-account-issuer": "https://kubernetes.default.svc",
                 "service-account-key-file": self.dir / "sa.key",
                 "service-account-signing-key-file": self.dir / "sa.key", "service-cluster-ip-range": "10.96.0.0/16",
                 "allow-privileged": "true", "endpoint-reconciler-type": "none",
                 "audit-policy-file": self.dir / "audit.yaml", "audit-log-path": self.dir / "audit.log",
                 **({"emulated-version": version} if version else {}), **dict(more)}
        self.log = open(self.dir / "log", "wb")
        self.process = subprocess.Popen([PROGRAM, "apiserver", self.dir / "etcd", str(port + 1),
                                         *(f"--{name}={value}" for name, value in flags.items())],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        self.api, self.audit, self.asked = None, None, {}
        started = time.monotonic()
        try:
            until(lambda: self.alive() and self.is_ready(), 90)
        except BaseException:
            self.close()
            raise
        self.seconds = time.monotonic() - started

    def alive(self):
        assert self.process.poll() is None, (self.dir / "log").read_text(errors="replace")[-2000:]
        return True

    def is_ready(self):
        try:
            # It makes the certificate for itself
            self.api = Api(self.port, self.dir / "certs/apiserver.crt")
            return self.api("GET", "/readyz").status == 200
        except OSError:  # one of ssl's, too: half written
            return False

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir)

    def kubectl(self, *args, **kwargs):
        # Without a HOME it would keep what it has learnt of the server in ./.kube
        return lib.run([PROGRAM, "kubectl", *args], env={"KUBECONFIG": str(self.dir / "kubeconfig"),
                                                         "HOME": str(self.dir)}, **kwargs)

    def apply(self, text, *args):
        return lib.checked(self.kubectl("apply", "-f", "-", *args, input=text))

    def webhooks_asked(self, answer):
        """[(webhook's name, whether it changed the pod)] for one create, in their order."""
        def known():
            if self.audit is None and (self.dir / "audit.log").exists():
                self.audit = open(self.dir / "audit.log", encoding="utf-8")
            while self.audit and (line := self.audit.readline()):
                if not line.endswith("\n"):  # still being written
                    self.audit.seek(self.audit.tell() - len(line.encode()))
                    break
                event = json.loads(line)
                self.asked[event["auditID"]] = event.get("annotations", {})
            return answer.audit_id in self.asked
        until(known, 5)
        rounds = []
        for key, value in self.asked[answer.audit_id].items():
            if key.startswith(ASKED + "round_"):
                _, number, _, index = key[len(ASKED):].split("_")
                rounds.append((int(number), int(index), json.loads(value)))
        return [(value["webhook"], value["mutated"]) for _, _, value in sorted(rounds, key=lambda item: item[:2])]


def pod(name, labels=(), annotations=(), **spec):
    """A small pod; a name that ends in '-' is a generateName."""
    metadata = {"generateName" if name.endswith("-") else "name": name}
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {"containers": [{"name": "app", "image": "example.org/app:1"}], **spec}}


def names(answer, where="initContainers"):
    """The names of an answered pod's containers."""
    assert answer.status == 201, answer
    return [container["name"] for container in answer.object["spec"].get(where) or []]
