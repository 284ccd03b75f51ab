# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests share: one fresh network namespace a test, and no silent skips."""

import os
import pathlib
import shlex
import shutil
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent

sys.path[:0] = [str(TESTS), *(str(TESTS / room) for room in ("cli", "cni", "inject", "kernel", "oracle", "traffic"))]

import lib  # noqa: E402

# Suites of their own, with runners of their own
collect_ignore = [str(path.parent) for path in TESTS.glob("*/conftest.py") if (path.parent / "run").exists()]


class Reasons:
    """Says why a test has failed as soon as it has, and how to run it again, where pytest alone does at the end."""

    def __init__(self, config):
        self.config = config

    def pytest_runtest_logreport(self, report):
        if report.failed:
            terminal = self.config.pluginmanager.getplugin("terminalreporter")
            name = os.path.relpath(self.config.rootpath / report.nodeid, TESTS.parent)
            again = shlex.quote(name.replace("$", "$$"))  # make's way to write one
            terminal.ensure_newline()
            terminal.section(report.nodeid, "_")
            for text in (report.longreprtext, *(f"-- {title}\n{text}" for title, text in report.sections)):
                terminal.write_line(text)
            terminal.write_line(f"To run it again: make check K={again}", bold=True)

    def pytest_collectreport(self, report):
        self.pytest_runtest_logreport(report)

    def pytest_sessionfinish(self):
        self.config.option.tbstyle = "no"


def pytest_configure(config):
    config.addinivalue_line("markers", "backends(*names): the only backends that the test is about")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reasons(config))


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


def fail_skipped(report):
    """In CI (where CI is set, to whatever) a test that is skipped has failed."""
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    fail_skipped((yield).get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report():
    fail_skipped((yield).get_result())


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
