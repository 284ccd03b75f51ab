# SPDX-License-Identifier: GPL-2.0-or-later
"""What make does with a packager's environment, with sources that go, and where something is missing."""

import os
import pathlib
import shutil

import lib
import pytest

# As a package build sets them; -O0, since it compiles fastest.
PACKAGER = {"CC": "gcc", "CFLAGS": "-O0 -g -DPACKAGER=1", "CPPFLAGS": "-D_FORTIFY_SOURCE=2",
            "LDFLAGS": "-Wl,-z,relro -Wl,-z,now"}
AS_NOBODY = ["setpriv", f"--reuid={lib.NOBODY}", "--clear-groups"]


def make(tree, *args, env=None):
    return lib.run(["make", "--no-print-directory", "-C", tree, f"-j{os.cpu_count()}", *args], env=env, timeout=300)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the sources and of the libraries, no repository, built with a packager's environment."""
    copy = tmp_path_factory.mktemp("make") / "tree"
    copy.mkdir()
    for name in ("Makefile", ".ci", "src", "include", "man"):
        source = lib.ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
    shutil.copytree(lib.ROOT / "build/lib/musl", copy / "build/lib/musl", symlinks=True)
    lib.checked(make(copy, "V=1", env=PACKAGER))
    return copy


def test_environment_adds_to_what_the_program_needs(tree):
    """What CC, CFLAGS and the like say is used, and the program is still a static-pie of musl's."""
    flags = (tree / "build/obj/musl/flags").read_text()
    assert flags.startswith("gcc -specs ") and "-O0 -g -DPACKAGER=1" in flags and "-fstack-protector-strong" in flags
    assert "static-pie" in lib.checked(lib.run(["file", tree / "build/istio-init"]))
    assert lib.run([tree / "build/istio-init", "--version"]).returncode == 0


def test_nothing_is_done_twice(tree):
    assert lib.checked(make(tree, env=PACKAGER)) == ""


def test_source_that_comes_and_goes_links_anew(tree):
    source = tree / "src/base/passing.c"
    source.write_text("extern int passing;\nint passing;\n")
    programs = ["  LD build/istio-init", "  LD build/istio-inject"]
    assert sorted(lib.checked(make(tree, env=PACKAGER)).splitlines()) == ["  CC build/obj/musl/src/base/passing.o", *programs]
    source.unlink()
    assert sorted(lib.checked(make(tree, env=PACKAGER)).splitlines()) == programs


def test_install_follows_the_environment(tree, tmp_path):
    env = {**PACKAGER, "PREFIX": "/opt/mesh", "DESTDIR": str(tmp_path)}
    lib.checked(make(tree, "install", env=env))
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()}
    assert {"opt/mesh/sbin/istio-init", "opt/mesh/share/man/man8/istio-init.8",
            "opt/mesh/share/istio-init/istio-init.schema.json"} <= files
    assert all(name.startswith("opt/mesh/") for name in files)


@pytest.mark.parametrize("tools", [None, "make mkdir sh nproc gcc cmp".split()], ids=["no repository", "no git"])
def test_dist_says_what_it_needs(tree, tmp_path, tools):
    if tools:
        for tool in tools:
            (tmp_path / tool).symlink_to(shutil.which(tool, path=lib.PATH))
    result = make(tree, "dist", env={**PACKAGER, "PATH": str(tmp_path) if tools else lib.PATH})
    assert result.returncode != 0
    assert result.stderr.splitlines()[0] == "dist: needs git and a clone of the repository"
    assert not list(tree.glob("build/*.tar*"))


@pytest.fixture(scope="module")
def no_sudo():
    """A PATH without sudo that others may use, too."""
    path = lib.public_dir()
    for folder in map(pathlib.Path, lib.PATH.split(":")):
        for tool in folder.iterdir():
            if tool.name != "sudo" and not (path / tool.name).exists():
                (path / tool.name).symlink_to(tool)
    yield str(path)
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def readable():
    """The scripts where everybody may read them."""
    path = lib.public_dir()
    shutil.copy(lib.ROOT / "Makefile", path)
    shutil.copytree(lib.ROOT / ".ci", path / ".ci")
    shutil.copytree(lib.ROOT / "tests", path / "tests", ignore=shutil.ignore_patterns("corpus", "golden"))
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize("target", ["demo", "bench", "check", "check-faults", "check-pod", "check-cri", "check-envoy", "check-fresh"])
def test_without_root_and_sudo(readable, no_sudo, target):
    """One line, before anything is built."""
    result = lib.run([*AS_NOBODY, "make", "-C", readable, "--no-print-directory", target], env={"PATH": no_sudo})
    first, *rest = result.stderr.splitlines()
    assert first.startswith("as-root: this needs root"), result.stderr
    assert len(rest) == 1 and rest[0].endswith("Error 77"), result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("script", [
    ".ci/image", "tests/demo", "tests/run", "tests/bench/run", "tests/e2e/run", "tests/fresh/run"])
def test_script_without_root_and_sudo(readable, no_sudo, script):
    result = lib.run([*AS_NOBODY, readable / script], env={"PATH": no_sudo})
    assert result.returncode == 77, result
    assert result.stderr.startswith("as-root: this needs root") and result.stderr.count("\n") == 1
