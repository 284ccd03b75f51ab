# SPDX-License-Identifier: GPL-2.0-or-later
"""The sessions of deploy/ci.md are what a shell prints, as nobody in particular."""

import os
import re

import lib

PAGE = lib.ROOT / "deploy/ci.md"


def sessions():
    """(command, output) in order: of the whole page, as one command's files are the next one's."""
    for block in re.findall(r"(?ms)^```\n(\$ .*?)^```$", PAGE.read_text(encoding="utf-8")):
        yield from re.findall(r"(?m)^\$ (.*)\n((?:(?!\$ ).*\n)*)", block)


def test_sessions(public):
    outputs = dict(sessions())
    (public / "options").write_text(outputs["cat options"], encoding="ascii")
    (public / "ticket").write_text(outputs["cat ticket"], encoding="ascii")
    os.chown(public, lib.NOBODY, lib.NOBODY)
    for name in "options", "ticket":
        os.chown(public / name, lib.NOBODY, lib.NOBODY)
    assert len(outputs) == 12
    shell = ["setpriv", f"--reuid={lib.NOBODY}", f"--regid={lib.NOBODY}", "--clear-groups", "sh", "-c"]
    for command, output in sessions():
        said = lib.run([*shell, f"exec 2>&1; PATH={public}:$PATH; {command}"], cwd=public)
        assert said.stdout == output, command
