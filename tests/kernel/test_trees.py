# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists that branch at every bit: their trees stay within the jumps that a kernel follows, and decide as asked."""

import ipaddress
import random

import lib
import pod
import pytest

BITS = {4: 32, 6: 128}
PATH = {4: (203 << 24, 8), 6: (0x2001 << 112, 16)}


def deep_list(rng, version):
    """Beside one random path, at each bit of it, three blocks that leave it there."""
    bits, (start, fixed) = BITS[version], PATH[version]
    path = start | rng.getrandbits(bits - fixed)
    blocks = set()
    for at in range(fixed, bits):
        for _ in range(3):
            length = min(at + 6, bits)
            aside = path ^ 1 << (bits - 1 - at) ^ rng.getrandbits(bits - 1 - at) if at < bits - 1 else path ^ 1
            blocks.add(ipaddress.ip_network((aside >> (bits - length) << (bits - length), length)))
    return sorted(blocks, key=lambda block: rng.random())


def near(rng, block):
    """An address of the block, or one beside it."""
    bits = block.max_prefixlen
    free = bits - block.prefixlen
    address = int(block.network_address) | rng.getrandbits(free) if free else int(block.network_address)
    if rng.random() < 0.4:
        address ^= 1 << rng.randrange(bits - PATH[block.version][1])
    return type(block.network_address)(address)


def ask(where, addresses, exclude, include):
    """Where connections end that do not end where the lists say."""
    wrong = []
    for address in addresses:
        captured = any(address in block for block in include) and not any(address in block for block in exclude)
        expected = ("proxy" if captured else "peer", (str(address), 80))
        ended = where.connect("pod", str(address), 80)
        if ended != expected:
            wrong.append(f"{address}: {ended}, not {expected}")
    return wrong


@pytest.mark.parametrize("seed", [1, 2])
def test_deep_lists_capture_as_they_say(seed, backend, tmp_path):
    rng = random.Random(seed)
    include, exclude = (deep_list(rng, 4) + deep_list(rng, 6) for _ in range(2))
    # Both lists have to say something about the same addresses.
    exclude += rng.sample(include, 60)
    for name, blocks in ("include", include), ("exclude", exclude):
        (tmp_path / name).write_text("\n".join(map(str, blocks)))
    with pod.Pod() as where:
        where.peer.sh("ip route add local 203.0.0.0/8 dev lo; ip -6 route add local 2001::/16 dev lo")
        lib.checked(where.netns.istio_init(f"--backend={backend}", "--ipv6=on", "--long-lists=tree",
                                           "-i", f"@{tmp_path}/include", "-x", f"@{tmp_path}/exclude"))
        addresses = [near(rng, block) for block in rng.sample(include, 60) + rng.sample(exclude, 60)]
        wrong = ask(where, addresses, exclude, include)
        captured = sum(any(address in block for block in include) for address in addresses)
        assert 20 < captured < len(addresses)
    assert not wrong, "\n".join(wrong)
