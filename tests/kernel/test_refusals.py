# SPDX-License-Identifier: GPL-2.0-or-later
"""Where an apply must not or cannot act: privileges, locks, the machine's own namespace."""

import fcntl
import os
import pathlib
import re
import signal
import subprocess
import time

import lib
import pytest


def refused(result, status, *words):
    assert (result.returncode, result.stdout) == (status, ""), result.stderr
    assert 1 <= len(result.stderr.splitlines()) <= 2
    for word in words:
        assert word in result.stderr, result.stderr


def without(capability):
    return ["capsh", f"--drop={capability}", "--shell=/usr/bin/env", "--"]


def test_without_net_admin(netns, backend):
    before = netns.snapshot()
    result = netns.istio_init("--sidecar", f"--backend={backend}", prefix=without("cap_net_admin"))
    refused(result, 77, "NET_ADMIN")
    assert netns.snapshot() == before


@pytest.mark.backends("iptables-legacy")
def test_without_net_raw_it_says_which_backend_would_do(netns, backend):
    before = netns.snapshot()
    result = netns.istio_init("--sidecar", f"--backend={backend}", prefix=without("cap_net_raw"))
    refused(result, 77, "NET_RAW", "nftables")
    assert netns.snapshot() == before


def test_as_nobody(netns, backend, public):
    before = netns.snapshot()
    result = netns.run(["setpriv", f"--reuid={lib.NOBODY}", f"--regid={lib.NOBODY}", "--clear-groups",
                        public / "istio-init", "--sidecar", f"--backend={backend}"])
    refused(result, 77, "NET_ADMIN")
    assert netns.snapshot() == before


def test_only_the_capabilities_that_the_injector_gives(netns, backend):
    caps = "-all,+net_admin,+net_raw"
    result = netns.istio_init("--sidecar", f"--backend={backend}",
                              prefix=["setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}"])
    lib.checked(result)


def test_no_process_is_started(netns, backend):
    trace = netns.dir / "trace"
    result = netns.istio_init("--sidecar", "-m", "TPROXY", f"--backend={backend}",
                              prefix=["strace", "-f", "-e", "trace=process,openat,open", "-o", trace])
    lib.checked(result)
    text = trace.read_text()
    assert text.count("execve(") == 1 and "fork(" not in text and "clone" not in text
    created = re.findall(r'"([^"]*)", [^)]*(?:O_CREAT|O_WRONLY|O_RDWR)', text)
    assert set(created) <= {str(netns.lock)}


def test_lock_file_that_cannot_be_opened(netns, backend):
    for path in "/nonexistent/dir/xtables.lock", "/proc/version", "/":
        lib.checked(netns.istio_init("--sidecar", f"--backend={backend}", env={"XTABLES_LOCKFILE": path}))


def test_read_only_root(netns, backend):
    script = 'mount --bind / /mnt && mount --bind /proc /mnt/proc && mount -o remount,ro,bind /mnt && exec chroot /mnt "$@"'
    result = netns.run(["unshare", "-m", "sh", "-ec", script, "sh", lib.BINARY, "--sidecar", f"--backend={backend}"],
                       env={"XTABLES_LOCKFILE": ""})
    lib.checked(result)


