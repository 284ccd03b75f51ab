# SPDX-License-Identifier: GPL-2.0-or-later
"""The runner of the tests: a skip is red in CI, a failure tells its reason and how to run it again."""

import shutil

import lib
import pytest

SKIPS = {
    "test": "import pytest\ndef test_it():\n    pytest.skip('not here')\n",
    "marker": "import pytest\n@pytest.mark.skip(reason='not here')\ndef test_it():\n    pass\n",
    "module": "import pytest\npytest.skip('not here', allow_module_level=True)\n",
}


@pytest.fixture
def run(tmp_path):
    """Runs a command in a tree that has the runner and CI's, and one file of tests."""
    for name in (".ci/run", ".ci/as-root", "tests/run", "tests/conftest.py", "tests/lib.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(lib.ROOT / name, tmp_path / name)

    def run_it(text, *command, env=None):
        (tmp_path / "tests/test_made.py").write_text(text)
        return lib.run(command, cwd=tmp_path, env={"ISTIO_INIT": str(lib.BINARY), **(env or {})})

    return run_it


@pytest.mark.parametrize("text", SKIPS.values(), ids=list(SKIPS))
def test_a_skip_is_red_in_ci(run, text):
    result = run(text, ".ci/run", "tests/run -v")
    assert result.returncode == 1, result.stdout
    assert "skipped in CI: " in result.stdout and "not here" in result.stdout
    assert result.stdout.splitlines()[-1] == "0 passed, 1 failed"
    assert result.stderr.splitlines()[-1] == "ci: tests/run -v failed"


def test_a_skip_is_a_skip_elsewhere(run):
    result = run(SKIPS["test"] + "def test_other():\n    pass\n", "tests/run", "-v")
    assert result.returncode == 0, result.stdout
    assert result.stdout.splitlines()[-1] == "1 passed, 0 failed"


FAILS = """
import pathlib
import time
import pytest

@pytest.mark.parametrize("word", ["$a b", "c"])
def test_bad(word):
    assert word == "d"

def test_good():
    time.sleep(1)
    pathlib.Path("done").touch()
"""


def test_a_failure_says_why_at_once_and_how_to_run_it_again(run):
    lines = run(FAILS, "tests/run", "-n0").stdout.splitlines()
    again = "To run it again: make check K='tests/test_made.py::test_bad[$$a b]'"
    assert lines.index('E       AssertionError: assert \'$a b\' == \'d\'') < lines.index(again)
    # Once, and before the end.
    assert sum(line.startswith("E       AssertionError: assert '$a b'") for line in lines) == 1
    assert lines.index(again) < next(i for i, line in enumerate(lines) if "short test summary" in line)


@pytest.mark.parametrize("name,last", [
    ("tests/test_made.py::test_bad[$a b]", "0 passed, 1 failed"), ("good", "1 passed, 0 failed"),
    ("bad", "0 passed, 2 failed"), ("nowhere", "0 passed, 1 failed")])
def test_k_names_the_tests(run, name, last):
    result = run(FAILS, "tests/run", "-n0", env={"K": name})
    assert result.stdout.splitlines()[-1] == last
    assert result.returncode == (0 if name == "good" else 1)
