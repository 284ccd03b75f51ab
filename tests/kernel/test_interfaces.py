# SPDX-License-Identifier: GPL-2.0-or-later
"""-c and -k make rules that cannot be told from a user's own: these never make an apply fail, whatever comes before."""

import os
import random

import lib
import pytest
import states

FIRST = int(os.environ.get("ISTIO_INIT_SEED", "0"))
SEEDS = range(FIRST, FIRST + (60 if os.environ.get("ISTIO_INIT_FAULTS") == "all" else 3))
INTERFACES = ["eth7", "eth8", "vm0", "vm1", "br+", "+"]
ROUNDS = 3


def random_options(rng):
    def some():
        return ",".join(rng.sample(INTERFACES, rng.randrange(1, 4)))

    return ["--sidecar", *(["-c", some()] if rng.random() < 0.7 else []), *(["-k", some()] if rng.random() < 0.6 else []),
            *rng.choice([[], ["-m", "TPROXY"]]), *rng.choice([[], ["-i", "10.0.0.0/8,fd00::/8"]]),
            *rng.choice([[], ["--redirect-dns", "--capture-all-dns", "--resolv-conf=/dev/null"]])]


def random_rule(rng):
    chain, side = rng.choice([("PREROUTING", "i"), ("OUTPUT", "o")])
    how = rng.choice(["-A", "-I"])
    return f"-t {rng.choice(['nat', 'mangle'])} {how} {chain} -{side} {rng.choice(INTERFACES)} -j RETURN"


def returns(pod):
    return sum(count for (_, _, _, rule), count in states.rules(pod).items() if rule.endswith(" -j RETURN") and "ISTIO" not in rule)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_mix_is_applied(netns, backend, seed):
    """Apply, clean, apply, diff; a user's rules come and go in between; nothing is piled up."""
    rng = random.Random(seed)
    for _ in range(ROUNDS):
        for _ in range(rng.randrange(3)):
            netns.sh(f"{rng.choice(states.tools(backend))} {random_rule(rng)}")
        first, second = random_options(rng), random_options(rng)
        for args in first, second:
            told = f"{first} {second} {args}"
            assert netns.istio_init(*args, f"--backend={backend}").returncode == 0, told
            held = returns(netns)
            assert "unchanged" in netns.istio_init(*args, f"--backend={backend}").stderr, told
            diff = netns.istio_init("diff", *args, f"--backend={backend}")
            assert (diff.returncode, diff.stdout) == (0, ""), told
            assert returns(netns) == held
            lib.checked(netns.istio_init("clean", *rng.choice([[], args, first, second])))
            assert "ISTIO" not in str(netns.state()), told


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_what_is_left_is_not_piled_up(netns, backend):
    """The same calls again and again come to the same rules."""
    calls = [["--sidecar", "-c", "eth7,eth8"], ["--sidecar", "-c", "eth8,eth7", "-k", "vm0"], ["--sidecar", "-k", "eth7,vm0"]]
    seen = []
    for _ in range(4):
        for args in calls:
            lib.checked(netns.istio_init(*args, f"--backend={backend}"))
            lib.checked(netns.istio_init("clean"))
        seen.append(netns.state()[0])
    assert seen[1] == seen[2] == seen[3]
    for args in calls:
        lib.checked(netns.istio_init("clean", *args))


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_what_stays_is_named(netns, backend):
    lib.checked(netns.istio_init("--sidecar", "-c", "eth7", f"--backend={backend}"))
    result = netns.istio_init("clean")
    lib.checked(result)
    assert "left alone" in result.stderr and "-i eth7 -j RETURN" in result.stderr
    result = netns.istio_init("--sidecar", "-c", "eth7", f"--backend={backend}")
    assert result.returncode == 0 and "left alone" not in result.stderr
    lib.checked(netns.istio_init("clean", "-c", "eth7"))
    assert returns(netns) == 0
