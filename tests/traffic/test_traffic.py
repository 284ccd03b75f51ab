# SPDX-License-Identifier: GPL-2.0-or-later
"""Real connections end where the table says, on every backend."""

import configs
import lib
import pytest
from pod import POD, POD6, SERVICE, SERVICE6, Pod
from table import TABLE


@pytest.mark.parametrize("name", TABLE)
def test_connections(name, backend, tmp_path):
    config, rows = TABLE[name]
    args, env = configs.command_line(config, tmp_path)
    wrong = []
    with Pod() as pod:
        lib.checked(pod.netns.istio_init("--dual-stack", *args, f"--backend={backend}", env=env))
        for origin, addr, port, place, how in rows:
            ended = pod.connect(origin, addr, port, **how)
            original = None if how.get("proto") == "udp" else (addr, port)
            if ended != (place, original):
                wrong.append(f"from {origin} to {addr} port {port} {how}: {ended} instead of {place}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["sidecar", "tproxy"])
def test_nothing_slips_past_a_proxy_that_is_down(name, backend, tmp_path):
    args, env = configs.command_line(configs.NAMED[name], tmp_path)
    with Pod() as pod:
        lib.checked(pod.netns.istio_init("--dual-stack", *args, f"--backend={backend}", env=env))
        for port in 15001, 15006:
            pod.stop(port)
        ends = [pod.connect("peer", addr, 8080) for addr in (POD, POD6)]
        ends += [pod.connect("pod", addr, 80) for addr in (SERVICE, SERVICE6)]
    assert all(end in ("nowhere", "errno 111") for end in ends), ends
