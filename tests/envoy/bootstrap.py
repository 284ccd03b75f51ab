# SPDX-License-Identifier: GPL-2.0-or-later
"""Envoy's container: that of deploy/inject/envoy.yaml, its bootstrap with what the tests look at.

HTTP ports get a filter that speaks HTTP (every pass adds a header and is counted apart), one port looks for the name
that a TLS client asks for, and a service address stands for the pod's own application.  All else is as users get it.
"""

import copy
import json
import os
import re

import yaml

import app
import lib
import pod as traffic

TYPES = "type.googleapis.com/envoy.extensions."
EVERYWHERE = {"ipv4": {"address_prefix": "0.0.0.0", "prefix_len": 0}, "ipv6": {"address_prefix": "::", "prefix_len": 0}}
# Service addresses whose only endpoint is the pod itself
OWN = {"ipv4": "10.96.0.20", "ipv6": "fd96::20"}
NAME = "secret.test"
FILE = lib.ROOT / "deploy/inject/envoy.yaml"
INJECT = os.environ.get("ISTIO_INJECT", lib.ROOT / "build/istio-inject")
MODE = "sidecar.istio.io/interceptionMode"


def injected(mode):
    """What istio-inject puts into a pod of a mode."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "annotations": {MODE: mode}},
           "spec": {"containers": [{"name": "app", "image": "a"}]}}
    text = lib.checked(lib.run([INJECT, "-c", FILE, "-o", "json"], input=json.dumps(pod)))
    container, = (one for one in json.loads(text)["spec"]["initContainers"] if one["name"] == "istio-proxy")
    return container


def expanded(text, env):
    """With a container's variables in it, as the kubelet does it."""
    for each in env:
        text = text.replace(f"$({each['name']})", each["value"])
    return text


def http(direction, cluster):
    """A filter chain's filters: HTTP to a cluster, with a header for this pass."""
    route = {"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}}
    header = {"header": {"key": "x-envoy-pass", "value": direction}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}
    return [{"name": "http", "typed_config": {
        "@type": TYPES + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": f"{direction}_http",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route],
                                            "request_headers_to_add": [header]}]},
        "http_filters": [{"name": "router", "typed_config": {
            "@type": TYPES + "filters.http.router.v3.Router"}}]}}]


def tcp(prefix, cluster):
    return [{"name": "tcp_proxy", "typed_config": {"@type": TYPES + "filters.network.tcp_proxy.v3.TcpProxy",
                                                   "stat_prefix": prefix, "cluster": cluster}}]


def chain(filters, **match):
    return {"filter_chain_match": match, "filters": filters}


def by_name(items):
    return {item["name"]: item for item in items}


def arguments(args, dns):
    """Those of the container, with more in the bootstrap; the kubelet's variables are still variables."""
    before, text = args[:-1], args[-1]
    assert before[-1] == "--config-yaml"
    config = yaml.safe_load(text)
    listeners = by_name(config["static_resources"]["listeners"])
    clusters = config["static_resources"]["clusters"]
    outbound, inbound = listeners["virtualOutbound"], listeners["virtualInbound"]
    either = {"@type": TYPES + "upstreams.http.v3.HttpProtocolOptions", "use_downstream_protocol_config": {
        "http_protocol_options": {}, "http2_protocol_options": {}}}
    for cluster in clusters:
        cluster["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": either}
    # Elsewhere it would make a server that speaks first wait for its client.
    for listener in outbound, inbound:
        listener["listener_filters"].append({"name": "tls_inspector", "typed_config": {
            "@type": TYPES + "filters.listener.tls_inspector.v3.TlsInspector"}, "filter_disabled": {
                "not_match": {"destination_port_range": {"start": app.TLS, "end": app.TLS + 1}}}})
    for family, address in OWN.items():
        own = copy.deepcopy(by_name(clusters)["outbound"]) | {"name": f"own_{family}", "type": "STATIC"}
        del own["lb_policy"]
        pod = {"address": traffic.POD if family == "ipv4" else traffic.POD6, "port_value": app.HTTP}
        own["load_assignment"] = {"cluster_name": own["name"], "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": {"socket_address": pod}}}]}]}
        clusters.append(own)
        bits = 32 if family == "ipv4" else 128
        outbound["filter_chains"].append(chain(http("outbound", own["name"]), destination_port=app.HTTP,
                                               prefix_ranges=[{"address_prefix": address, "prefix_len": bits}]))
        for port in app.HTTP, app.EXCLUDED, app.GRPC:
            inbound["filter_chains"].append(chain(http("inbound", f"inbound_{family}"), destination_port=port,
                                                  prefix_ranges=[EVERYWHERE[family]]))
        inbound["filter_chains"].append(chain(tcp("inbound_tls", f"inbound_{family}"), destination_port=app.TLS,
                                              prefix_ranges=[EVERYWHERE[family]], server_names=[NAME]))
    outbound["filter_chains"].append(chain(tcp("outbound_tls", "outbound"), destination_port=app.TLS,
                                           server_names=[NAME]))
    for port in app.HTTP, app.EXCLUDED, app.GRPC:
        outbound["filter_chains"].append(chain(http("outbound", "outbound"), destination_port=port))
    if dns:
        config["static_resources"]["listeners"] += dns_listeners()
    return [*before, re.sub(r'"(\$\(\w+\))"', r"\1", json.dumps(config))]


def dns_listeners():
    """The agent's port: UDP by Envoy's DNS filter, which knows one name and asks the cluster's resolver for others;
    TCP, which that filter does not speak, goes on to where it was meant for."""
    table = {"virtual_domains": [{"name": "agent.test", "endpoint": {"address_list": {
        "address": ["192.0.2.15", "2001:db8::15"]}}}]}
    resolvers = [{"socket_address": {"address": traffic.PEER, "port_value": 53}}]
    client = {"resolver_timeout": "5s", "max_pending_lookups": 256, "typed_dns_resolver_config": {
        "name": "cares", "typed_config": {"@type": TYPES + "network.dns_resolver.cares.v3.CaresDnsResolverConfig",
                                          "resolvers": resolvers,
                                          "dns_resolver_options": {"no_default_search_domain": True}}}}
    address = {"socket_address": {"address": "::", "port_value": 15053, "ipv4_compat": True}}
    udp = {"name": "dns", "address": {"socket_address": address["socket_address"] | {"protocol": "UDP"}},
           "udp_listener_config": {},
           "listener_filters": [{"name": "dns_filter", "typed_config": {
               "@type": TYPES + "filters.udp.dns_filter.v3.DnsFilterConfig", "stat_prefix": "dns",
               "server_config": {"inline_dns_table": table}, "client_config": client}}]}
    original_dst = {"name": "original_dst", "typed_config": {
        "@type": TYPES + "filters.listener.original_dst.v3.OriginalDst"}}
    return [udp, {"name": "dns_tcp", "address": address, "listener_filters": [original_dst],
                  "filter_chains": [{"filters": tcp("dns_tcp", "outbound")}]}]
