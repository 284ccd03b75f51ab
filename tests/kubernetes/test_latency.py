# SPDX-License-Identifier: GPL-2.0-or-later
"""What a create costs: with nothing, with the webhook, with the policy; by turns, on one connection."""

import statistics
import time

from apiserver import pod
from installation import CONFIG

ROUNDS, WARM_UP = 500, 20
# Two writes an answer alone would cost 40 ms; what a busy machine adds is less
LIMIT = 20


def test_latency(both, figure):
    pair = both(CONFIG.format(revision="latency"), "latency")
    times = {"nothing": [], "webhook": [], "policy": []}
    for number in range(ROUNDS + WARM_UP):
        for by, measured in times.items():
            started = time.perf_counter()
            answer = pair.create(by, pod(f"pod{number}"))
            measured.append(1e3 * (time.perf_counter() - started))
            assert answer.status == 201, answer
            assert len(answer.object["spec"].get("initContainers", [])) == (0 if by == "nothing" else 2)
    medians = {}
    for by, measured in times.items():
        kept = sorted(measured[WARM_UP:])
        medians[by] = statistics.median(kept)
        figure(f"a create, {by}: median {medians[by]:.2f} ms, 99 % {kept[int(0.99 * len(kept))]:.2f} ms"
               + (f", {medians[by] - medians['nothing']:+.2f} ms" if by != "nothing" else ""))
    assert medians["webhook"] - medians["nothing"] < LIMIT
