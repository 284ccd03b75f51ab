# SPDX-License-Identifier: GPL-2.0-or-later
"""One configuration as `manifests` and as `policy` print it, side by side on one API server."""

import lib
import yaml
from apiserver import ADMISSION, pod, until
from installation import istio_inject

POLICIES, BINDINGS = ADMISSION + "mutatingadmissionpolicies", ADMISSION + "mutatingadmissionpolicybindings"
STATUS = "sidecar.istio.io/status"


def only_in(selector, by):
    selector.setdefault("matchExpressions", []).append({"key": "by", "operator": "In", "values": [by]})


class Both:
    """The same configuration as webhook and as policy, each in a namespace of its own, until close()."""

    def __init__(self, server, install, text, revision):
        self.api, self.revision = server.api, revision
        self.webhook = install(server, config=text, revision=revision)
        self.webhook.webhooks(lambda webhook: only_in(webhook["namespaceSelector"], "webhook"))
        printed = istio_inject("policy", "-c", self.webhook.dir / "config.yaml")
        self.documents = list(yaml.safe_load_all(lib.checked(printed)))
        for document in self.documents:
            if document["kind"] == "MutatingAdmissionPolicyBinding":
                only_in(document["spec"]["matchResources"].setdefault("namespaceSelector", {}), "policy")
        server.apply(yaml.safe_dump_all(self.documents))
        for by in ("policy", "webhook", "nothing"):
            self.api.namespace(self.namespace(by), {"istio.io/rev": revision, "by": by})
            self.api.account(self.namespace(by), "sa")
        self.webhook.settle = lambda wanted: until(lambda: wanted(self.create("webhook", pod("settle"), True)))
        self.webhook.start()
        until(self.policy_counts)

    def policy_counts(self):
        answer = self.create("policy", pod("settle"), True)
        assert answer.status == 201, answer
        return STATUS in answer.object["metadata"].get("annotations", {})

    def namespace(self, by):
        return f"by-{by}-{self.revision}"

    def create(self, by, item, dry=False):
        return self.api.create(self.namespace(by), item, dry)

    def close(self):
        for document in self.documents:
            path = POLICIES if document["kind"] == "MutatingAdmissionPolicy" else BINDINGS
            self.api.must("DELETE", f"{path}/{document['metadata']['name']}")
