# SPDX-License-Identifier: GPL-2.0-or-later
"""A small mesh: two pods of a labelled namespace, web and client, and one of another."""

import app
import cluster as parts

T = "traffic.sidecar.istio.io/"
# One port and one CIDR are left out, names are captured.
ANNOTATIONS = {T + "excludeOutboundPorts": str(app.EXCLUDED), T + "excludeInboundPorts": str(app.EXCLUDED),
               T + "excludeOutboundIPRanges": f"{parts.EXCLUDED}/32",
               "istio-init/redirect-dns": "true", "istio-init/capture-all-dns": "true"}
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
