# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion, as each shell itself does it, by the files that make install puts into place."""

import os
import pty
import re
import select
import subprocess
import time

import lib
import pytest

SHELLS = ("bash", "zsh", "fish")
LONG = re.compile(r"^ {2,6}(?:-\w, )?--([\w-]+)", re.MULTILINE)


@pytest.fixture(scope="module", name="installed")
def fixture_installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    lib.checked(lib.run(["make", "-C", lib.ROOT, f"DESTDIR={root}", "PREFIX=/usr", "install"], timeout=300))
    share = root / "usr/share"
    return {"bash": share / "bash-completion/completions/istio-init", "zsh": share / "zsh/site-functions/_istio-init",
            "fish": share / "fish/vendor_completions.d/istio-init.fish"}


def bash(installed, *words):
    script = f"""source {installed["bash"]}
        compopt() {{ :; }}
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _istio_init; printf '%s\n' "${{COMPREPLY[@]}}" """
    return lib.checked(lib.run(["bash", "-uc", script, "bash", "istio-init", *words])).split()


def fish(installed, *words):
    line = " ".join(["istio-init", *words])
    out = lib.checked(lib.run(["fish", "--no-config", "-c", f"source {installed['fish']}; complete -C '{line}'"]))
    return [shown.split("\t")[0] for shown in out.splitlines()]


def zsh(installed, *words):
    """What stands in zsh's line after the key Tab."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-fi"], {"PATH": lib.PATH, "TERM": "vt100", "PS1": "", "HOME": "/nonexistent"})
    try:
        setup = f"fpath=({installed['zsh'].parent} $fpath); autoload -Uz compinit; compinit -uD; stty -echo; echo rea''dy\n"
        os.write(terminal, setup.encode())
        read_until(terminal, b"ready")
        os.write(terminal, " ".join(["istio-init", *words]).encode() + b"\t")
        time.sleep(0.5)
        os.write(terminal, b"\x01echo '<\x05>'\n")
        out = read_until(terminal, b">\r\n")
    finally:
        os.kill(pid, 9)
        os.close(terminal)
        os.waitpid(pid, 0)
    return re.findall(r"<istio-init (.*?) ?>\r\n", out.decode())[-1]


def read_until(terminal, mark):
    out, end = b"", time.monotonic() + 20
    while mark not in out:
        assert select.select([terminal], [], [], max(end - time.monotonic(), 0))[0], out
        out += os.read(terminal, 65536)
    return out


@pytest.mark.parametrize("shell", SHELLS)
def test_syntax(installed, shell):
    lib.checked(lib.run([shell, "-n", installed[shell]]))


def options_of(*command):
    return {f"--{name}" for name in LONG.findall(lib.checked(lib.run([lib.BINARY, "help", *command])))}


@pytest.mark.parametrize("complete", [bash, fish], ids=["bash", "fish"])
@pytest.mark.parametrize("command", ["apply", "diff", "show", "clean", "explain", "help", "version"])
def test_a_command_has_its_own_options_and_no_others(installed, complete, command):
    assert {shown.rstrip("=") for shown in complete(installed, command, "--")} == options_of(command)


@pytest.mark.parametrize("complete", [bash, fish], ids=["bash", "fish"])
def test_no_command_is_apply(installed, complete):
    assert len(options_of("apply")) > 40
    assert {shown.rstrip("=") for shown in complete(installed, "--")} == options_of("apply")
    assert {shown.rstrip("=") for shown in complete(installed, "-n", "show", "--c")} == {"--counters"}


@pytest.mark.parametrize("complete", [bash, fish], ids=["bash", "fish"])
def test_commands(installed, complete):
    commands = {"apply", "diff", "show", "clean", "explain", "cni-install", "cni-uninstall", "help", "version"}
    assert set(complete(installed, "")) == commands
    assert set(complete(installed, "help", "")) == commands
    assert not set(complete(installed, "clean", "")) & commands


@pytest.mark.parametrize("complete", [bash, fish], ids=["bash", "fish"])
def test_values(installed, complete, tmp_path):
    (tmp_path / "one").touch()
    (tmp_path / "two").touch()
    assert set(complete(installed, "--backend", "")) == {"auto", "nftables", "iptables-nft", "iptables-legacy"}
    assert set(complete(installed, "-m", "")) == {"REDIRECT", "TPROXY"}
    assert set(complete(installed, "-x", f"@{tmp_path}/")) == {f"@{tmp_path}/one", f"@{tmp_path}/two"}
    assert complete(installed, "--resolv-conf", f"{tmp_path}/o") == [f"{tmp_path}/one"]
    assert "lo" in complete(installed, "--istio-exclude-interfaces", "")
    assert complete(installed, "cl") == ["clean"]


def test_bash_splits_at_the_equals_sign(installed):
    assert bash(installed, "--ipv6", "=") == ["auto", "on", "off"]
    assert bash(installed, "--ipv6", "=", "o") == ["on", "off"]


def test_zsh(installed):
    assert zsh(installed, "--backend=nf") == "--backend=nftables"
    assert zsh(installed, "-m", "TP") == "-m TPROXY"
    assert zsh(installed, "exp") == "explain"
    assert zsh(installed, "help", "cl") == "help clean"
    assert zsh(installed, "show", "--co") == "show --counters"
    assert zsh(installed, "clean", "--co") == "clean --co"
    assert zsh(installed, "--istio-service-exc") == "--istio-service-exclude-cidr"


@pytest.mark.parametrize("complete", [bash, fish], ids=["bash", "fish"])
def test_the_words_of_a_packet_are_those_of_explain(installed, complete):
    words = set(complete(installed, "explain", ""))
    assert {"in", "out", "traffic"} < words
    for key in words - {"in", "out", "traffic"}:
        result = lib.run([lib.BINARY, "explain", "--sidecar", "out", f"{key}?"])
        assert "expected in or out" not in result.stderr
