# SPDX-License-Identifier: GPL-2.0-or-later
"""Apply in a real kernel: idempotence, foreign rules, what is half there."""

import os
import subprocess
import time

import configs
import lib
import pytest
import upstream

TPROXY_DNS = ["--sidecar", "-m", "TPROXY", "--redirect-dns", "--capture-all-dns", "--resolv-conf=/dev/null",
              "--drop-invalid", "-c", "eth7"]
VARIED = {"sidecar": ["--sidecar"], "tproxy-dns": TPROXY_DNS, "ipv4": ["--sidecar", "--ipv6=off"],
          "lists": ["-b", "80,443,8000-9000", "-i", "10.0.0.0/8,fd00::/8", "-x", "10.9.0.0/16", "-o", "3306",
                    "--exclude-outbound-uids=5,7-9", "-k", "vm0"]}


@pytest.fixture
def pod(netns, backend):
    """apply(*args) in a fresh namespace, with the backend under test."""
    netns.apply = lambda *args, **kwargs: netns.istio_init(*args, f"--backend={backend}", **kwargs)
    return netns


def trace(pod, *args):
    result = pod.apply(*args, prefix=["strace", "-f", "-v", "-s", "200", "-o", pod.dir / "trace"])
    return result, (pod.dir / "trace").read_text()


@pytest.mark.parametrize("name", VARIED)
def test_second_apply_writes_nothing(pod, name):
    result, first = trace(pod, *VARIED[name])
    lib.checked(result)
    assert lib.WRITES.search(first)
    before = pod.snapshot()
    result, second = trace(pod, *VARIED[name])
    lib.checked(result)
    assert not lib.WRITES.search(second), lib.WRITES.search(second)
    assert pod.snapshot() == before


def test_force_apply_writes_what_is_there(pod):
    lib.checked(pod.apply("--sidecar"))
    before = pod.snapshot()
    result, text = trace(pod, "--sidecar", "--force-apply")
    lib.checked(result)
    assert lib.WRITES.search(text)
    assert pod.snapshot() == before


@pytest.mark.parametrize("other", [["-p", "16001"], ["-o", "99"], ["--ipv6=off"], ["-m", "TPROXY"], ["-u", "7"],
                                   ["-c", "eth9"], ["-k", "vm0"], ["-x", "1.2.3.4"]])
def test_different_rules_are_left_alone(pod, other):
    lib.checked(pod.apply("--sidecar"))
    before = pod.snapshot()
    result = pod.apply("--sidecar", *other)
    assert result.returncode == 1
    assert "--reconcile" in result.stderr
    assert pod.snapshot() == before
    lib.checked(pod.apply("--sidecar"))
    assert pod.snapshot() == before


def test_fewer_rules_are_a_difference_too(pod):
    lib.checked(pod.apply("--sidecar", "-o", "99", "--drop-invalid"))
    before = pod.snapshot()
    result = pod.apply("--sidecar")
    assert result.returncode == 1 and "--reconcile" in result.stderr
    assert pod.snapshot() == before


@pytest.mark.backends("iptables-legacy", "iptables-nft")
@pytest.mark.parametrize("tamper", [
    "iptables-legacy -t nat -D ISTIO_OUTPUT 2", "iptables-legacy -t nat -I ISTIO_OUTPUT -d 10.0.0.0/8 -j ACCEPT",
    "iptables-legacy -t nat -R ISTIO_REDIRECT 1 -p tcp -j REDIRECT --to-ports 15002",
    "iptables-legacy -t nat -R ISTIO_OUTPUT 2 -o lo ! -d 127.0.0.1/32 -p tcp -m tcp ! --dport 15009 "
    "-m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT",
    "ip6tables-legacy -t nat -F ISTIO_REDIRECT", "ip6tables-legacy -t nat -D PREROUTING 1"])
def test_tampering_is_found(pod, backend, tamper):
    if backend != "iptables-legacy":
        tamper = tamper.replace("-legacy", "-nft")
    lib.checked(pod.apply("--sidecar"))
    pod.sh(tamper)
    before = pod.snapshot()
    result = pod.apply("--sidecar")
    assert result.returncode == 1 and "--reconcile" in result.stderr
    assert pod.snapshot() == before