@pytest.mark.parametrize("wait, seconds", [("300ms", 0.3), ("0", 0)])
def test_held_lock(netns, backend, wait, seconds):
    before = netns.snapshot()
    with open(netns.lock, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        start = time.monotonic()
        result = netns.istio_init("--sidecar", f"--backend={backend}", f"--wait={wait}")
        waited = time.monotonic() - start
    refused(result, 75, str(netns.lock), "fuser", "--wait")
    assert seconds <= waited < seconds + 3
    assert netns.snapshot() == before


def test_lock_that_becomes_free(netns, backend):
    with open(netns.lock, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = netns.start([lib.BINARY, "--sidecar", f"--backend={backend}", "--wait=20s"])
        time.sleep(0.3)
        fcntl.flock(lock, fcntl.LOCK_UN)
        run.communicate(timeout=10)
    assert run.returncode == 0


def test_network_namespace_option(netns, backend):
    """Started in one namespace, it acts in the other one, and only there."""
    with lib.Netns() as target:
        target.ip("link add eth0 type veth peer name far0")
        target.ip("addr add 10.0.0.2/24 dev eth0")
        before = netns.snapshot()
        lib.checked(netns.istio_init("--sidecar", f"--backend={backend}", f"--network-namespace={target.path}"))
        assert netns.snapshot() == before
        with lib.Netns() as wanted:
            wanted.ip("link add eth0 type veth peer name far0")
            wanted.ip("addr add 10.0.0.2/24 dev eth0")
            lib.checked(wanted.istio_init("--sidecar", f"--backend={backend}"))
            assert lib.tables(target.save("ipv4")) == lib.tables(wanted.save("ipv4"))
            assert lib.tables(target.save("ipv6")) == lib.tables(wanted.save("ipv6")) == {}


# The machine's own namespace is known by entries of /proc that it alone has.  What follows
# runs in a fresh namespace whose /proc/sys/net/core, in a mount namespace of its own, shows one.
HOST = """
mount --make-rprivate /
mkdir -p "$1"; cp /proc/sys/net/core/somaxconn "$1"; echo 0 >"$1/$2"
mount --bind "$1" /proc/sys/net/core
shift 2; exec "$@"
"""


def as_host(netns, name, *args, entry="netdev_budget"):
    assert os.stat(netns.path) != os.stat("/proc/self/ns/net")
    return netns.run(["unshare", "-m", "sh", "-ec", HOST, "sh", netns.dir / "core", entry, name, *args])


@pytest.mark.parametrize("entry", ["netdev_budget", "dev_weight", "netdev_max_backlog", "bpf_jit_enable"])
def test_any_entry_of_the_machines_own_namespace_tells_it(netns, entry):
    """Not every kernel has each of them: the last needs CONFIG_BPF_JIT."""
    assert pathlib.Path("/proc/sys/net/core", entry).exists() or entry == "bpf_jit_enable"
    assert netns.run(["test", "-e", f"/proc/sys/net/core/{entry}"]).returncode == 1
    before = netns.snapshot()
    refused(as_host(netns, lib.BINARY, "--sidecar", entry=entry), 77, "this is the machine's own", "--allow-host-netns")
    assert netns.snapshot() == before


@pytest.mark.parametrize("args", [["--sidecar"], ["apply", "--sidecar"], ["clean"], ["--cleanup-only"]])
def test_the_machines_own_namespace_is_refused(netns, backend, args):
    before = netns.snapshot()
    result = as_host(netns, lib.BINARY, *args, f"--backend={backend}")
    refused(result, 77, "--allow-host-netns")
    assert netns.snapshot() == before


def test_dry_run_works_everywhere(netns, backend):
    result = as_host(netns, lib.BINARY, "--dry-run", "--sidecar")
    assert lib.checked(result) == lib.checked(netns.istio_init("--dry-run", "--sidecar"))


def test_the_machines_own_namespace_may_be_allowed(netns, backend):
    lib.checked(as_host(netns, lib.BINARY, "--sidecar", f"--backend={backend}", "--allow-host-netns"))
    assert netns.has_istio("ipv4")


def test_as_upstream_a_machine_without_pods_is_only_warned(netns, backend):
    link = netns.dir / "istio-iptables"
    link.symlink_to(lib.BINARY)
    result = as_host(netns, link, "--sidecar", f"--backend={backend}")
    lib.checked(result)
    assert len(result.stderr.splitlines()) == 2
    result = as_host(netns, lib.BINARY, "istio-iptables", "--sidecar", f"--backend={backend}")
    lib.checked(result)


def test_as_upstream_a_node_with_pods_is_refused(netns, backend):
    with lib.Netns() as pod:
        netns.ip(f"link add veth0 type veth peer name eth0 netns {pod.path}")
        before = netns.snapshot()
        result = as_host(netns, lib.BINARY, "istio-iptables", "--sidecar", f"--backend={backend}")
        refused(result, 77, "--allow-host-netns")
        assert netns.snapshot() == before


def test_as_upstream_a_veth_pair_of_its_own_is_no_pod(netns, backend):
    netns.ip("link add veth0 type veth peer name veth1")
    lib.checked(as_host(netns, lib.BINARY, "istio-iptables", "--sidecar", f"--backend={backend}"))


# What keeps from telling whose namespace it is.
MASKS = {"no /proc": "mount -t tmpfs none /proc", "processes alone": "mount -t proc -o subset=pid proc /proc",
         "no sysctls": "mount -t tmpfs none /proc/sys", "an empty folder": "mount -t tmpfs none /proc/sys/net/core",
         "a folder of another kind": "mount --bind /proc/sys/kernel /proc/sys/net/core",
         "a look-alike": "mount -t tmpfs none /proc/sys/net/core; touch /proc/sys/net/core/somaxconn"}


def masked(mask):
    return ["unshare", "-m", "sh", "-ec", f'{MASKS[mask]}; exec "$@"', "sh"]


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("args", [["--sidecar"], ["clean"]])
def test_what_cannot_be_told_from_the_machines_own_namespace_is_refused(netns, mask, args):
    lib.checked(netns.istio_init("--sidecar", "-p", "16001", "--backend=nftables"))
    before = netns.snapshot()
    refused(netns.istio_init(*args, prefix=masked(mask)), 77, "may be the machine's own", "/proc", "--allow-host-netns")
    assert netns.snapshot() == before
    lib.checked(netns.istio_init("--dry-run", "--sidecar", prefix=masked(mask)))
    allowed = ["--sidecar", "--reconcile", "--backend=nftables", "--allow-host-netns"]
    lib.checked(netns.istio_init(*allowed, prefix=masked(mask)))
    lib.checked(netns.istio_init("diff", "--sidecar"))


@pytest.mark.parametrize("call, error", [("open", "EACCES"), ("getdents64", "EIO"), ("fstatfs", "EPERM")])
def test_a_list_that_a_policy_refuses_tells_nothing(netns, call, error):
    """Also one that breaks off: what it has not shown may be what counts."""
    before = netns.snapshot()
    for when in 1, 2:
        result = netns.istio_init("--sidecar", prefix=[
            "strace", "-qq", "-o", netns.dir / "trace", "-P", "/proc/sys/net/core", "-e",
            f"inject={call}:error={error}:when={when}"])
        if "INJECTED" not in (netns.dir / "trace").read_text():
            break
        refused(result, 77, "may be the machine's own", "--allow-host-netns")
        assert netns.snapshot() == before
    assert when == 2 or call == "getdents64"


def test_as_upstream_what_cannot_be_told_is_taken_for_the_machine(netns):
    upstream = ["istio-iptables", "--sidecar", "--backend=nftables"]
    result = netns.istio_init(*upstream, prefix=masked("no sysctls"))
    lib.checked(result)
    assert "warn: this may be the machine's initial network namespace" in result.stderr
    lib.checked(netns.istio_init("clean"))
    with lib.Netns() as pod:
        netns.ip(f"link add veth0 type veth peer name eth0 netns {pod.path}")
        before = netns.snapshot()
        refused(netns.istio_init(*upstream, prefix=masked("no sysctls")), 77, "--allow-host-netns")
        assert netns.snapshot() == before


# Root of a user namespace may change nothing in a network namespace that it does not own,
# whatever it tries: so these two can be shown in the machine's real one.
@pytest.fixture
def userns(tmp_path):
    """Runs commands as root of a fresh user namespace, in the network namespace of the machine."""
    holder = subprocess.Popen(["unshare", "-U", "sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE)
    holder.stdout.readline()
    for name in "uid_map", "gid_map":
        pathlib.Path(f"/proc/{holder.pid}/{name}").write_text("0 0 4294967295\n")

    def run(argv):
        enter = ["nsenter", f"--user=/proc/{holder.pid}/ns/user", "--"]
        return lib.run([*enter, *argv], env={"XTABLES_LOCKFILE": str(tmp_path / "lock")})

    yield run
    holder.kill()
    holder.communicate()


@pytest.mark.parametrize("command", ["apply", "clean"])
def test_the_real_namespace_of_the_machine(userns, backend, command):
    result = userns([lib.BINARY, command, "--sidecar", f"--backend={backend}"])
    assert result.returncode == 77 and "--allow-host-netns" in result.stderr


def test_from_the_machine_into_a_pod(userns, backend):
    """As root of the machine does by hand: the namespace that counts is the entered one."""
    pod = userns(["sh", "-c", "unshare -n sleep 60 >/dev/null 2>&1 & echo $!"]).stdout.strip()
    target = f"/proc/{pod}/ns/net"
    while lib.netns_id(target) == lib.HOME:
        time.sleep(0.01)
    try:
        lib.checked(userns([lib.BINARY, "--sidecar", f"--backend={backend}", f"--network-namespace={target}"]))
        rules = ""
        for tool in ["iptables-legacy-save"], ["nft", "list", "ruleset"]:
            rules += lib.checked(userns(["nsenter", f"--net={target}", *tool]))
        assert "istio_output" in rules.lower().replace("-", "_")
    finally:
        os.kill(int(pod), signal.SIGKILL)
