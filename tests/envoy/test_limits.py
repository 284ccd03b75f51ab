# SPDX-License-Identifier: GPL-2.0-or-later
"""Envoy's own limits, as deploy/inject/envoy.yaml sets them."""

import contextlib
import json

import pytest

import app
import mesh as parts


@pytest.mark.parametrize("direction", ["outbound", "inbound"])
def test_open_connections(mesh, direction):
    """1,100 at once, where a cluster without circuit_breakers closes the 1,025th."""
    netns, address, name = {"outbound": (mesh.pod, parts.THEIRS["ipv4"], "peer"),
                            "inbound": (mesh.peer, parts.MINE["ipv4"], "application")}[direction]
    with mesh.counts(**{direction: 1100}), contextlib.ExitStack() as stack:
        for _ in range(1100):
            banner = stack.enter_context(mesh.connect(netns, address, app.BANNER)).recv(1000)
            assert banner and json.loads(banner)["name"] == name
