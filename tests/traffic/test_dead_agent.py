# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the DNS agent is dead, a query is refused at once, natively; and so is whatever else meets a closed port."""

import socket
import time

import lib
import pytest
from pod import DNS, DNS6, Pod

REDIRECT = """table inet other { chain output { type nat hook output priority -90;
    udp dport 997 redirect to :996; }; }"""


@pytest.mark.backends("nftables")
@pytest.mark.parametrize("options", [[], ["--capture-all-dns"], ["--drop-invalid"], ["-m", "TPROXY"]], ids="".join)
def test_a_query_is_refused_at_once(backend, options):
    with Pod() as pod:
        (pod.netns.dir / "resolv.conf").write_text(f"nameserver {DNS}\nnameserver {DNS6}\n")
        lib.checked(pod.netns.istio_init("--sidecar", "--dual-stack", "-u", "1337", "--redirect-dns", "--resolv-conf",
                                         pod.netns.dir / "resolv.conf", f"--backend={backend}", *options))
        lib.checked(pod.netns.run(["nft", "-f", "-"], input=REDIRECT))
        pod.stop(15053)
        for addr, port in (DNS, 53), (DNS6, 53), ("127.0.0.1", 999), ("::1", 999), ("127.0.0.1", 997), ("::1", 997):
            family = socket.AF_INET6 if ":" in addr else socket.AF_INET
            with pod.netns.socket(family, socket.SOCK_DGRAM, uid=1000, gid=1000) as client:
                client.settimeout(2)
                client.connect((addr, port))
                client.send(b"query")
                start = time.monotonic()
                with pytest.raises(ConnectionRefusedError):
                    client.recv(100)
                assert time.monotonic() - start < 0.5
