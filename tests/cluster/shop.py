# SPDX-License-Identifier: GPL-2.0-or-later
"""A small mesh: two pods of a labelled namespace, web and client, and one of another."""

import contextlib

import app
import cluster as parts
from apiserver import until

T = "traffic.sidecar.istio.io/"
# One port and one CIDR are left out, names are captured.
ANNOTATIONS = {T + "excludeOutboundPorts": str(app.EXCLUDED), T + "excludeInboundPorts": str(app.EXCLUDED),
               T + "excludeOutboundIPRanges": f"{parts.EXCLUDED}/32",
               "istio-init/redirect-dns": "true", "istio-init/capture-all-dns": "true"}
MODE = {"sidecar.istio.io/interceptionMode": "TPROXY"}
# The client that an application sees with REDIRECT: its own proxy
OWN = {"ipv4": "127.0.0.6", "ipv6": "::6"}
# What a request has in its header that went through the client's Envoy and the server's
TWICE = "outbound,inbound"


class Shop:
    def __init__(self, cluster):
        self.cluster, self.injector = cluster, cluster.injector()
        cluster.api.namespace("shop", {"istio-injection": "enabled"})
        cluster.api.namespace("plain")
        self.web, self.client = (cluster.application(name, "shop", ANNOTATIONS) for name in ("web", "client"))
        self.plain = cluster.application("plain", "plain", ANNOTATIONS)
        for pod in self.web, self.client, self.plain:
            pod.wait()


def grown(pods, action, expected):
    """Asserts by how much the counters of the pods' Envoys grow; what the action gives."""
    before = [pod.counters() for pod in pods]
    result = action()

    def now():
        return [[b - a for a, b in zip(old, pod.counters())] for old, pod in zip(before, pods)]
    with contextlib.suppress(AssertionError):
        until(lambda: now() == expected, 5)
    assert now() == expected
    return result


@contextlib.contextmanager
def transparent(cluster, namespace):
    """Two more pods, a server and a client, in mode TPROXY; with ports apart, as deploy/inject/README.md has it."""
    pods = [cluster.application(name, namespace, {**ANNOTATIONS, **MODE}, securityContext={
        **parts.RESTRICTED, "sysctls": [{"name": "net.ipv4.ip_local_port_range", "value": ports}]})
            for name, ports in (("web-tproxy", "40000 60000"), ("client-tproxy", "10000 39999"))]
    yield [pod.wait() for pod in pods]
    for pod in pods:
        pod.close()
