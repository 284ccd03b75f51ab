# SPDX-License-Identifier: GPL-2.0-or-later
"""One namespace for all calls of a file that must not change it."""

import lib
import pytest


@pytest.fixture(scope="module")
def room():
    """One namespace for all refusals, and how it looked before the first."""
    with lib.Netns() as netns:
        netns.before = netns.snapshot()
        yield netns
        assert netns.snapshot() == netns.before
