# SPDX-License-Identifier: GPL-2.0-or-later
"""--run-validation: proof of the redirect with real sockets."""

import contextlib
import socket
import threading
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
        failed(netns.istio_init(*VALIDATE, "--probe-timeout=100ms", prefix=PROXY),
               [f"validation, {family}: ", str(port), "another process"], ["ss -ltnup"])


def test_failing_after_the_apply_leaves_the_rules(netns, backend):
    with netns.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.bind(("127.0.0.1", 15006))
        holder.listen()
        result = netns.istio_init(*SIDECAR, "--run-validation", "--probe-timeout=100ms", f"--backend={backend}")
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


def test_rules_for_another_port(netns, backend):
    """The connection arrives, but not where these options look for it."""
    lib.checked(netns.istio_init(*SIDECAR, "-z", "16006", f"--backend={backend}"))
    failed(netns.istio_init(*VALIDATE, prefix=PROXY), ["IPv4", "port 15006", "refused"], ["same ports"])


@pytest.mark.parametrize("args", [VALIDATE, [*SIDECAR, "--run-validation"]])
def test_who_cannot_become_the_proxy_writes_nothing(netns, args):
    before = netns.snapshot()
    result = netns.istio_init(*args, prefix=["capsh", "--drop=cap_setuid", "--", "-c", 'exec "$@"', "sh"])
    assert (result.returncode, result.stdout) == (77, "")
    assert "UID 1337" in result.stderr and "SETUID" in result.stderr and "runAsUser" in result.stderr
    assert netns.snapshot() == before


def test_a_proxy_that_is_not_mapped_writes_nothing():
    """In a user namespace that has root alone."""
    script = """ip link set lo up; "$0" --sidecar -u 1337 --backend=nftables --run-validation; echo "exit $?"
        nft list ruleset; ip rule | wc -l; ip -6 addr show lo | grep -c ::6/"""
    result = lib.run(["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c",
                      script, lib.BINARY])
    assert "UID 1337, which is not mapped" in result.stderr
    assert result.stdout.split() == ["exit", "77", "3", "0"], result


EXCLUSIONS = [
    (["-c", "lo"], "--istio-exclude-interfaces"), (["-c", "l+"], "--istio-exclude-interfaces"),
    (["-o", "15000-15010"], "--istio-local-outbound-ports-exclude"),
    (["--exclude-outbound-uids=1000-2000"], "--exclude-outbound-uids"), (["--exclude-outbound-gids=0"], "--exclude-outbound-gids"),
    (["--exclude-outbound-ports-for-uids=tcp:15002:1337"], "--exclude-outbound-ports-for-uids"),
    (["--iptables-probe-port=15008"], "--iptables-probe-port"),
    (["--redirect-dns", "--capture-all-dns", "--iptables-probe-port=53"], "--iptables-probe-port"),
    (["--redirect-dns", "--capture-all-dns", "-o", "53"], "--istio-local-outbound-ports-exclude"),
    (["--redirect-dns", "--capture-all-dns", "--exclude-outbound-uids=0-1336,1338-4294967294"], "--exclude-outbound-uids"),
]


@pytest.mark.parametrize("mode", ["REDIRECT", "TPROXY"])
@pytest.mark.parametrize("args, option", EXCLUSIONS)
def test_what_keeps_the_probe_from_capture_is_said_first(netns, backend, mode, args, option):
    before = netns.snapshot()
    result = netns.istio_init(*SIDECAR, "-m", mode, *args, "--run-validation", f"--backend={backend}")
    assert (result.returncode, result.stdout) == (64, ""), result.stderr
    assert result.stderr.splitlines()[-2].startswith(f"istio-init: error: {option}: "), result.stderr
    # Another backend's look makes no table either.
    assert netns.snapshot() == before
    lib.checked(netns.istio_init(*SIDECAR, "-m", mode, *args, f"--backend={backend}"))


