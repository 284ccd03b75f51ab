# SPDX-License-Identifier: GPL-2.0-or-later
"""What a create costs: with nothing, with the webhook, with the policy; by turns, on one connection."""

import statistics
import time

import lib
from apiserver import pod
from installation import CONFIG

ROUNDS, WARM_UP = 500, 20
# Milliseconds that the webhook may add.  Two writes an answer alone would cost 40; what a busy machine adds is less.
LIMIT = 20


def measure(figure, title, creates):
    """{name: median in ms} of functions that create the pod that they are given."""
    times = {name: [] for name in creates}
    for number in range(ROUNDS + WARM_UP):
        for name, create in creates.items():
            started = time.perf_counter()
            answer = create(pod(f"pod{number}"))
            times[name].append(1e3 * (time.perf_counter() - started))
            assert answer.status == 201, answer
            assert len(answer.object["spec"].get("initContainers", [])) == (0 if name == "nothing" else 2), name
    medians = {}
    for name, all_of in times.items():
        kept = sorted(all_of[WARM_UP:])
        medians[name] = statistics.median(kept)
        added = f", {medians[name] - medians['nothing']:+.2f} ms" if name != "nothing" else ""
        figure(f"{title}: a create, {name}: median {medians[name]:.2f} ms, 99 % {kept[int(0.99 * ROUNDS)]:.2f} ms"
               + added)
    return medians


def test_webhook_and_policy(both, figure):
    pair = both(CONFIG.format(revision="latency"), "latency")
    medians = measure(figure, "small overlay", {
        by: lambda item, by=by: pair.create(by, item) for by in ("nothing", "webhook", "policy")})
    assert medians["webhook"] - medians["nothing"] < LIMIT


def test_istio(server, install, figure):
    """Istio's overlay, with a patch of 8 KB."""
    installation = install(server, config=(lib.ROOT / "deploy/inject/istio.yaml").read_text())
    installation.start()
    server.api.namespace("latency-istio", installation.labels)
    server.api.namespace("latency-nothing")
    medians = measure(figure, "deploy/inject/istio.yaml", {
        "nothing": lambda item: server.api.create("latency-nothing", item),
        "webhook": lambda item: server.api.create("latency-istio", item)})
    assert medians["webhook"] - medians["nothing"] < LIMIT
