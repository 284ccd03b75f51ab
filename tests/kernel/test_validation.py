# SPDX-License-Identifier: GPL-2.0-or-later
"""--run-validation: proof of the redirect with real sockets."""

import socket
import time

import lib

SIDECAR = ["--sidecar", "-u", "1337"]
VALIDATE = ["--skip-rule-apply", "--run-validation", "-u", "1337"]
PROXY = ["setpriv", "--reuid=1337", "--regid=1337", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all",
         "--no-new-privs"]
READ_ONLY = ["unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh"]


def test_after_the_apply(netns, backend):
    result = netns.istio_init(*SIDECAR, "--run-validation", f"--backend={backend}")
    lib.checked(result)
    assert "ipv4 and ipv6" in result.stderr.splitlines()[-1]


def test_as_the_proxy_without_capabilities_on_a_read_only_root(netns, backend):
    lib.checked(netns.istio_init(*SIDECAR, f"--backend={backend}"))
    lib.checked(netns.istio_init(*VALIDATE, prefix=[*READ_ONLY, *PROXY]))


def test_tproxy_and_dns(netns, backend):
    lib.checked(netns.istio_init(*SIDECAR, "-m", "TPROXY", "--redirect-dns", "--capture-all-dns", "--run-validation",
                                 f"--backend={backend}"))


def failed(result, *words):
    assert result.returncode == 126, result.stderr
    assert not result.stdout
    what, remedy = result.stderr.splitlines()
    assert remedy
    for word in words:
        assert word in what


def test_no_rules(netns):
    failed(netns.istio_init(*VALIDATE, prefix=PROXY), "IPv4", "15002", "15006", "refused")


def test_only_one_family_has_rules(netns, backend):
    lib.checked(netns.istio_init(*SIDECAR, "--ipv6=off", f"--backend={backend}"))
    netns.ip("addr add ::6/128 dev lo nodad")
    time.sleep(0.1)
    failed(netns.istio_init(*VALIDATE, prefix=PROXY), "IPv6", "::6", "15002")


def test_another_process_holds_the_port(netns, backend):
    lib.checked(netns.istio_init(*SIDECAR, f"--backend={backend}"))
    with netns.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.bind(("127.0.0.1", 15006))
        holder.listen()
        failed(netns.istio_init(*VALIDATE, prefix=PROXY), "15006", "another process")


def test_nothing_arrives_in_time(netns, backend):
    lib.checked(netns.istio_init(*SIDECAR, f"--backend={backend}"))
    netns.sh("iptables-legacy -A INPUT -p tcp --dport 15006 -j DROP")
    start = time.monotonic()
    failed(netns.istio_init(*VALIDATE, "--probe-timeout=300ms", prefix=PROXY), "IPv4", "in time")
    assert 0.2 < time.monotonic() - start < 5


def test_another_user_says_so_before_it_starts(netns):
    other = [word.replace("1337", "1338") for word in PROXY]
    result = netns.istio_init(*VALIDATE, prefix=other)
    assert result.returncode == 77
    assert "1337" in result.stderr and "SETUID" in result.stderr
