# SPDX-License-Identifier: GPL-2.0-or-later
"""API servers, started when the first test needs them; all in the namespaces that tests/kubernetes/run has made."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "oracle")]

import apiserver  # noqa: E402
import lib  # noqa: E402
import suite  # noqa: E402
from both import Both  # noqa: E402
from installation import Installation  # noqa: E402
from rival import Rival  # noqa: E402

suite.check_inside()

# That of the modules, and the newest without the policy
VERSIONS = {"current": None, "1.35": "1.35"}
figures = []


@pytest.fixture(scope="session", autouse=True)
def network():
    """Addresses of a node, and a route for those of services."""
    for words in ("link set lo up", f"addr add {apiserver.ADDRESS}/32 dev lo",
                  f"route add 10.96.0.0/16 dev lo src {apiserver.ADDRESS}"):
        lib.checked(lib.run(["ip", *words.split()]))


@pytest.fixture(scope="session")
def servers(network, tmp_path_factory):
    """A function: version → API server."""
    started = {}

    def server(name):
        if name not in started:
            directory = tmp_path_factory.mktemp("server") / name
            started[name] = apiserver.ApiServer(directory, 6443 + 10 * len(started), VERSIONS[name])
            started[name].api.account("default", "default")
            figures.append(f"API server {name}: ready after {started[name].seconds:.1f} s")
        return started[name]
    yield server
    for one in started.values():
        one.close()


@pytest.fixture
def server(servers):
    return servers("current")


@pytest.fixture
def api(server):
    return server.api


@pytest.fixture(scope="session")
def rival(network, tmp_path_factory):
    other = Rival(tmp_path_factory.mktemp("rival"))
    yield other
    other.close()


@pytest.fixture
def install():
    """A function that makes an Installation; each ends with the test, in a directory that others may enter."""
    made = []

    def one(server, **kwargs):
        directory = lib.public_dir()
        made.append(Installation(server, directory, **kwargs))
        return made[-1].apply()
    yield one
    for installation in reversed(made):
        installation.close()


@pytest.fixture
def both(server, install):
    """A function that makes a Both."""
    made = []

    def one(text, revision):
        made.append(Both(server, install, text, revision))
        return made[-1]
    yield one
    for each in made:
        each.close()


@pytest.fixture
def figure():
    """A function that has a line printed at the end."""
    return figures.append


def pytest_terminal_summary(terminalreporter):
    for line in figures:
        terminalreporter.write_line(f"kubernetes: {line}")