FOREIGN = """*nat
:MINE - [7:700]
:PREROUTING ACCEPT [0:0]
:OUTPUT DROP [0:0]
[1:100] -A PREROUTING -p udp -m udp --dport 9 -j MINE
[2:200] -A OUTPUT -p tcp -m tcp --dport 9 -j MINE
[3:300] -A MINE -p tcp -j REDIRECT --to-ports 99
COMMIT
*mangle
[4:400] -A PREROUTING -m length --length 100:200 -j TTL --ttl-set 9
[5:500] -A OUTPUT -m comment --comment "a \\"quoted\\" word" -j MARK --set-xmark 0x1/0xff
[6:600] -A FORWARD -j ACCEPT
COMMIT
*raw
[8:800] -A PREROUTING -p icmp -j CT --notrack
[9:900] -A OUTPUT -p udp -m udp --dport 53 -j CT --zone 9
COMMIT
*filter
[10:1000] -A INPUT -p tcp -m multiport --dports 1,2,3 -m limit --limit 5/min -j LOG
COMMIT
"""


def without_istio(saved):
    """What is not Istio's of iptables-save -c, or all of it."""
    return [line for line in saved.splitlines() if not line.startswith("#") and "ISTIO_" not in line]


@pytest.mark.backends("iptables-legacy", "iptables-nft")
@pytest.mark.parametrize("name", ["sidecar", "tproxy-dns"])
def test_foreign_rules_stay_with_their_counters(pod, backend, name):
    flavour = "legacy" if backend == "iptables-legacy" else "nft"
    tool = "iptables-legacy" if flavour == "legacy" else "iptables-nft"
    checked = pod.run([f"{tool}-restore", "-c"], input=FOREIGN)
    lib.checked(checked)
    before = without_istio(pod.save("ipv4", counters=True, flavour=flavour))
    lib.checked(pod.apply(*VARIED[name]))
    saved = pod.save("ipv4", counters=True, flavour=flavour)
    ours = [line for line in without_istio(saved) if line not in before]
    assert all(line.startswith("[0:0] -A ") for line in ours)
    assert [line for line in without_istio(saved) if line in before] == before
    after = pod.snapshot()
    lib.checked(pod.apply(*VARIED[name]))
    assert pod.snapshot() == after


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_foreign_rules_around_ours_are_no_difference(pod, backend):
    lib.checked(pod.apply(*TPROXY_DNS))
    pod.sh(f"""
        {backend} -t nat -I OUTPUT -p tcp --dport 9 -j ACCEPT
        {backend} -t nat -I OUTPUT 3 -p tcp --dport 8 -j ACCEPT
        {backend} -t nat -A OUTPUT -p udp -j RETURN
        {backend} -t mangle -I PREROUTING 3 -p udp -j RETURN
        {backend} -t mangle -A OUTPUT -p icmp -j MARK --set-mark 4
        {backend} -t raw -I PREROUTING -p icmp -j ACCEPT
        {backend} -t filter -A INPUT -p icmp -j ACCEPT""")
    before = pod.snapshot()
    lib.checked(pod.apply(*TPROXY_DNS))
    assert pod.snapshot() == before


@pytest.mark.backends("iptables-legacy")
@pytest.mark.parametrize("loss", [
    "iptables-legacy -t mangle -F; iptables-legacy -t mangle -X",
    "iptables-legacy -t raw -F; iptables-legacy -t raw -X",
    "for t in mangle nat raw; do ip6tables-legacy -t $t -F; ip6tables-legacy -t $t -X; done"])
def test_missing_tables_are_completed(pod, loss):
    """As after a kill between two tables: what is there is ours and equal, so no --reconcile is needed."""
    completed(pod, loss)


@pytest.mark.parametrize("loss", [
    "ip -6 rule del fwmark 1337 lookup 133", "ip rule del fwmark 1337 lookup 133", "ip route flush table 133",
    "ip -6 route flush table 133", "ip addr del ::6/128 dev lo", "ip link set lo down; ip link set lo up"])
def test_missing_plumbing_is_completed(pod, loss):
    completed(pod, loss)


def completed(pod, loss):
    lib.checked(pod.apply(*TPROXY_DNS))
    before = pod.state()
    pod.sh(loss)
    lib.checked(pod.apply(*TPROXY_DNS))
    assert pod.state() == before


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_upstreams_own_state_is_no_difference(pod, backend, tmp_path):
    """What istio-iptables has written is equal state for the same options."""
    for name in "sidecar", "tproxy-dns", "dns", "virt-all", "exclude-interfaces":
        config = configs.NAMED[name]
        args, env = configs.command_line(config, tmp_path)
        with lib.Netns() as netns:
            for family in lib.FAMILIES:
                netns.restore(family, upstream.restore_text(config, family),
                              "legacy" if backend == "iptables-legacy" else "nft")
            lib.checked(netns.istio_init(*args, f"--backend={backend}", env=env))


