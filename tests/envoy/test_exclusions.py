# SPDX-License-Identifier: GPL-2.0-or-later
"""What is excluded passes Envoy by, in both directions: no header, no count, the client's own address."""

import app
import mesh as parts


def direct(answer, name, seen):
    assert (answer["name"], answer["peer"], answer["passes"]) == (name, seen, "")


def test_port(mesh, family):
    with mesh.counts():
        direct(mesh.get(mesh.pod, parts.THEIRS[family], app.EXCLUDED), "peer", parts.MINE[family])
        direct(mesh.get(mesh.peer, parts.MINE[family], app.EXCLUDED), "application", parts.THEIRS[family])


def test_cidr(mesh, family):
    with mesh.counts():
        direct(mesh.get(mesh.pod, parts.EXCLUDED[family]), "peer", parts.MINE[family])
    with mesh.counts(outbound_http=1):
        assert mesh.get(mesh.pod, parts.SERVICE[family])["passes"] == "outbound"


def test_user(mesh, family):
    with mesh.counts():
        direct(mesh.get(mesh.pod, parts.THEIRS[family], uid=parts.OTHER), "peer", parts.MINE[family])
        # The proxy's own user, in REDIRECT its connections: else they would come back to it for ever.
        direct(mesh.get(mesh.pod, parts.THEIRS[family], uid=parts.PROXY), "peer", parts.MINE[family])
