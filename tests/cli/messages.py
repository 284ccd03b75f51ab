# SPDX-License-Identifier: GPL-2.0-or-later
"""What a message has to be."""

import re


def assert_refused(result, name, item, status=64):
    assert (result.returncode, result.stdout) == (status, ""), result.stderr
    lines = result.stderr.splitlines()
    assert 1 <= len(lines) <= 2, lines
    assert result.stderr.endswith("\n")
    assert all(line.isprintable() and not line.endswith(": ") for line in lines), lines
    assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", lines[0]), lines
    assert item in lines[0], lines


def assert_warned(result, *words):
    """One warning that has all the words, and nothing else."""
    assert result.returncode == 0, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("istio-init: warn: "), lines
    assert all(word in lines[0] for word in words), lines
