# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion, as bash and fish do it, by what make install puts into place; zsh reads its own."""

import injection
import lib
import pytest

CASES = [
    (["ch"], {"check"}),
    (["help", "c"], {"check", "cert"}),
    (["--na"], {"--namespace"}),
    (["check", "--na"], {"--namespace", "--namespace-labels"}),
    (["check", "--show"], {"--show-rules"}),
    (["--show"], set()),
    (["-o", ""], {"yaml", "json", "patch", "diff"}),
    (["check", "-o", ""], {"text", "json"}),
    (["version", "--out"], set()),
    (["manifests", "--se"], {"--service"}),
    (["check", "--se"], {"--server-name"}),
    (["manifests", "--fi"], set()),
    (["check", "--rep"], set()),
]


@pytest.fixture(scope="module", name="share")
def fixture_share(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    lib.checked(lib.run(["make", "-C", lib.ROOT, f"DESTDIR={root}", "PREFIX=/usr", "install"], timeout=300))
    assert (root / "usr/sbin/istio-inject").read_bytes() == injection.BINARY.read_bytes()
    assert (root / "usr/share/man/man8/istio-inject.8").is_file()
    return root / "usr/share"


@pytest.mark.parametrize("words,expected", CASES, ids=[" ".join(words) for words, _ in CASES])
def test_bash(share, words, expected):
    script = f"""source {share}/bash-completion/completions/istio-inject
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _istio_inject; printf '%s\n' "${{COMPREPLY[@]}}" """
    out = lib.checked(lib.run(["bash", "-uc", script, "bash", "istio-inject", *words]))
    assert set(out.split()) == expected


@pytest.mark.parametrize("words,expected", CASES, ids=[" ".join(words) for words, _ in CASES])
def test_fish(share, words, expected):
    line = " ".join(["istio-inject", *words])
    script = f"source {share}/fish/vendor_completions.d/istio-inject.fish; complete -C '{line}'"
    out = lib.checked(lib.run(["fish", "--no-config", "-c", script]))
    shown = {row.split("\t")[0] for row in out.splitlines()}
    # the words of both commands stand behind one option there
    assert shown >= expected and (words[-1] == "" or shown == expected)


def test_zsh(share):
    lib.checked(lib.run(["zsh", "-n", share / "zsh/site-functions/_istio-inject"]))
