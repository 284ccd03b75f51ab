# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the container runtime interface, CRI v1, in the wire format of protocol buffers.

A message is a dict, encoded by the tables below: the few fields that are needed, with their numbers in CRI's api.proto.
An answer is {field number: [values]}.
"""

import json

import grpc

_CAPABILITIES = {"add_capabilities": (1, [str]), "drop_capabilities": (2, [str])}
_SECURITY = {"capabilities": (1, _CAPABILITIES), "readonly_rootfs": (7, int)}
_META = {"name": (1, str), "uid": (2, str), "namespace": (3, str)}
_SANDBOX = {
    "metadata": (1, _META), "log_directory": (3, str), "annotations": (7, dict),
    "linux": (8, {"cgroup_parent": (1, str), "security_context": (2, {"namespace_options": (1, {"network": (1, int)})})}),
}
_CONTAINER = {
    "metadata": (1, {"name": (1, str)}), "image": (2, {"image": (1, str)}), "command": (3, [str]), "args": (4, [str]),
    "log_path": (11, str), "linux": (15, {"security_context": (2, _SECURITY)}),
}
_ID = {"id": (1, str)}
_REQUESTS = {
    "Version": {}, "Status": {"verbose": (1, int)}, "ListPodSandbox": {}, "ListContainers": {},
    "RunPodSandbox": {"config": (1, _SANDBOX), "handler": (2, str)}, "PodSandboxStatus": {**_ID, "verbose": (2, int)},
    "StopPodSandbox": _ID, "RemovePodSandbox": _ID,
    "CreateContainer": {"sandbox": (1, str), "config": (2, _CONTAINER), "sandbox_config": (3, _SANDBOX)},
    "StartContainer": _ID, "StopContainer": _ID, "RemoveContainer": _ID, "ContainerStatus": {**_ID, "verbose": (2, int)},
}
NODE = 2  # NamespaceMode
EXITED = 2  # ContainerState


def _varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _field(number, kind, value):
    if kind is int:
        return _varint(number << 3) + _varint(value)
    if isinstance(kind, list):
        return b"".join(_field(number, kind[0], item) for item in value)
    if kind is dict:
        pair = {"key": (1, str), "value": (2, str)}
        return b"".join(_field(number, pair, {"key": key, "value": text}) for key, text in value.items())
    data = value.encode() if kind is str else _encode(kind, value)
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _encode(table, message):
    return b"".join(_field(*table[name], value) for name, value in message.items())


def _decode(data):
    fields, rest = {}, iter(data)

    def varint():
        value = shift = 0
        for byte in rest:
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
        return None

    while (key := varint()) is not None:
        if key & 7 == 0:
            value = varint()
        else:
            size = {1: 8, 5: 4}.get(key & 7) or varint()
            value = bytes(next(rest) for _ in range(size))
        fields.setdefault(key >> 3, []).append(value)
    return fields


def text(fields, number):
    return fields.get(number, [b""])[0].decode()


def number(fields, field):
    return fields.get(field, [0])[0]


def sub(fields, number):
    return _decode(fields.get(number, [b""])[0])


def pairs(fields, number):
    return {text(pair, 1): text(pair, 2) for pair in map(_decode, fields.get(number, []))}


class Runtime:
    def __init__(self, socket):
        self.channel = grpc.insecure_channel(f"unix:{socket}", [("grpc.default_authority", "localhost")])

    def close(self):
        self.channel.close()

    def call(self, method, **request):
        stub = self.channel.unary_unary(f"/runtime.v1.RuntimeService/{method}",
                                        lambda message: _encode(_REQUESTS[method], message), _decode)
        return stub(request, timeout=120, wait_for_ready=True)

    def version(self):
        return text(self.call("Version"), 3)

    def network_ready(self):
        """Whether it is, and the message if not."""
        for condition in map(_decode, sub(self.call("Status"), 1)[1]):
            if text(condition, 1) == "NetworkReady":
                return bool(number(condition, 2)), text(condition, 4)
        raise LookupError("no condition NetworkReady")

    def network_config(self):
        """What it has read of its network's configuration, as JSON."""
        return pairs(self.call("Status", verbose=1), 2)["cniconfig"]

    def sandboxes(self):
        return [text(_decode(item), 1) for item in self.call("ListPodSandbox").get(1, [])]

    def run_sandbox(self, config, handler=""):
        return text(self.call("RunPodSandbox", config=config, handler=handler), 1)

    def sandbox_info(self, sandbox):
        """Its state (0: ready), its address, and the runtime's own words on it, as JSON."""
        answer = self.call("PodSandboxStatus", id=sandbox, verbose=1)
        status = sub(answer, 1)
        return number(status, 3), text(sub(status, 5), 1), pairs(answer, 2)["info"]

    def create(self, sandbox, sandbox_config, config):
        return text(self.call("CreateContainer", sandbox=sandbox, config=config, sandbox_config=sandbox_config), 1)

    def start(self, container):
        self.call("StartContainer", id=container)

    def exit_code(self, container):
        """None while it runs."""
        status = sub(self.call("ContainerStatus", id=container), 1)
        return number(status, 7) if number(status, 3) == EXITED else None

    def container_info(self, container):
        """The runtime's own words on it: pid, sandboxID, and more."""
        return json.loads(pairs(self.call("ContainerStatus", id=container, verbose=1), 2)["info"])

    def containers(self, sandbox):
        """All of a sandbox, dead ones too."""
        found = map(_decode, self.call("ListContainers").get(1, []))
        return [text(item, 1) for item in found if text(item, 2) == sandbox]

    def remove_container(self, container):
        self.call("StopContainer", id=container)
        self.call("RemoveContainer", id=container)

    def remove(self, sandbox):
        self.call("StopPodSandbox", id=sandbox)
        self.call("RemovePodSandbox", id=sandbox)
