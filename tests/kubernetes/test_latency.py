# SPDX-License-Identifier: GPL-2.0-or-later
"""What a create costs: with nothing, with the webhook, with the policy; by turns, on one connection."""

import json
import statistics
import time

import lib
from apiserver import pod
from installation import CONFIG, istio_inject

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
    """Istio's overlay; also against the same pods injected before, by the filter, which cost the same to store."""
    installation = install(server, config=(lib.ROOT / "deploy/inject/istio.yaml").read_text())
    [replica] = installation.start()
    server.api.namespace("latency-istio", installation.labels)
    server.api.namespace("latency-nothing")
    server.api.namespace("latency-before")
    result = istio_inject("-c", installation.dir / "config.yaml", "-o", "json", input=json.dumps(pod("a")))
    injected = json.loads(lib.checked(result))
    metadata = {key: injected["metadata"][key] for key in ("labels", "annotations")}
    medians = measure(figure, "deploy/inject/istio.yaml", {
        "nothing": lambda item: server.api.create("latency-nothing", item),
        "injected before": lambda item: server.api.create("latency-before", {
            **injected, "metadata": {**metadata, **item["metadata"]}}),
        "webhook": lambda item: server.api.create("latency-istio", item)})
    assert medians["webhook"] - medians["injected before"] < LIMIT
    metrics = replica.metrics()
    took = metrics["sidecar_injection_time_seconds_sum"] / metrics["sidecar_injection_time_seconds_count"]
    figure(f"deploy/inject/istio.yaml: {1e3 * took:.2f} ms a review in the server, mean; two reviews a create")