def test_eight_runs_at_once(pod, backend):
    runs = [pod.start([lib.BINARY, *TPROXY_DNS, f"--backend={backend}"]) for _ in range(8)]
    results = [(run.communicate(timeout=30), run.returncode) for run in runs]
    assert [status for _, status in results] == [0] * 8, results
    with lib.Netns() as alone:
        lib.checked(alone.istio_init(*TPROXY_DNS, f"--backend={backend}"))
        assert pod.state() == alone.state()


def test_runs_at_once_without_a_common_lock(pod, backend):
    """Each takes a lock of its own: only the kernel tells them of each other."""
    runs = [pod.start([lib.BINARY, "--sidecar", f"--backend={backend}"],
                      env={"XTABLES_LOCKFILE": str(pod.dir / f"lock{number}")}) for number in range(4)]
    results = [(run.communicate(timeout=30), run.returncode) for run in runs]
    assert [status for _, status in results] == [0] * 4, results
    with lib.Netns() as alone:
        lib.checked(alone.istio_init("--sidecar", f"--backend={backend}"))
        assert pod.state() == alone.state()


@pytest.mark.parametrize("args", [["--sidecar", "--reconcile", "--backend="], ["clean"]])
def test_a_log_that_nobody_reads_ends_no_run(pod, backend, args):
    """As with 2>&1 | head: its lines are lost, and what was asked for is done all the same."""
    other = "nftables" if backend == "iptables-nft" else "iptables-nft"
    args = [word + backend if word == "--backend=" else word for word in args]
    reader, writer = os.pipe()
    os.close(reader)
    with lib.Netns() as alone, open(writer, "wb") as log:
        for netns in pod, alone:
            lib.checked(netns.istio_init("-b", "80", "-m", "TPROXY", f"--backend={other}"))
        lib.checked(alone.istio_init(*args))
        run = subprocess.run(pod.command([lib.BINARY, *args, "--log_output_level=debug"]), env=pod.env(), stderr=log,
                             stdin=subprocess.DEVNULL, check=False)
        assert run.returncode == 0
        assert pod.state() == alone.state()


def test_dry_run_changes_nothing(pod, backend):
    before = pod.snapshot()
    lib.checked(pod.apply(*TPROXY_DNS, "--dry-run"))
    lib.checked(pod.apply("--dry-run", "--run-validation", "--cleanup-only", "--sidecar"))
    assert pod.snapshot() == before


def test_long_lists(pod, backend):
    path = pod.dir / "cidrs"
    path.write_text("".join(f"10.{i >> 8}.{i & 255}.0/24\n" for i in range(3000)))
    args = ["--sidecar", "--long-lists=linear", "-x", f"@{path}"]
    lib.checked(pod.apply(*args))
    if backend == "iptables-legacy":
        assert lib.as_dry_run(pod.save("ipv4"), "ipv4") == lib.checked(
            pod.istio_init("--dry-run", "--family=ipv4", *args))
    before = pod.snapshot()
    lib.checked(pod.apply(*args))
    assert pod.snapshot() == before


@pytest.mark.parametrize("last", [1023, 65535])
def test_long_lists_of_ports(pod, backend, last):
    """Every other port, which the kernel's plain sets of ports take seconds for; and two that are neighbours."""
    path = pod.dir / "ports"
    path.write_text("".join(f"{port}\n" for port in range(1, last + 1, 2)) + "8\n")
    args = ["--sidecar", "-o", f"@{path}", "--ipv6=off"]
    took = time.monotonic()
    lib.checked(pod.apply(*args))
    took = time.monotonic() - took
    assert backend != "nftables" or took < 3
    if backend == "nftables" and last == 1023:  # nft itself takes a minute for the other
        text = pod.dir / "text"
        text.write_text(lib.checked(pod.istio_init("--dry-run", "--backend=nftables", *args)))
        with lib.Netns() as alone:
            alone.sh(f"nft -f {text}")
            assert alone.sh("nft -s list ruleset") == pod.sh("nft -s list ruleset")
    before = pod.snapshot()
    assert "unchanged" in pod.apply(*args).stderr
    assert pod.snapshot() == before
