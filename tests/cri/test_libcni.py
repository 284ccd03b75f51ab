# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin behind real ones, called by CNI's own library in each version of it."""

import json
import os

import lib
import pytest
from node import BUILT, ENTRY, INJECTED

T = "traffic.sidecar.istio.io/"
VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
FIRST = {
    "ptp": {"type": "ptp"},
    "bridge": {"type": "bridge", "bridge": "cni0", "isGateway": True},
}


class Network:
    """A list of the plugin @first and ours, and a pod for it."""

    def __init__(self, directory, first, version, **entry):
        self.dir, self.bin, self.list = directory, directory / "bin", directory / "10-net.conflist"
        self.netns = lib.Netns()
        self.bin.mkdir()
        for plugin in (first, "host-local"):
            (self.bin / plugin).symlink_to(BUILT / plugin)
        ipam = {"type": "host-local", "dataDir": str(directory / "ipam"), "ranges": [[{"subnet": "10.99.0.0/24"}]]}
        self.write({"cniVersion": version, "name": f"net-{directory.name}", "plugins": [{**FIRST[first], "ipam": ipam}]})
        conf = directory / "entry"
        conf.write_text(json.dumps({**ENTRY, **entry}))
        lib.checked(lib.run([lib.BINARY, "cni-install", "--conf-dir", directory, "--bin-dir", self.bin, "--conf", conf]))

    def write(self, config):
        self.list.write_text(json.dumps(config))

    def edit_entry(self, **keys):
        config = json.loads(self.list.read_text())
        config["plugins"][-1].update(keys)
        self.write(config)

    def call(self, verb, annotations=None):
        env = {"CNI_PATH": str(self.bin), "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web",
               "CAPABILITY_ARGS": json.dumps({"io.kubernetes.cri.pod-annotations": annotations or INJECTED})}
        return lib.run([BUILT / "libcni", verb, self.list, self.netns.path], env=env)

    def addresses(self):
        return sorted(name for _, _, names in os.walk(self.dir / "ipam") for name in names if name.startswith("10."))

    def ok(self, verb, annotations=None):
        return lib.checked(self.call(verb, annotations))

    def refused(self, verb, annotations=None):
        result = self.call(verb, annotations)
        assert result.returncode == 1, result
        return result.stderr


@pytest.fixture
def network(tmp_path):
    made = []

    def one(first="ptp", version="1.1.0", **entry):
        made.append(Network(tmp_path, first, version, **entry))
        return made[-1]
    yield one
    for each in made:
        each.netns.close()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("first", FIRST)
def test_every_version(network, first, version):
    net = network(first, version)
    net.ok("validate")
    result = json.loads(net.ok("add"))
    assert result["cniVersion"] == version and [one["address"] for one in result["ips"]] == [f"{net.addresses()[0]}/24"]
    assert net.netns.has_istio("ipv4")
    if version >= "0.4.0":
        net.ok("check")
        lib.checked(net.netns.istio_init("clean"))
        assert "the rules in the pod are not those that its annotations ask for" in net.refused("check")
    net.ok("del")
    net.ok("del")
    assert not net.addresses()
    if version >= "1.1.0":
        net.ok("status")
        net.ok("add")
        net.ok("gc")  # no attachment is valid any more
        assert not net.addresses()


def test_what_it_returns_is_what_the_plugin_before_us_has_returned(network):
    net = network()
    whole = json.loads(net.list.read_text())
    net.write({**whole, "plugins": whole["plugins"][:1]})
    alone = json.loads(net.ok("add"))
    net.ok("del")
    net.write(whole)
    result = json.loads(net.ok("add"))
    for one in (alone, result):  # what is new each time: names and addresses of the interfaces
        one["interfaces"] = [sorted(interface) for interface in one["interfaces"]]
        one["ips"] = [sorted(address) for address in one["ips"]]
    assert result == alone


def test_refusals_of_each_verb(network):
    net = network()
    assert f"annotation {T}includeInboundPorts" in net.refused("add", {**INJECTED, T + "includeInboundPorts": "x"})
    assert not net.netns.has_istio("ipv4")
    net.ok("del", {**INJECTED, T + "includeInboundPorts": "x"})
    assert not net.addresses()
    net.edit_entry(capture={"bakend": "auto"})
    for verb in ("add", "status"):
        assert "capture.bakend" in net.refused(verb)
    net.ok("del")
