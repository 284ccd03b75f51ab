# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests share: one fresh network namespace a test, and no silent skips."""

import os
import pathlib
import shutil
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent

sys.path[:0] = [str(TESTS), *(str(TESTS / room) for room in ("oracle", "traffic"))]

import lib  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "backends(*names): the only backends that the test is about")


def pytest_generate_tests(metafunc):
    """A test that takes a backend runs once on each of those that are built."""
    if "backend" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("backends")
        metafunc.parametrize("backend", [name for name in lib.BACKENDS if not marker or name in marker.args])


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("the tests make network namespaces and need root", returncode=1)
    if lib.missing_tools():
        pytest.exit(f"the tests need: {' '.join(lib.missing_tools())}", returncode=1)
    if not lib.BINARY.is_file():
        pytest.exit(f"{lib.BINARY} is not built", returncode=1)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI a test that is skipped has failed."""
    report = (yield).get_result()
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"


@pytest.fixture
def netns():
    with lib.Netns() as fresh:
        yield fresh


@pytest.fixture(scope="session")
def public():
    """A directory for files that nobody has to read, with a copy of the program in it."""
    path = lib.public_dir()
    shutil.copy(lib.BINARY, path / "istio-init")
    yield path
    shutil.rmtree(path)
