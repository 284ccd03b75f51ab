# SPDX-License-Identifier: GPL-2.0-or-later
"""Real connections end where the table says, on every backend."""

import configs
import lib
import pytest
from pod import Pod
from table import TABLE


@pytest.mark.parametrize("name", TABLE)
def test_connections(name, backend, tmp_path):
    config, rows = TABLE[name]
    args, env = configs.command_line(config, tmp_path)
    wrong = []
    with Pod() as pod:
        lib.checked(pod.netns.istio_init(*args, f"--backend={backend}", env=env))
        for origin, addr, port, place, how in rows:
            ended = pod.connect(origin, addr, port, **how)
            original = None if how.get("proto") == "udp" else (addr, port)
            if ended != (place, original):
                wrong.append(f"from {origin} to {addr} port {port} {how}: {ended} instead of {place}")
    assert not wrong, "\n".join(wrong)
