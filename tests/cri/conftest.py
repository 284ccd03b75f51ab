# SPDX-License-Identifier: GPL-2.0-or-later
"""Nodes, started when the first test needs them; all in the namespaces that tests/cri/run has made."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import lib  # noqa: E402
import suite  # noqa: E402
from node import KINDS, Node  # noqa: E402

suite.check_inside()

figures = []


@pytest.fixture(scope="session")
def nodes(tmp_path_factory):
    """A function: kind → node."""
    started = {}

    def node(kind):
        if kind not in started:
            started[kind] = Node(tmp_path_factory.mktemp("node") / kind, kind)
            figures.append(f"{kind}: containerd {started[kind].runtime.version()}")
        return started[kind]
    yield node
    for one in started.values():
        one.close()


def cleared(node):
    node.configure()
    yield node
    node.clear()


@pytest.fixture(params=KINDS)
def node(request, nodes):
    yield from cleared(nodes(request.param))


@pytest.fixture
def current(nodes):
    """One that knows of STATUS."""
    yield from cleared(nodes("current"))


def pytest_terminal_summary(terminalreporter):
    for line in figures:
        terminalreporter.write_line(f"cri: {line}")
