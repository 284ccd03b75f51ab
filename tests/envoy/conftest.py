# SPDX-License-Identifier: GPL-2.0-or-later
"""One mesh, with its rules applied, for all tests of a backend and a mode that leave it as it is."""

import pathlib
import resource
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "traffic")]

import lib  # noqa: E402
import suite  # noqa: E402
from mesh import Mesh  # noqa: E402

suite.check_inside()

# A thousand connections and more, of which Envoy has both ends
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@pytest.fixture(scope="session", params=lib.BACKENDS)
def backend(request):
    return request.param


@pytest.fixture(scope="session", params=["REDIRECT", "TPROXY"])
def mode(request):
    return request.param


@pytest.fixture(params=lib.FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="session")
def mesh(backend, mode):
    with Mesh(backend, mode) as one:
        one.apply()
        yield one


@pytest.fixture(scope="session")
def dns_mesh(backend, mode):
    with Mesh(backend, mode, dns=True) as one:
        one.apply()
        yield one
