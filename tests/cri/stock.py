# SPDX-License-Identifier: GPL-2.0-or-later
"""The image of an init container that runs the stock tools, as istio-iptables does: what benchmarks hold ours against."""

import os
import pathlib

import configs
import lib
import upstream
from contenders import FLAVOURS, istio_iptables, tool
from image import libraries


def image(directory):
    """A shell, iptables and its extensions, and what istio-iptables would run of them, as a script."""
    config, files = configs.NAMED["injector"], {}
    for family in lib.FAMILIES:
        files[f"/run/{family}"] = directory / family
        files[f"/run/{family}"].write_text(upstream.restore_text(config, family))
    commands = istio_iptables(FLAVOURS["legacy"], {family: f"/run/{family}" for family in lib.FAMILIES})
    script = directory / "rules.sh"
    script.write_text("#!/bin/sh\nset -e\n" + "".join(
        f"{' '.join(command)} <{source} >/dev/null\n" for source, command in commands))
    multi = os.path.realpath(tool("iptables-legacy"))
    shell = os.path.realpath("/bin/sh")
    files |= {str(path): path for path in pathlib.Path("/usr/lib").glob("*/xtables/*.so")}
    files |= {**libraries(multi), **libraries(shell)}
    files |= {"/rules.sh": script, "/bin/sh": pathlib.Path(shell), multi: pathlib.Path(multi)}
    files |= {tool(name + verb): multi for name in FLAVOURS["legacy"].values() for verb in ("", "-save", "-restore")}
    return files
