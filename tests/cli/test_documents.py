# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples of the README and the manual print what they show."""

import re
import shlex

import configs
import lib
import pytest


def examples():
    """(command, output) of each "$ istio-init ..." that is followed by what it prints."""
    readme = (lib.ROOT / "README.md").read_text(encoding="utf-8")
    manual = (lib.ROOT / "man/istio-init.8").read_text(encoding="utf-8")
    blocks = re.findall(r"(?ms)^```\w*\n(.*?)^```$", readme) + re.findall(r"(?ms)^\.Bd -literal.*?\n(.*?)^\.Ed", manual)
    for block in blocks:
        for command, output in re.findall(r"(?m)^\$ istio-init (.*)\n((?:(?!\$ ).*\n)*)", block.replace("\\e\n", "\\\n")):
            if output and not command.endswith(("|", "\\")):
                yield command, output


@pytest.mark.parametrize("command,output", examples(), ids=[command for command, _ in examples()])
def test_example(command, output):
    result = lib.run([lib.BINARY, *shlex.split(command)])
    assert lib.checked(result) == output
    assert result.stderr == ""


def test_the_picture_of_the_readme_is_the_programs():
    readme = (lib.ROOT / "README.md").read_text(encoding="utf-8")
    [picture] = re.findall(r"(?ms)^```mermaid\n(.*?)^```$", readme)
    assert picture == lib.checked(lib.run([lib.BINARY, "--dry-run", "--sidecar", "--format=mermaid"]))


@pytest.mark.parametrize("name", configs.NAMED)
def test_pictures(name, public):
    """Both languages have the same nodes and edges; Graphviz reads its own."""
    args, env = configs.command_line(configs.NAMED[name], public)
    mermaid, dot = (lib.checked(lib.run([lib.BINARY, "--dry-run", *args, f"--format={language}"], env=env))
                    for language in ("mermaid", "dot"))
    edges = re.findall(r"(?m)^  (\w+).*?(?: ==>| -->(?:\|.*\|)?) (\w+)", mermaid)
    drawn = lib.checked(lib.run(["dot", "-Tplain"], input=dot))
    assert sorted(edges) == sorted(tuple(line.split()[1:3]) for line in drawn.splitlines() if line.startswith("edge "))


def test_there_are_examples():
    assert len(list(examples())) >= 4
