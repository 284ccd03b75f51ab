# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual has what the tables of the sources have, and examples print what they show."""

import re
import shlex
import subprocess

import injection
import lib
import pytest

MANUAL = (lib.ROOT / "man/istio-inject.8").read_text(encoding="utf-8")
README = (lib.ROOT / "README.md").read_text(encoding="utf-8")


def rows(table, macro):
    """The columns of each row of a .def file, as the compiler sees them, strings without quotes."""
    path = lib.ROOT / "src" / table
    text = f'#define {macro}(...) TABLE_ROW __VA_ARGS__ ROW_END\n#include "{path.name}"\n'
    out = subprocess.run(["cc", "-E", "-P", "-I", path.parent, "-"], input=text, capture_output=True, text=True, check=True)
    for row in re.findall(r"TABLE_ROW(.*?)ROW_END", out.stdout, re.S):
        columns = re.findall(r"""((?:"(?:\\.|[^"\\])*"\s*|'[^']'|[^,"'])+)(?:,|$)""", row, re.S)
        yield ["".join(re.findall(r'"((?:\\.|[^"\\])*)"', c)) if '"' in c else c.strip(" \n'") for c in columns]


def section(name):
    return re.search(rf"(?ms)^\.Sh {name}$(.*?)^\.Sh ", MANUAL)[1]


def items(name):
    """{head: text} of a section's list."""
    return {head: body for head, body in re.findall(r"(?ms)^\.It (.*?)\n(.*?)(?=^\.It |^\.El)", section(name))}


def test_options():
    found, used = items("OPTIONS"), set()
    for letter, name, _, _, text, metavar, commands, _ in rows("inject/options.def", "OPTION"):
        head = ("" if letter == "0" else f"Fl {letter} , ") + f"Fl -{name}" + ("" if metavar == "NULL" else f" Ar {metavar.lower()}")
        assert head in found, head
        if text not in ("NULL", "false"):
            assert f"Default: {text}." in found[head], head
        for command in re.findall(r"^FOR_(\w+)$", commands.strip()):
            assert command == "ALL" or f".Cm {command.lower()}" in found[head], head
        used.add(head)
    assert used == set(found)


def test_commands():
    assert [head.split()[1] for head in items("COMMANDS")] == [row[0] for row in rows("inject/verbs.def", "VERB")]


def test_annotations():
    known = re.findall(r'OPTION\(\w+, [^,]+, "([\w-]+)"', (lib.ROOT / "src/cli/options.def").read_text())
    found = items("ANNOTATIONS")
    for _, name, second, option, *_, text in rows("pod/annotations.def", "ANNOTATION"):
        if name == "NULL":
            continue
        body = found.pop(name if second == "NULL" else f"{name} , {second}")
        assert text.lower() in body.replace("\\->", "->").lower(), name
        assert option == "NULL" or f".Fl -{option} ." in body, name
        assert ("does not have it yet" in body) == (option != "NULL" and option not in known), name
    assert not found


def test_configuration():
    keys = re.findall(r'\{ "(\w+)", load_', (lib.ROOT / "src/inject/load.c").read_text())
    found = re.findall(r"(?m)^\.It Ic (.*)$", section("CONFIGURATION"))
    assert sorted(" , ".join(found).split(" , ")) == sorted(keys) and len(keys) > 20


def test_exit_statuses():
    assert re.findall(r"(?m)^\.It (\d+)$", section("EXIT STATUS")) == ["0", "1", "2", "64", "65", "69"]


def examples():
    """(command, output) of each "$ istio-inject ..." that is followed by what it prints."""
    blocks = re.findall(r"(?ms)^```\w*\n(.*?)^```$", README) + re.findall(r"(?ms)^\.Bd -literal.*?\n(.*?)^\.Ed", MANUAL)
    for block in blocks:
        for command, output in re.findall(r"(?m)^\$ istio-inject (.*)\n((?:(?!\$ ).*\n)*)", block.replace("\\e", "\\")):
            if output:
                yield command, output


@pytest.mark.parametrize("command,output", list(examples()), ids=[command for command, _ in examples()])
def test_example(command, output):
    result = lib.run([injection.BINARY, *shlex.split(command)], cwd=injection.HERE / "demo")
    assert (result.stdout, result.stderr) == (output, "")


def test_there_are_examples():
    assert len(list(examples())) >= 3
