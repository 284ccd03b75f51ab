# SPDX-License-Identifier: GPL-2.0-or-later
"""One cluster for all tests, with the webhook in it; in the namespaces that tests/cluster/run has made."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), *(str(HERE.parent / room) for room in ("cri", "kubernetes", "envoy", "traffic"))]

import pytest  # noqa: E402
import suite  # noqa: E402
from cluster import Cluster  # noqa: E402
from shop import Shop  # noqa: E402

suite.check_inside()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    one = Cluster(tmp_path_factory.mktemp("cluster") / "cluster")
    yield one
    one.close()


@pytest.fixture(scope="session")
def shop(cluster):
    return Shop(cluster)
