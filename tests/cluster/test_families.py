# SPDX-License-Identifier: GPL-2.0-or-later
"""Both families in both modes, by deploy/inject/envoy.yaml: the mode is an annotation of the pod."""

import app
import cluster as parts
import lib
import pytest
from shop import OWN, TWICE, grown, transparent

OUTSIDE = {"ipv4": parts.OUTSIDE, "ipv6": parts.OUTSIDE6}


@pytest.fixture(params=lib.FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="module", params=["REDIRECT", "TPROXY"])
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def pair(shop, mode):
    """(who is asked, who asks)"""
    if mode == "REDIRECT":
        yield shop.web, shop.client
    else:
        with transparent(shop.cluster, "shop") as pods:
            yield pods


def test_security(pair, mode):
    """Only a proxy that opens transparent sockets is root, and that with one capability."""
    container, = (one for one in pair[0].object()["spec"]["initContainers"] if one["name"] == "istio-proxy")
    context = container["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["capabilities"]) == {
        "REDIRECT": (1337, 1337, {"drop": ["ALL"]}),
        "TPROXY": (0, 1337, {"add": ["NET_ADMIN"], "drop": ["ALL"]})}[mode]


def test_rules(pair, mode, family):
    """As the stock tools list them from the node, with the way that TPROXY's packets go."""
    web, _ = pair
    assert web.netns.has_istio(family)
    flag = "-6" if family == "ipv6" else "-4"
    rules, routes = web.netns.sh(f"ip {flag} rule"), web.netns.sh(f"ip {flag} route show table all")
    assert ("lookup 133" in rules, "table 133" in routes) == ((mode == "TPROXY"),) * 2
    verdict = {"REDIRECT": "REDIRECT to :15006", "TPROXY": "TPROXY to :15006"}[mode]
    said = lib.checked(web.netns.istio_init("explain", "--live", "in", f"dst={web.addresses[family]}", f"dport={app.HTTP}"))
    assert f"verdict: {verdict}" in said, said


def test_request_from_pod_to_pod(pair, mode, family):
    """It passes both Envoys; with TPROXY the application sees the client itself."""
    web, client = pair
    answer = grown([client, web], lambda: client.get(web.addresses[family]), [[1, 0, 0], [0, 1, 0]])
    seen = client.addresses[family] if mode == "TPROXY" else OWN[family]
    assert answer == {"name": web.name, "port": app.HTTP, "peer": seen, "passes": TWICE}


def test_request_from_outside_the_mesh(shop, pair, mode, family):
    web, _ = pair
    answer = grown([web], lambda: shop.plain.get(web.addresses[family]), [[0, 1, 0]])
    seen = shop.plain.addresses[family] if mode == "TPROXY" else OWN[family]
    assert answer == {"name": web.name, "port": app.HTTP, "peer": seen, "passes": "inbound"}


def test_request_to_outside_the_mesh(pair, family):
    _, client = pair
    answer = grown([client], lambda: client.get(OUTSIDE[family]), [[1, 0, 0]])
    assert answer == {"name": "outside", "port": app.HTTP, "peer": client.addresses[family], "passes": "outbound"}


def test_an_excluded_port(pair, family):
    web, client = pair
    answer = grown([client, web], lambda: client.get(web.addresses[family], app.EXCLUDED), [[0, 0, 0]] * 2)
    assert answer == {"name": web.name, "port": app.EXCLUDED, "peer": client.addresses[family], "passes": ""}
