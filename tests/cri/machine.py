# SPDX-License-Identifier: GPL-2.0-or-later
"""Network, PID and mount namespaces with their state in a tmpfs, for a script that runs container runtimes or a kubelet."""

import contextlib
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
AS_ROOT = ROOT / ".ci/as-root"
CGROUPS = pathlib.Path("/sys/fs/cgroup")
# All pods of the tests are in this one.
CGROUP = "istio-init-cri"
# What the kernel itself changes all the time
COUNTERS = re.compile(r"fs/(dentry-state|file-nr|inode-(nr|state)|quota/.*)|net/.*_count|"
                      r"kernel/(ns_last_pid|pty/nr|random/.*|sched_domain/.*)")
# Where runtimes and plugins write if they are not told otherwise
FOLDERS = ["/etc/cni", "/etc/kubernetes", "/opt/cni", "/opt/containerd", "/run/containerd", "/run/netns", "/usr/libexec/kubernetes",
           "/var/lib/cni", "/var/lib/containerd", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods"]
PROGRAMS = ("containerd", "kubelet", "kubernetes")
# What a whole node needs beside a runtime: programs in build/, and their names
NODE = [("kubernetes/kubernetes", "API server"), ("kubernetes/kubelet", "kubelet"), ("envoy/envoy/_bin/envoy", "Envoy")]

# How runtimes name what they make: by themselves, their namespace, a network, or the number of a sandbox or a container
THEIRS = re.compile(rf"{CGROUP}|containerd|k8s|cni-|[0-9a-f]{{64}}")


def settings():
    """Every sysctl that can be read."""
    found = {}
    for path in pathlib.Path("/proc/sys").rglob("*"):
        name = str(path.relative_to("/proc/sys"))
        if path.is_file() and not COUNTERS.fullmatch(name):
            try:
                found[f"sysctl {name}"] = path.read_text(errors="replace")
            except OSError:
                pass
    return found


def processes():
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if pathlib.PurePath(command.split(" ")[0]).name.startswith(PROGRAMS):
            found.append(f"process {path.parent.name}: {command}")
    return found


def machine():
    """What a runtime could leave behind: {what: its value}."""
    mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    names = [f"mount {line.split()[4]}" for line in mounts] + [f"cgroup {path}" for path in CGROUPS.rglob("*/")]
    names = [name for name in names if THEIRS.search(name)] + processes()
    names += [f"file {path}" for folder in FOLDERS if os.path.exists(folder)
              for path in (folder, *pathlib.Path(folder).rglob("*"))]
    return settings() | dict.fromkeys(names, "")


def prepare():
    """Inside: empty folders in memory, and one kind of control groups."""
    for folder in ("/run", "/var/lib", "/var/log"):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    os.mkdir("/run/netns")
    # On a machine that has both kinds, only the first has controllers.
    if (CGROUPS / "unified").is_mount():
        subprocess.run(["umount", CGROUPS / "unified"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.environ["TMPDIR"] = "/run"


def run_inside(script, args):
    """Runs a script again with --inside before its arguments; returns its status, and what it has left behind."""
    before = machine()
    status = subprocess.run(["unshare", "--mount", "--mount-proc", "--net", "--pid", "--fork", "--kill-child", "--",
                             sys.executable, script, "--inside", *args], check=False).returncode
    # Empty now that all processes are dead: the deepest first.
    for name in sorted(machine().keys() - before.keys(), reverse=True):
        if name.startswith("cgroup "):
            with contextlib.suppress(OSError):
                os.rmdir(name.removeprefix("cgroup "))
    after = machine()
    return status, [name for name in sorted(after) if before.get(name) != after[name]]


def main(script, inside, *programs):
    """What a script does: @inside with its arguments in there, as root.  Exits with its status, or 1 if anything is left.

    @programs: what make has built beside the runtimes, with the name of what each is.
    """
    args, name = sys.argv[1:], pathlib.Path(script).resolve().parent.name
    if os.geteuid() != 0:
        os.execv(AS_ROOT, [AS_ROOT, script, *args])
    for path, what in (("cri/bin/libcni", "containerd"), *programs):
        if not (ROOT / "build" / path).is_file():
            print(f"{name}: no {what} in build/; make check-{name} brings it", file=sys.stderr)
            sys.exit(77)
    if args[:1] == ["--inside"]:
        prepare()
        sys.exit(inside(args[1:]))
    status, left = run_inside(script, args)
    for what in left:
        print(f"{name}: left behind, or changed: {what}")
    return status or bool(left)
