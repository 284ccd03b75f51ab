# SPDX-License-Identifier: GPL-2.0-or-later
"""Captured DNS: Envoy's DNS filter is the agent."""

import mesh as parts


def queries(mesh):
    return mesh.counter(r"dns_filter\.dns\.downstream_rx_queries"), mesh.counter(r"tcp\.dns_tcp\.downstream_cx_total")


def test_names(dns_mesh, family):
    """A name that Envoy knows, and one that it asks the cluster's resolver for, itself past the rules."""
    server = parts.THEIRS[family]
    udp, tcp = queries(dns_mesh)
    assert dns_mesh.resolve(server, "agent.test") == "192.0.2.15"
    assert dns_mesh.resolve(server, "agent.test", "AAAA") == "2001:db8::15"
    assert dns_mesh.resolve(server, f"other-{family}.test") == "192.0.2.53"
    assert dns_mesh.resolve(server, f"other-{family}.test", "AAAA") == "2001:db8::53"
    assert queries(dns_mesh) == (udp + 4, tcp)


def test_over_tcp(dns_mesh, family):
    """By a listener of its own: the filter speaks UDP alone."""
    udp, tcp = queries(dns_mesh)
    assert dns_mesh.resolve(parts.THEIRS[family], "agent.test", proto="tcp") == "192.0.2.53"
    assert queries(dns_mesh) == (udp, tcp + 1)


def test_other_kinds(dns_mesh, family):
    """The filter answers no other than A, AAAA and SRV: not implemented, where the resolver would have answered."""
    assert dns_mesh.resolve(parts.THEIRS[family], "agent.test", "TXT") == 4


def test_excluded_users(dns_mesh, family):
    """They and the proxy ask the resolver itself."""
    before = queries(dns_mesh)
    for uid in parts.OTHER, parts.PROXY:
        for proto in "udp", "tcp":
            assert dns_mesh.resolve(parts.THEIRS[family], "agent.test", proto=proto, uid=uid) == "192.0.2.53"
    assert queries(dns_mesh) == before


def test_requests_beside(dns_mesh, family):
    """HTTP goes its way as without DNS capture."""
    with dns_mesh.counts(outbound_http=1, inbound_http=1):
        assert dns_mesh.get(dns_mesh.pod, parts.THEIRS[family])["passes"] == "outbound"
        assert dns_mesh.get(dns_mesh.peer, parts.MINE[family])["passes"] == "inbound"
