# SPDX-License-Identifier: GPL-2.0-or-later
"""--network-namespace: what is entered, by whom, and what is no network namespace."""

import fcntl
import os
import subprocess

import lib
import pytest

AS_NOBODY = ["setpriv", f"--reuid={lib.NOBODY}", f"--regid={lib.NOBODY}", "--clear-groups"]


@pytest.fixture
def pod():
    """The PID of a process of nobody's, root in a user namespace and in a network namespace of its own."""
    script = "ip link set lo up; echo; exec sleep 60"
    holder = subprocess.Popen([*AS_NOBODY, "unshare", "-Urn", "sh", "-c", script], stdout=subprocess.PIPE,
                              env={"PATH": lib.PATH})
    holder.stdout.readline()
    assert lib.netns_id(f"/proc/{holder.pid}/ns/net") != lib.HOME
    yield holder.pid
    holder.kill()
    holder.communicate()


def enter(netns, pod, *args, prefix=(), binary=lib.BINARY):
    """Started in another namespace, as nothing is ever started in the machine's own."""
    return netns.run([*prefix, binary, "--sidecar", f"--network-namespace=/proc/{pod}/ns/net", *args])


def rules(pod):
    return lib.checked(lib.run([*AS_NOBODY, "nsenter", f"--user=/proc/{pod}/ns/user", f"--net=/proc/{pod}/ns/net",
                                "--preserve-credentials", "nft", "list", "ruleset"]))


@pytest.mark.backends("nftables")
@pytest.mark.parametrize("prefix", [[], AS_NOBODY])
def test_a_pod_with_a_user_namespace(netns, pod, public, backend, prefix):
    """Root of the machine has rights in it; the user who owns it gets them on the way in."""
    before = netns.snapshot()
    lib.checked(enter(netns, pod, f"--backend={backend}", prefix=prefix, binary=public / "istio-init"))
    assert "redirect to :15001" in rules(pod)
    lib.checked(enter(netns, pod, "clean", prefix=prefix, binary=public / "istio-init"))
    assert rules(pod) == ""
    assert netns.snapshot() == before


@pytest.mark.parametrize("prefix, word", [
    (["capsh", "--drop=cap_sys_admin", "--shell=/usr/bin/env", "--"], "SYS_ADMIN"),
    (["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups"], "Permission denied")])
def test_without_the_right_to_enter(netns, pod, public, prefix, word):
    result = enter(netns, pod, prefix=prefix, binary=public / "istio-init")
    assert (result.returncode, result.stdout) == (77, "")
    assert word in result.stderr and "root" in result.stderr and len(result.stderr.splitlines()) == 2
    assert rules(pod) == ""


@pytest.mark.parametrize("path", ["/etc/passwd", "/", "/nonexistent", "/dev/null", "fifo", "x" * 5000, "a\nb",
                                  "/proc/self/ns/mnt", "/proc/self/ns/user"])
def test_what_is_no_network_namespace(netns, path):
    before = netns.snapshot()
    os.mkfifo(netns.dir / "fifo")
    result = netns.istio_init("--sidecar", f"--network-namespace={path}", cwd=netns.dir, timeout=10)
    assert (result.returncode, result.stdout) == (64, "")
    assert "--network-namespace" in result.stderr and len(result.stderr.splitlines()) == 2
    assert netns.snapshot() == before


def test_cni_mode_locks_the_namespace_and_not_the_node(netns):
    with lib.Netns() as target, open(netns.lock, "w", encoding="ascii") as node:
        fcntl.flock(node, fcntl.LOCK_EX)
        words = ["--sidecar", f"--network-namespace={target.path}", "--cni-mode", "--wait=200ms"]
        lib.checked(netns.istio_init(*words))
        with open(target.path, encoding="ascii") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            result = netns.istio_init("clean", *words[1:])
            assert result.returncode == 75 and "lock" in result.stderr


def test_without_a_lock_file_the_namespace_is_locked(netns):
    env = {"XTABLES_LOCKFILE": "/nonexistent/xtables.lock"}
    with open(netns.path, encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        result = netns.istio_init("--sidecar", "--wait=100ms", env=env)
        assert result.returncode == 75 and "/proc/self/ns/net" in result.stderr
    lib.checked(netns.istio_init("--sidecar", "--wait=100ms", env=env))


@pytest.mark.parametrize("prefix", [[], AS_NOBODY])
def test_cni_mode_locks_a_pod_with_a_user_namespace(netns, pod, public, prefix):
    """The lock is the namespace's own, by whatever path and with whatever rights it is entered."""
    words = ["--cni-mode", "--wait=100ms"]
    with open(netns.lock, "w", encoding="ascii") as node, open(f"/proc/{pod}/ns/net", encoding="ascii") as held:
        fcntl.flock(node, fcntl.LOCK_EX)
        fcntl.flock(held, fcntl.LOCK_EX)
        result = enter(netns, pod, *words, prefix=prefix, binary=public / "istio-init")
        assert result.returncode == 75 and rules(pod) == "", result.stderr
        fcntl.flock(held, fcntl.LOCK_UN)
        lib.checked(enter(netns, pod, *words, prefix=prefix, binary=public / "istio-init"))
    assert "redirect to :15001" in rules(pod)


@pytest.mark.parametrize("option", [["--network-namespace", "here"], {"NETWORK_NAMESPACE": "here"}])
def test_a_namespace_bound_to_a_file_is_entered_and_locked(netns, option):
    """As ip netns and CNI plugins name it; the lock is that of /proc/PID/ns/net all the same."""
    mount = ["unshare", "-m", "sh", "-ec", 'touch here; mount --bind "$0" here; exec "$@"']
    args, env = (option, {}) if isinstance(option, list) else ([], option)
    with lib.Netns() as target, open(target.path, encoding="ascii") as held:
        before = netns.snapshot()
        command = ["clean", *args, "--cni-mode", "--wait=100ms"]
        for words in ["--sidecar", *command[1:]], command:
            fcntl.flock(held, fcntl.LOCK_EX)
            assert netns.istio_init(*words, env=env, prefix=[*mount, target.path], cwd=netns.dir).returncode == 75
            fcntl.flock(held, fcntl.LOCK_UN)
            lib.checked(netns.istio_init(*words, env=env, prefix=[*mount, target.path], cwd=netns.dir))
            assert target.has_istio("ipv4") == (words != command)
        assert netns.snapshot() == before
