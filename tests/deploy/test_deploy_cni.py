# SPDX-License-Identifier: GPL-2.0-or-later
"""deploy/cni: what the manifests may do on a node, and that their arguments and the entry are the program's."""

import json

import lib
import pytest
import yaml

CNI = lib.ROOT / "deploy/cni"
FOLDERS = {"/host/etc/cni/net.d": "/etc/cni/net.d", "/host/opt/cni/bin": "/opt/cni/bin"}
LIST = '{"cniVersion":"1.0.0","name":"k8s","plugins":[{"type":"ptp"}]}'


def documents(name):
    return list(yaml.safe_load_all((CNI / name).read_text(encoding="utf-8")))


def template(name):
    return next(document for document in documents(name) if document["kind"] == "DaemonSet")["spec"]["template"]["spec"]


def container(name):
    spec = template(name)
    return (spec.get("initContainers") or spec["containers"])[0]


@pytest.mark.parametrize("name", ["daemonset.yaml", "uninstall.yaml"])
def test_it_may_write_into_two_folders_and_no_more(name):
    spec, main = template(name), container(name)
    assert spec["automountServiceAccountToken"] is False and "serviceAccountName" not in spec
    context = main["securityContext"]
    assert context["readOnlyRootFilesystem"] and not context["privileged"] and not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER"]}
    host = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume}
    mounted = {mount["mountPath"]: host[mount["name"]] for mount in main["volumeMounts"] if mount["name"] in host}
    assert mounted == FOLDERS
    assert all(mount["readOnly"] for mount in main["volumeMounts"] if mount["name"] not in host)
    assert f"[{name}]({name})" in (CNI / "README.md").read_text(encoding="utf-8")


def test_the_arguments_do_it(tmp_path):
    """Each container's own arguments, with the folders and the ConfigMap where they are mounted, and its capabilities."""
    entry = next(document for document in documents("daemonset.yaml") if document["kind"] == "ConfigMap")["data"]["entry.json"]
    (tmp_path / "etc/cni/net.d").mkdir(parents=True)
    (tmp_path / "opt/cni/bin").mkdir(parents=True)
    (tmp_path / "entry.json").write_text(entry)
    path = tmp_path / "etc/cni/net.d/10-k8s.conflist"
    path.write_text(LIST)
    path.chmod(0o600)

    def run(name):
        args = [arg.replace("/host", str(tmp_path)).replace("/etc/istio-init-cni", str(tmp_path))
                for arg in container(name)["args"] if arg != "--watch"]
        caps = "-all," + ",".join(f"+{cap.lower()}" for cap in container(name)["securityContext"]["capabilities"]["add"])
        lib.checked(lib.run(["setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}", lib.BINARY, *args]))

    run("daemonset.yaml")
    assert json.loads(path.read_text())["plugins"] == [{"type": "ptp"}, json.loads(entry)]
    run("uninstall.yaml")
    assert path.read_text() == LIST and not list((tmp_path / "opt/cni/bin").iterdir())
