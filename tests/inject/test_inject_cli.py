# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of istio-inject."""

import injection
import lib
import pytest

WRONG = [
    (["chek"], 'unknown command "chek"; the nearest is check'),
    (["app.yaml"], 'unknown command "app.yaml"; files are given by -f, --help lists the commands'),
    (["check", "inject"], "two commands, check and inject: expected one"),
    (["--ouput=json"], 'unknown option "--ouput=json"; the nearest is --output'),
    (["--zzz"], 'unknown option "--zzz"; --help lists them'),
    (["-x"], 'unknown option "-x"; --help lists them'),
    (["-o", "xml"], '--output (-o): "xml": expected yaml|json|patch|diff'),
    (["check", "-o", "yaml"], '--output (-o): "yaml": expected text|json'),
    (["-c"], "--config (-c) needs a value: FILE"),
    (["-c", "-f"], '--config (-c) needs a value: FILE, and "-f" is an option'),
    (["--show-rules"], "--show-rules does not go with the command inject"),
    (["check", "--show-rules=maybe"], '--show-rules: "maybe": expected true or false'),
    (["help", "nothing"], 'unknown command "nothing"'),
    (["--log_output_level=loud"], '--log_output_level: "loud": expected '),
]


@pytest.mark.parametrize("args,message", WRONG, ids=[" ".join(args) for args, _ in WRONG])
def test_wrong(args, message):
    result = lib.run([injection.BINARY, *args])
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr.startswith(f"istio-inject: error: {message}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("variable,value,message", [
    ("ISTIO_INJECT_OUTPUT", "xml", 'ISTIO_INJECT_OUTPUT: "xml": expected yaml|json|patch|diff'),
    ("ISTIO_INJECT_CONFIG", "/nonexistent", "/nonexistent: No such file or directory"),
])
def test_variables(variable, value, message):
    result = lib.run([injection.BINARY], env={variable: value}, input="")
    assert result.returncode in (1, 64) and message in result.stderr


def test_variables_that_mean_nothing(tmp_path):
    result = injection.run(tmp_path, env={"ISTIO_INJECT_OUTPT": "json", "ISTIO_INJECT_OUTPUT": ""}, input="a: 1\n")
    assert (result.returncode, result.stdout) == (0, "a: 1\n")
    assert 'warn: no option has the variable "ISTIO_INJECT_OUTPT"; the nearest is ISTIO_INJECT_OUTPUT' in result.stderr
    assert "warn: ISTIO_INJECT_OUTPUT is empty: ignored" in result.stderr


@pytest.mark.parametrize("spelling", [["-o", "json"], ["-ojson"], ["-o=json"], ["--output", "json"], ["--output=json"],
                                      ["-o", "yaml", "-o", "json"]], ids=" ".join)
def test_spellings(tmp_path, spelling):
    assert injection.inject(tmp_path, "a: 1\n", *spelling) == b'{\n  "a": 1\n}\n'


def test_stray_words(tmp_path):
    result = injection.run(tmp_path, "inject", "app.yaml", "b.yaml", input="a: 1\n")
    assert (result.returncode, result.stdout) == (0, "a: 1\n")
    assert 'warn: ignored "app.yaml" and the words after it: files are given by -f' in result.stderr


def test_help_and_version():
    text = lib.checked(lib.run([injection.BINARY, "--help"]))
    assert text == lib.checked(lib.run([injection.BINARY, "help"])) == lib.checked(lib.run([injection.BINARY, "-h"]))
    assert text.startswith("Usage: istio-inject [COMMAND] [OPTION]...") and max(map(len, text.splitlines())) < 100
    topic = lib.checked(lib.run([injection.BINARY, "help", "check"]))
    assert topic == lib.checked(lib.run([injection.BINARY, "check", "--help"]))
    assert "--show-rules" in topic and "Examples:" in topic
    version = lib.checked(lib.run([injection.BINARY, "version"]))
    assert version == lib.checked(lib.run([injection.BINARY, "--version"]))
    assert version.startswith("istio-inject ")


def test_log_target(tmp_path):
    log = tmp_path / "log"
    result = injection.run(tmp_path, f"--log_target={log}", "stray", input="")
    assert (result.returncode, result.stderr) == (64, "")
    assert "unknown command" in log.read_text()


def test_the_binary():
    text = lib.checked(lib.run(["file", injection.BINARY]))
    assert "static" in text and "stripped" in text and "not stripped" not in text
    assert injection.BINARY.stat().st_size <= 1_100_000
