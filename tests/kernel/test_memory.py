# SPDX-License-Identifier: GPL-2.0-or-later
"""The sanitizers and valgrind find nothing in whole runs of the program."""

import re

import configs
import lib
import pytest

SANITIZED = lib.ROOT / "build/san/istio-init"
DYNAMIC = lib.ROOT / "build/dyn/istio-init"
UNIT = lib.ROOT / "build/unit-dyn/run-unit"
VALGRIND = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite"]
# What the configurations of the unit tests point to.
SUPPRESSIONS = "".join(f"{{\n   config\n   Memcheck:Leak\n   ...\n   fun:{maker}\n   ...\n}}\n"
                       for maker in ("cli_parse", "parse_line"))


def clean(result, *statuses):
    assert result.returncode in statuses, result.stderr
    assert not re.search(r"Sanitizer|runtime error|==\d+==", result.stderr), result.stderr


def life(netns, command, args, env, backend):
    """Dry run, apply, the same again, other rules, a bad value."""
    args = [*args, f"--backend={backend}"]
    clean(netns.run([*command, "--dry-run", *args], env=env), 0)
    clean(netns.run([*command, *args], env=env), 0)
    clean(netns.run([*command, *args], env=env), 0)
    clean(netns.run([*command, *args, "-o", "9"], env=env), 1)
    clean(netns.run([*command, *args, "-x", "1.2.3.4,no-address"], env=env), 64)


@pytest.mark.parametrize("name", configs.NAMED)
def test_sanitizers(netns, name, backend, tmp_path):
    args, env = configs.command_line(configs.NAMED[name], tmp_path)
    life(netns, [SANITIZED], args, env, backend)


@pytest.mark.parametrize("name", ["sidecar", "tproxy-dns", "exclude-ports-for-uids", "virt-and-exclude"])
def test_valgrind(netns, name, backend, tmp_path):
    args, env = configs.command_line(configs.NAMED[name], tmp_path)
    life(netns, [*VALGRIND, DYNAMIC], args, env, backend)


def test_valgrind_of_the_unit_tests(netns, tmp_path):
    suppressions = tmp_path / "suppressions"
    suppressions.write_text(SUPPRESSIONS)
    result = netns.run([*VALGRIND, f"--suppressions={suppressions}", UNIT],
                       env={"CK_FORK": "no", "CK_EXCLUDE_TAGS": "kernel", "ISTIO_INIT_PART": "7"}, timeout=900)
    assert result.returncode == 0, result.stdout + result.stderr
