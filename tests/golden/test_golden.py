# SPDX-License-Identifier: GPL-2.0-or-later
"""The dry run's text, byte by byte, without privileges and without an environment."""

import pathlib

import configs
import lib
import pytest

GOLDEN = {path.stem: path.read_bytes() for path in pathlib.Path(__file__).parent.glob("*.txt")}


def test_every_configuration_has_a_text():
    assert set(GOLDEN) == set(configs.NAMED)


@pytest.mark.parametrize("name", configs.NAMED)
def test_dry_run(name, public):
    args, env = configs.command_line(configs.NAMED[name], public)
    command = ["setpriv", f"--reuid={lib.NOBODY}", f"--regid={lib.NOBODY}", "--clear-groups",
               "env", "-i", *(f"{variable}={value}" for variable, value in env.items()), public / "istio-init"]
    result = lib.run([*command, "--dry-run", *args], text=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout == GOLDEN[name]
