# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody else's mutating webhook, which does what the path says.

    /front/NAME     puts an init container NAME in front of all, unless it is there
    /append/NAME    puts one behind all, unless it is there
    /container/NAME appends a container, unless it is there
    /slow/SECONDS   answers late
    /cut            promises more bytes than it sends
    /uid            answers another review
    /status/CODE    an HTTP status
    /garbage        no JSON
    /broken         a patch that cannot be applied
"""

import base64
import contextlib
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import lib
from apiserver import WEBHOOKS


def operations(pod, verb, word):
    where = "containers" if verb == "container" else "initContainers"
    present = pod["spec"].get(where) or []
    if any(container["name"] == word for container in present):
        return []
    new = {"name": word, "image": "example.org/rival:1"}
    if not present:
        return [{"op": "add", "path": f"/spec/{where}", "value": [new]}]
    return [{"op": "add", "path": f"/spec/{where}/" + ("0" if verb == "front" else "-"), "value": new}]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # the answer leaves in one write

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        verb, word = (self.path.split("?")[0].strip("/").split("/") + [""])[:2]
        response = {"uid": request["uid"], "allowed": True}
        if verb == "slow":
            time.sleep(float(word))
        patch = []
        if verb in ("front", "append", "container"):
            patch = operations(request["object"], verb, word)
        elif verb == "broken":
            patch = [{"op": "remove", "path": "/spec/nothing"}]
        elif verb == "uid":
            response["uid"] = "another"
        if patch:
            response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        body = b"<html>" if verb == "garbage" else json.dumps(review).encode()
        self.send_response(int(word) if verb == "status" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) + (100 if verb == "cut" else 0)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = verb == "cut"

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that has gone, having waited long enough."""


class Rival:
    """The server, in a thread of its own, until close()."""

    def __init__(self, directory):
        files = [directory / "rival.crt", directory / "rival.key"]
        lib.checked(lib.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                             "-nodes", "-out", files[0], "-keyout", files[1], "-subj", "/CN=rival", "-days", "2",
                             "-addext", "subjectAltName=IP:127.0.0.1"]))
        self.ca_bundle = base64.b64encode(files[0].read_bytes()).decode()
        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def client_config(self, path):
        return {"url": f"https://127.0.0.1:{self.server.server_port}{path}", "caBundle": self.ca_bundle}

    @contextlib.contextmanager
    def webhook(self, api, name, path, namespace_labels):
        """A configuration of that name; they are asked in the order of the names."""
        api.must("POST", WEBHOOKS, {"metadata": {"name": name}, "webhooks": [{
            "name": f"{name}.example.org", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": self.client_config(path), "namespaceSelector": {"matchLabels": namespace_labels},
            "reinvocationPolicy": "IfNeeded",
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]}]})
        yield
        api.must("DELETE", f"{WEBHOOKS}/{name}")
