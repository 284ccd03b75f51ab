# SPDX-License-Identifier: GPL-2.0-or-later
"""--run-validation: proof of the redirect with real sockets."""

import socket
import time

import lib
import pytest

SIDECAR = ["--sidecar", "-u", "1337"]
VALIDATE = ["--skip-rule-apply", "--run-validation", "-u", "1337"]
PROXY = ["setpriv", "--reuid=1337", "--regid=1337", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all",
         "--no-new-privs"]
READ_ONLY = ["unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh"]


def test_after_the_apply(netns, backend):
    result = netns.istio_init(*SIDECAR, "--run-validation", f"--backend={backend}")
    lib.checked(result)
    assert "ipv4 and ipv6" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("mode, ipv6, families", [
    ("REDIRECT", "on", "(ipv4 and ipv6)"), ("TPROXY", "on", "(ipv4 and ipv6)"), ("REDIRECT", "off", "(ipv4)")])
def test_as_the_proxy_without_capabilities_on_a_read_only_root(netns, backend, mode, ipv6, families):
    lib.checked(netns.istio_init(*SIDECAR, "-m", mode, f"--ipv6={ipv6}", f"--backend={backend}"))
    result = netns.istio_init(*VALIDATE, f"--ipv6={ipv6}", prefix=[*READ_ONLY, *PROXY])
    lib.checked(result)
    assert result.stderr.rstrip().endswith(families)


def test_tproxy_and_dns(netns, backend):
    lib.checked(netns.istio_init(*SIDECAR, "-m", "TPROXY", "--redirect-dns", "--capture-all-dns", "--run-validation",
                                 f"--backend={backend}"))


def failed(result, what, remedy):
    assert (result.returncode, result.stdout) == (126, ""), result.stderr
    first, second = result.stderr.splitlines()
    for line, words in (first, what), (second, remedy):
        for word in words:
            assert word in line, result.stderr


@pytest.mark.parametrize("prefix", [PROXY, [*READ_ONLY, *PROXY], []])
def test_no_rules(netns, prefix):
    before = netns.snapshot()
    failed(netns.istio_init(*VALIDATE, prefix=prefix), ["IPv4", "127.0.0.6", "15002", "15006", "refused"],
           ["istio-init show", "--proxy-uid"])
    assert netns.snapshot() == before


def without_ipv4(netns, backend):
    if backend == "nftables":
        netns.sh("nft insert rule inet istio-proxy-nat output meta nfproto ipv4 return")
    else:
        netns.sh(f"{backend} -t nat -F")


@pytest.mark.parametrize("family, address", [("IPv4", "127.0.0.6"), ("IPv6", "::6")])
def test_only_one_family_has_rules(netns, backend, family, address):
    lib.checked(netns.istio_init(*SIDECAR, *(["--ipv6=off"] if family == "IPv6" else []), f"--backend={backend}"))
    if family == "IPv4":
        without_ipv4(netns, backend)
    else:
        netns.ip("addr add ::6/128 dev lo nodad")
        netns.plumbing()
    failed(netns.istio_init(*VALIDATE, prefix=PROXY), [f"validation, {family}: ", f" {address} ", "15002", "refused"],
           ["istio-init show", "--ipv6"])


@pytest.mark.parametrize("port", [15001, 15006])
@pytest.mark.parametrize("family, address", [
    ("IPv4", "127.0.0.1"), ("IPv4", "0.0.0.0"), ("IPv6", "::1"), ("IPv6", "::")])
def test_another_process_holds_the_port(netns, family, address, port):
    lib.checked(netns.istio_init(*SIDECAR))
    with netns.socket(socket.AF_INET6 if family == "IPv6" else socket.AF_INET, socket.SOCK_STREAM) as holder:
        if family == "IPv6":
            holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        holder.bind((address, port))
        holder.listen()
        failed(netns.istio_init(*VALIDATE, prefix=PROXY), [f"validation, {family}: ", str(port), "another process"],
               ["ss -ltnp"])


def test_failing_after_the_apply_leaves_the_rules(netns, backend):
    with netns.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.bind(("127.0.0.1", 15006))
        holder.listen()
        result = netns.istio_init(*SIDECAR, "--run-validation", f"--backend={backend}")
    assert result.returncode == 126 and "another process" in result.stderr.splitlines()[-2]
    lib.checked(netns.istio_init("diff", *SIDECAR, f"--backend={backend}"))


@pytest.mark.parametrize("family, tool", [("IPv4", "iptables-legacy"), ("IPv6", "ip6tables-legacy")])
def test_nothing_arrives_in_time(netns, backend, family, tool):
    lib.checked(netns.istio_init(*SIDECAR, f"--backend={backend}"))
    netns.sh(f"{tool} -A INPUT -p tcp --dport 15006 -j DROP")
    start = time.monotonic()
    failed(netns.istio_init(*VALIDATE, "--probe-timeout=300ms", prefix=PROXY), [f"validation, {family}: ", "in time"],
           ["nft list ruleset", "--probe-timeout"])
    assert 0.2 < time.monotonic() - start < 5


@pytest.mark.parametrize("call", ["fork,clone:error=EAGAIN", "pipe2:error=EMFILE"])
def test_no_child_can_be_had(netns, call):
    lib.checked(netns.istio_init(*SIDECAR))
    failed(netns.istio_init(*VALIDATE, prefix=["strace", "-qq", "-o", "/dev/null", "-e", f"inject={call}"]),
           ["validation", "child"], ["limits", "as UID 1337"])


def test_rules_for_another_port(netns, backend):
    """The connection arrives, but not where these options look for it."""
    lib.checked(netns.istio_init(*SIDECAR, "-z", "16006", f"--backend={backend}"))
    failed(netns.istio_init(*VALIDATE, prefix=PROXY), ["IPv4", "port 15006", "refused"], ["same ports"])


def test_another_user_says_so_before_it_starts(netns):
    other = [word.replace("1337", "1338") for word in PROXY]
    result = netns.istio_init(*VALIDATE, prefix=other)
    assert result.returncode == 77
    assert "1337" in result.stderr and "SETUID" in result.stderr
