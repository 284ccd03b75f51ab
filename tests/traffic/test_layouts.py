# SPDX-License-Identifier: GPL-2.0-or-later
"""Where an earlier Istio was: names resolve and connections arrive, after a clean, and after its rules are replaced."""

import layouts
import pytest
from pod import DNS, DNS6, PEER, PEER6, SERVICE, SERVICE6, Pod
from test_layouts import install, iptables, native_ambient

OPTIONS = ["--sidecar", "--redirect-dns", "--capture-all-dns", "--resolv-conf=/dev/null", "--ipv6=on"]
LAYOUTS = {
    **{release: layouts.sidecar(release) for release in layouts.RELEASES},
    **{f"{release}, TPROXY": layouts.sidecar(release, tproxy=True) for release in ("1.5", "1.15")},
    **{f"{release}, straight": layouts.sidecar(release).straight() for release in ("1.8", "1.9", "1.11", "1.22")},
    "cni": layouts.sidecar("1.15", ports=("15020",)), "ambient": layouts.ambient(), "ambient, TPROXY": layouts.ambient(True),
}


def check_captured(pod, captured):
    """UDP 53 and TCP of an application, and of the proxy itself."""
    for dns, service, peer in (DNS, SERVICE, PEER), (DNS6, SERVICE6, PEER6):
        # First what is sent again if the neighbour is not known yet.
        assert pod.connect("pod", service, 8080, uid=1337, gid=1337)[0] == "peer"
        assert pod.connect("pod", dns, 53, "udp") == ("dns" if captured else "peer", None)
        assert pod.connect("pod", dns, 53, "udp", uid=1337, gid=1337) == ("peer", None)
        assert pod.connect("pod", service, 8080) == ("proxy" if captured else "peer", (service, 8080))
        assert pod.connect("pod", peer, 8081)[0] == ("proxy" if captured else "peer")
    assert pod.connect("peer", "10.1.0.2", 8082)[0] == ("inbound" if captured else "app")


@iptables
@pytest.mark.parametrize("name", LAYOUTS)
def test_after_a_clean_and_after_a_replacement(backend, name):
    with Pod() as pod:
        install(pod.netns, backend, LAYOUTS[name])
        assert pod.netns.istio_init("clean").returncode == 0
        check_captured(pod, False)
        install(pod.netns, backend, LAYOUTS[name])
        assert pod.netns.istio_init(*OPTIONS, "--reconcile", f"--backend={backend}").returncode == 0
        check_captured(pod, True)


def test_beside_ambients_native_tables(backend):
    with Pod() as pod:
        native_ambient(pod.netns)
        assert pod.netns.istio_init(*OPTIONS, "--reconcile", f"--backend={backend}").returncode == 0
        check_captured(pod, True)
        assert pod.netns.istio_init("clean").returncode == 0
        check_captured(pod, False)
