# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens to a node while pods come and go: kills, restarts, a new version, many at once, a plugin that is not ready."""

import concurrent.futures
import shutil
import threading

import lib
import pytest
from node import refused, until

PODS = 50


def in_threads(function, items, threads=PODS):
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


def test_fifty_pods_at_once(node):
    """Every other is ours."""
    pods = in_threads(lambda i: (node.injected if i % 2 else node.pod)(f"web-{i}"), range(PODS))
    assert len(node.leases()) == PODS
    assert [pod.has_rules() for pod in pods] == [False, True] * (PODS // 2)
    in_threads(lambda pod: pod.remove(), pods)


# Killed at a call of each phase: what is read, the tables, the answer
@pytest.mark.parametrize("call, when", [("read", 1), ("setns", 1), ("sendto", 1), ("sendto", 2), ("setsockopt", 1), ("write", 1)])
def test_the_plugin_is_killed(node, call, when):
    """strace kills it as it enters a call: the pod fails, whatever was done, and the next one is whole."""
    node.configure(capture={"backend": "iptables-legacy"})
    program = node.bin / "istio-init-cni"
    whole = node.dir / "istio-init-cni"
    program.rename(whole)
    program.write_text(f"""#!/bin/sh
[ "$CNI_COMMAND" = ADD ] || exec {whole}
exec strace -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={when} {whole}
""")
    program.chmod(0o755)
    try:
        assert "killed" in refused(node.injected, "web")
    finally:
        whole.rename(program)
    node.clear()
    assert node.injected("web").has_rules()


def test_containerd_is_killed_and_started_again(node):
    """Pods run on with their rules; new ones get theirs; the old ones are taken away as ever."""
    old = node.injected("old")
    node.kill()
    node.start()
    assert old.is_ready() and old.has_rules()
    assert node.injected("new").has_rules()
    old.remove()


def test_a_new_version_under_load(node, tmp_path):
    """The plugin's file is replaced all the time while pods start: each has its rules, and none sees half a file."""
    versions = [tmp_path / "a", tmp_path / "b"]
    for number, path in enumerate(versions):
        shutil.copy(lib.BINARY, path)
        with open(path, "ab") as file:
            file.write(b"\0" * number)
    stop, times = threading.Event(), 0
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        work = [pool.submit(lambda first: [node.injected(f"web-{i}") for i in range(first, first + 5)], 5 * n) for n in range(4)]

        def upgrade():
            count = 0
            while not stop.is_set():
                node.install(versions[count % 2])
                count += 1
            return count
        upgrades = pool.submit(upgrade)
        try:
            pods = [pod for one in work for pod in one.result()]
        finally:
            stop.set()
        times = upgrades.result()
    assert all(pod.has_rules() for pod in pods) and len(pods) == 20 < times
    assert sorted(path.name for path in node.bin.iterdir()) == ["host-local", "istio-init-cni", "loopback", "ptp"]


def test_taken_out_and_put_in_again(node):
    old = node.injected("old")
    lib.checked(lib.run([lib.BINARY, "cni-uninstall", "--conf-dir", node.conf, "--bin-dir", node.bin]))
    node.wait_for_network()
    assert not node.injected("between").has_rules()
    assert old.has_rules()
    node.install()
    node.wait_for_network()
    assert node.injected("new").has_rules()
    node.clear()


def test_a_plugin_that_could_not_work_makes_the_node_not_ready(current):
    """STATUS, which containerd 2 asks where the list is of CNI 1.1.0."""
    assert current.runtime.network_ready() == (True, "")
    current.edit_entry(capture={"bakend": "auto"})
    ready, message = until(lambda: not current.runtime.network_ready()[0] and current.runtime.network_ready())
    assert not ready and "capture.bakend" in message
    current.configure()
    until(lambda: current.runtime.network_ready()[0])
    assert current.injected("web").has_rules()
