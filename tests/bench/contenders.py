# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmarks have in common: commands of the stock tools as istio-iptables runs them, and how commands are timed."""

import os
import shutil
import statistics
import subprocess

import lib

FLAVOURS = {flavour: {"ipv4": f"iptables-{flavour}", "ipv6": f"ip6tables-{flavour}"} for flavour in ("legacy", "nft")}


def tool(name):
    return shutil.which(name, path=lib.PATH)


def restores(tools, files, *args):
    return [(files[family], [tool(f"{name}-restore"), *args]) for family, name in tools.items()]


def istio_iptables(tools, files):
    """What istio-iptables runs today with FORCE_IPTABLES_BINARY set, the shortest way through it.

    Per family it lists the rules, asks for the version and adds and deletes a rule in table filter to see
    whether the binary works; then it lists both families to find leftovers, restores each, and lists both.
    """
    probe = "-t filter -{} INPUT -p 255 -j DROP".format
    detect = []
    for name in tools.values():
        detect += [[tool(f"{name}-save")], [tool(f"{name}-save"), "--version"],
                   [tool(name), *probe("A").split()], [tool(name), *probe("D").split()]]
    saves = [[tool(f"{name}-save")] for name in tools.values()]
    commands = [("/dev/null", command) for command in detect + saves]
    return commands + restores(tools, files, "--noflush", "--wait=30") + [("/dev/null", command) for command in saves]


def compile_c(target, *args):
    subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-o", target, *args], check=True)
    return target


def measure(timed, rounds, contenders, env, pick=statistics.median):
    """{contender: what is picked of all times, wall and CPU, in microseconds}"""
    spec = ""
    for name, commands in contenders.items():
        spec += f"={name}\n" + "".join("\t".join([str(source), *command]) + "\n" for source, command in commands)
    out = lib.checked(lib.run([timed, rounds], input=spec, env=env, timeout=600))
    samples = {name: [] for name in contenders}
    for line in out.splitlines():
        name, wall, cpu = line.rsplit(" ", 2)
        samples[name].append((float(wall), float(cpu)))
    return {name: tuple(pick(column) for column in zip(*rows)) for name, rows in samples.items()}