def test_a_loopback_cidr_that_holds_the_probes_address(netns, backend):
    before = netns.snapshot()
    result = netns.istio_init(*SIDECAR, "--run-validation", f"--backend={backend}",
                              env={"ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR": "127.0.0.0/8"})
    assert result.returncode == 64 and "error: ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR: " in result.stderr
    assert netns.snapshot() == before


@pytest.mark.parametrize("args", [
    ["-x", "127.0.0.0/8"], ["-i", "10.0.0.0/8"], ["-c", "eth0"], ["--exclude-outbound-uids=0"], ["-z", "15002"], ["-k", "lo"],
    ["--bypass-mark=1"], ["-u", "0"], ["-u", "7,8", "-g", "9"]])
def test_what_does_not_keep_it_is_no_matter(netns, backend, args):
    lib.checked(netns.istio_init(*SIDECAR, *args, "--run-validation", f"--backend={backend}"))


def test_groups_do_not_keep_it(netns, backend):
    lib.checked(netns.istio_init(*SIDECAR, "--run-validation", "--redirect-dns", "--capture-all-dns", f"--backend={backend}",
                                 env={"ISTIO_OUTBOUND_OWNER_GROUPS": "2000"}))


def test_runs_at_once_wait_for_each_other(netns, backend):
    args = [*SIDECAR, "--redirect-dns", "--capture-all-dns", "--run-validation", f"--backend={backend}", "--wait=30s",
            "--probe-timeout=30s"]
    runs = [netns.start([lib.BINARY, *args]) for _ in range(12)]
    for run in runs:
        _, stderr = run.communicate(timeout=60)
        assert run.returncode == 0, stderr


SERVER, SERVER6 = "10.96.0.10", "fd96::a"
DNS = ["--redirect-dns", "--resolv-conf"]


@contextlib.contextmanager
def nameserver(netns, answers=True):
    """A nameserver beyond a route, at both addresses: yields the owners' ports that asked, and the resolv.conf."""
    asked, ended = [], threading.Event()
    with lib.Netns() as far, contextlib.ExitStack() as stack:
        # Neighbours that know each other: discovery of IPv6 takes its time on a link that has just come up.
        mine, its = "02:00:00:00:00:02", "02:00:00:00:00:01"
        netns.ip(f"link add eth0 address {mine} type veth peer name eth0 address {its} netns {far.path}")
        netns.sh("ip addr add 10.1.0.2/24 dev eth0; ip addr add fd01::2/64 dev eth0 nodad; ip link set eth0 up; "
                 f"ip neigh add fd01::1 lladdr {its} dev eth0; "
                 "ip route add default via 10.1.0.1; ip -6 route add default via fd01::1")
        far.sh(f"ip addr add 10.1.0.1/24 dev eth0; ip addr add fd01::1/64 dev eth0 nodad; ip link set eth0 up; "
               f"ip neigh add fd01::2 lladdr {mine} dev eth0; "
               f"ip addr add {SERVER} dev lo; ip addr add {SERVER6} dev lo nodad")
        socks = []
        for family, addr in (socket.AF_INET, SERVER), (socket.AF_INET6, SERVER6):
            sock = stack.enter_context(far.socket(family, socket.SOCK_DGRAM))
            sock.bind((addr, 53))
            sock.settimeout(0.05)
            socks.append(sock)

        def serve(sock):
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    query, sender = sock.recvfrom(512)
                    asked.append(sender[0])
                    if answers:
                        sock.sendto(query[:2] + bytes([query[2] | 0x80]) + query[3:], sender)

        threads = [threading.Thread(target=serve, args=[sock]) for sock in socks]
        for thread in threads:
            thread.start()
        try:
            netns.dir.chmod(0o755)
            (netns.dir / "resolv.conf").write_text(f"nameserver {SERVER}\nnameserver {SERVER6}\n")
            yield asked, netns.dir / "resolv.conf"
        finally:
            ended.set()
            for thread in threads:
                thread.join()


@pytest.mark.parametrize("mode", ["REDIRECT", "TPROXY"])
def test_dns_of_a_server_far_away(netns, backend, mode):
    with nameserver(netns) as (asked, resolv):
        result = netns.istio_init(*SIDECAR, "--ipv6=on", "-m", mode, *DNS, resolv, "--run-validation", f"--backend={backend}")
    lib.checked(result)
    assert "DNS queries of UID 0 go to port 15053 (ipv4 and ipv6)" in result.stderr and "warn" not in result.stderr
    # Only the proxy's own got there.
    assert set(asked) == {"10.1.0.2", "fd01::2"}


def test_a_nameserver_that_is_down_is_a_warning(netns, backend):
    with nameserver(netns, answers=False) as (_, resolv):
        result = netns.istio_init(*SIDECAR, *DNS, resolv, "--run-validation", f"--backend={backend}")
    lib.checked(result)
    assert f"warn: validation, IPv4: the nameserver {SERVER} did not answer" in result.stderr


def test_without_a_route_to_a_nameserver(netns, backend):
    (netns.dir / "resolv.conf").write_text(f"nameserver {SERVER}\n")
    result = netns.istio_init(*SIDECAR, *DNS, netns.dir / "resolv.conf", "--run-validation", f"--backend={backend}")
    lib.checked(result)
    assert "warn: validation, IPv4: there is no route to a nameserver" in result.stderr


def test_dns_as_the_proxy_alone(netns, backend):
    with nameserver(netns) as (asked, resolv):
        lib.checked(netns.istio_init(*SIDECAR, *DNS, resolv, f"--backend={backend}"))
        result = netns.istio_init(*VALIDATE, *DNS, resolv, prefix=[*READ_ONLY, *PROXY])
    lib.checked(result)
    assert "applications are captured is not proved" in result.stderr and asked


def test_dns_of_the_proxy_that_others_rules_take(netns, backend):
    with nameserver(netns) as (_, resolv):
        lib.checked(netns.run(["nft", "-f", "-"], input="""table ip other { chain o { type nat hook output priority -110;
            ip daddr 10.96.0.10 udp dport 53 redirect to :15053; }; }"""))
        result = netns.istio_init(*SIDECAR, *DNS, resolv, "--run-validation", f"--backend={backend}")
    failed(trimmed(result), ["UID 1337", "10.96.0.10", "the agent would ask itself"], ["istio-init show"])


def test_dns_that_is_not_captured(netns, backend):
    """The rules are those of a run without DNS capture."""
    with nameserver(netns) as (_, resolv):
        lib.checked(netns.istio_init(*SIDECAR, f"--backend={backend}"))
        result = netns.istio_init(*VALIDATE, "--ipv6=off", *DNS, resolv)
    failed(result, ["IPv4", "UID 0", SERVER, "not captured: the server answered it"], ["istio-init show"])


def trimmed(result):
    """The last two lines: an apply came before."""
    result.stderr = "\n".join(result.stderr.splitlines()[-2:])
    return result


def test_the_agents_answers_are_lost(netns, backend):
    netns.run(["nft", "-f", "-"], input="table ip other { chain i { type filter hook input priority 0; udp sport 53 drop; }; }")
    result = netns.istio_init(*SIDECAR, "--redirect-dns", "--capture-all-dns", "--run-validation", "--probe-timeout=300ms",
                              f"--backend={backend}")
    failed(trimmed(result), ["UID 0", "the answer did not come back"], ["nft list ruleset"])


def test_dns_as_a_user_of_no_privilege_says_what_is_missing(netns):
    other = [word.replace("1337", "1338") for word in PROXY]
    result = netns.istio_init(*VALIDATE, prefix=other)
    assert result.returncode == 77
    assert "1337" in result.stderr and "SETUID" in result.stderr
