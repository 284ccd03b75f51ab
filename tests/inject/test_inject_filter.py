# SPDX-License-Identifier: GPL-2.0-or-later
"""Documents in and out: what passes byte for byte, what is changed, in which form."""

import json

import injection
import jsonpatch
import pytest
import yaml

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "i"}]}}
KINDS = {
    "Pod": ("v1", []),
    "Deployment": ("apps/v1", ["spec", "template"]),
    "DaemonSet": ("apps/v1", ["spec", "template"]),
    "StatefulSet": ("apps/v1", ["spec", "template"]),
    "ReplicaSet": ("apps/v1", ["spec", "template"]),
    "ReplicationController": ("v1", ["spec", "template"]),
    "Job": ("batch/v1", ["spec", "template"]),
    "CronJob": ("batch/v1", ["spec", "jobTemplate", "spec", "template"]),
    "DeploymentConfig": ("apps.openshift.io/v1", ["spec", "template"]),
}


def workload(kind, name="web", **metadata):
    version, path = KINDS[kind]
    pod = TEMPLATE
    for key in reversed(path):
        pod = {key: pod}
    if kind == "Pod":
        metadata = {**TEMPLATE["metadata"], **metadata}
    return {"apiVersion": version, "kind": kind, **pod, "metadata": {"name": name, **metadata}}


def pod_of(document):
    for key in KINDS[document["kind"]][1]:
        document = document[key]
    return document


def names(document):
    spec = pod_of(document)["spec"]
    return [c["name"] for c in spec.get("initContainers", [])], [c["name"] for c in spec["containers"]]


INJECTED = ["istio-init", "istio-proxy"], ["app"]


@pytest.mark.parametrize("text", [
    injection.FOREIGN,
    injection.FOREIGN.replace("\n", "\r\n"),
    "\ufeff" + injection.FOREIGN,
    injection.FOREIGN.rstrip("\n"),
    "",
    "\n\n# nothing\n",
    "---\n---\n",
    'a: "\n---x"\n',
    '{"kind": "Service",\n "x":1e3, "y": "\\u0041\\/"}\n\n[1, 0.10] 7 "s"\n',
    "\ufeff{}\r\n",
], ids=str)
def test_what_is_not_injected_passes_byte_for_byte(tmp_path, text):
    assert injection.inject(tmp_path, text) == text.encode()


def test_only_the_injected_document_changes(tmp_path):
    text = injection.FOREIGN + "---\n" + injection.POD + "--- # tail\nx: 0x1 # kept\n"
    out = injection.inject(tmp_path, text).decode()
    assert out.startswith(injection.FOREIGN + "---\napiVersion: v1\nkind: Pod\n")
    assert out.endswith("--- # tail\nx: 0x1 # kept\n")
    assert names(list(yaml.safe_load_all(out.split("scalar\n---\n")[1]))[0]) == INJECTED


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_every_kind(tmp_path, kind, form):
    document = workload(kind)
    text = json.dumps(document) if form == "json" else yaml.safe_dump(document)
    out = injection.inject(tmp_path, text)
    assert names(yaml.safe_load(out)) == INJECTED
    assert (out[:1] == b"{") == (form == "json")
    assert injection.inject(tmp_path, out) == out


@pytest.mark.parametrize("version,kind", [("extensions/v1beta1", "Deployment"), ("apps/v1beta2", "StatefulSet"),
                                          ("batch/v1beta1", "CronJob"), ("v1", "DeploymentConfig")])
def test_older_versions_by_kind_alone(tmp_path, version, kind):
    document = {**workload(kind), "apiVersion": version}
    assert names(json.loads(injection.inject(tmp_path, json.dumps(document)))) == INJECTED


def test_lists_also_nested(tmp_path):
    inner = {"kind": "DeploymentList", "items": [workload("Deployment", "b"), {"kind": "Secret"}]}
    text = json.dumps({"kind": "List", "apiVersion": "v1", "items": [workload("Pod", "a"), inner, 7]})
    out = json.loads(injection.inject(tmp_path, text))
    assert names(out["items"][0]) == INJECTED and names(out["items"][1]["items"][0]) == INJECTED
    assert out["items"][1]["items"][1] == {"kind": "Secret"} and out["items"][2] == 7
    patches = json.loads(injection.inject(tmp_path, text, "-o", "patch"))
    assert [p["name"] for p in patches] == ["a", "b"]
    assert all(op["path"].startswith("/items/1/items/0/spec/template/") for op in patches[1]["patch"])


def test_spelling_survives_in_lists(tmp_path):
    pod = '{"kind":"Pod","metadata":{"name":"\\u0061"},"spec":{"containers":[{"name":"app","e":"\\/", "x":1E3}]}}'
    text = f'{{"kind":"List", "items":[ {pod} , {{"a":0.10}},{pod}]}}'
    out = injection.inject(tmp_path, text).decode()
    head, tail = pod.split('"spec"')[0][:-2], pod.split('"containers"')[1][:-2]
    assert out.count(head) == 2 and out.count(tail) == 2 and '{"a":0.10}' in out
    text = ("kind: List\nitems:\n- kind: Pod\n  mode: 0644\n  metadata: {name: a}\n"
            "  spec: {containers: [{name: app, x: yes}]}\n")
    out = injection.inject(tmp_path, text).decode()
    assert "\n  mode: 0644\n" in out and "\n      x: yes\n" in out


def test_files_in_order_and_standard_input(tmp_path):
    first = injection.write(tmp_path / "first.yaml", "a: 1")
    second = injection.write(tmp_path / "second.yaml", "b: 2\n")
    third = injection.write(tmp_path / "third.json", '{"c": 3}')
    result = injection.run(tmp_path, "-f", second, "-f", "-", f"--filename={first}", "-f", third, input="x: 0\n")
    assert result.returncode == 0
    assert result.stdout == 'b: 2\n---\nx: 0\n---\na: 1\n---\n{"c": 3}'
    assert injection.run(tmp_path, "-f", third, "-f", third).stdout == '{"c": 3}\n{"c": 3}'
    assert injection.run(tmp_path, "-f", third, "-f", first, "-o", "yaml").stdout == "---\nc: 3\n---\na: 1"
    assert injection.run(tmp_path, "-f", first, "-f", third, "-o", "json").stdout == '{\n  "a": 1\n}\n{"c": 3}'
    assert injection.run(tmp_path, "-f", first, env={"ISTIO_INJECT_FILENAME": str(second)}).stdout == "a: 1"
    assert injection.run(tmp_path, env={"ISTIO_INJECT_FILENAME": str(second)}).stdout == "b: 2\n"


def test_spelling_of_what_is_foreign_survives_in_json(tmp_path):
    text = ('{"kind":"Pod", "metadata" : {"name":"\\u0061pp","x":1e3},\n'
            '  "spec":{"containers":[{"name":"app","cpu":0.10,"big":123456789012345678901234567890,"e":"\\/"}],"z":-0.0}}\n')
    out = injection.inject(tmp_path, text).decode()
    for part in ('"metadata" : {"name":"\\u0061pp","x":1e3,', '"big":123456789012345678901234567890,"e":"\\/"}]', '"z":-0.0',
                 '{"name":"app","cpu":0.10,'):
        assert part in out
    assert out.endswith("}}\n") and out.startswith('{"kind":"Pod", "metadata" : ')
    assert names(json.loads(out)) == INJECTED


def test_json_of_many_lines_stays_so(tmp_path):
    for indent in (2, 4, "\t"):
        document = json.dumps(workload("Deployment"), indent=indent)
        out = injection.inject(tmp_path, document).decode()
        assert out == json.dumps(json.loads(out), indent=indent)


def test_spelling_of_plain_scalars_survives_in_yaml(tmp_path):
    text = injection.POD + "    x: 0644\n    b: yes\n    t: 12:30\n    z:\n    u: 1_000\n    q: 'x'\n    s: \"80\"\n    d: 2020-01-02\n"
    out = injection.inject(tmp_path, text).decode()
    for line in text.replace("'x'", "x").splitlines():
        assert f"\n{line}\n" in "\n" + out, line
    patch = json.loads(injection.inject(tmp_path, text, "-o", "json"))["spec"]["containers"][0]
    assert patch == {"name": "app", "image": "example.org/app", "x": 420, "b": True, "t": "12:30", "z": None, "u": 1000,
                     "q": "x", "s": "80", "d": "2020-01-02"}


def test_changed_yaml_keeps_mark_end_and_line_ends(tmp_path):
    text = ("\ufeff--- # x\n" + injection.POD + "...\n").replace("\n", "\r\n")
    result = injection.run(tmp_path, input=text.encode(), text=False)
    out = result.stdout.decode()
    assert out.startswith("\ufeff---\r\napiVersion: v1\r\n") and out.endswith("...\r\n")
    assert "\n" not in out.replace("\r\n", "")
    assert result.stderr.decode().count("the comments of this document are lost") == 1


def test_comments_are_lost_with_one_warning_a_document(tmp_path):
    commented = "# one\n" + injection.POD + "# two\n"
    result = injection.run(tmp_path, input=commented + "---\n" + injection.POD + "...\n" + injection.FOREIGN)
    assert result.returncode == 0 and "# one" not in result.stdout
    assert result.stderr.count("the comments of this document are lost") == 1


def test_anchors_are_expanded(tmp_path):
    text = "kind: Pod\nmetadata: {name: a}\nx: &x {k: 0x1, l: [1]}\ny: *x\nz:\n  <<: *x\n  k: 2\nspec: {containers: [{name: app}]}\n"
    out = yaml.safe_load(injection.inject(tmp_path, text))
    assert out["y"] == {"k": 1, "l": [1]} and out["z"] == {"k": 2, "l": [1]}


def test_conversion_of_all_documents(tmp_path):
    as_json = injection.inject(tmp_path, injection.FOREIGN + "---\n" + injection.POD, "-o", "json").decode()
    decoder, values = json.JSONDecoder(), []
    while as_json:
        value, end = decoder.raw_decode(as_json)
        values.append(value)
        as_json = as_json[end:].lstrip()
    assert [values[0], values[2]] == [{"kind": "Service", "metadata": {"name": "x", "h": 16, "f": 1e3, "g": 0.1,
                                                                        "big": 123456789012345678901234567890}},
                                       ["just", "a list"]]
    assert names(values[-1]) == INJECTED
    as_yaml = injection.inject(tmp_path, '{"a": "yes"} [1]', "-o", "yaml").decode()
    assert as_yaml == '---\na: "yes"\n---\n- 1\n'


@pytest.mark.parametrize("kind", KINDS)
def test_the_patch_gives_what_the_filter_prints(tmp_path, kind):
    document = workload(kind, namespace="shop")
    text = json.dumps(document)
    (entry,) = json.loads(injection.inject(tmp_path, text, "-o", "patch"))
    assert (entry["kind"], entry["namespace"], entry["name"]) == (kind, "shop", "web")
    patched = jsonpatch.apply_patch(document, entry["patch"])
    assert patched == json.loads(injection.inject(tmp_path, text))
    assert json.loads(injection.inject(tmp_path, json.dumps(patched), "-o", "patch"))[0]["patch"] == []


def test_diff_shows_only_the_injection(tmp_path):
    text = "# c\n" + injection.POD.replace("name: app", "name: 'app'\n  generation: 0x1", 1)
    result = injection.run(tmp_path, "-o", "diff", input=text)
    assert result.returncode == 2
    changes = [line for line in result.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert changes and all(line.startswith("+") for line in changes)
    again = injection.run(tmp_path, "-o", "diff", input=injection.inject(tmp_path, text).decode())
    assert (again.returncode, again.stdout) == (0, "")


def test_deterministic(tmp_path):
    text = "\n---\n".join(json.dumps(workload(kind)) for kind in KINDS)
    for form in ("yaml", "json", "patch"):
        assert len({injection.inject(tmp_path, text, "-o", form) for _ in range(3)}) == 1


@pytest.mark.parametrize("args,namespace", [([], "default"), (["-n", "shop"], "shop")])
def test_namespace_of_objects_that_name_none(tmp_path, args, namespace):
    (entry,) = json.loads(injection.inject(tmp_path, injection.POD, "-o", "patch", *args))
    assert entry["namespace"] == namespace
    own = injection.POD.replace("name: app", "name: app\n  namespace: own", 1)
    assert json.loads(injection.inject(tmp_path, own, "-o", "patch", *args))[0]["namespace"] == "own"


def test_one_warning_for_a_pod_that_is_not_injected(tmp_path):
    text = injection.POD.replace("containers:", "hostNetwork: true\n  containers:")
    result = injection.run(tmp_path, "-n", "shop", input=text)
    assert (result.returncode, result.stdout) == (0, text)
    assert result.stderr.startswith("istio-inject: warn: Pod shop/app: not injected: host-network")
    assert result.stderr.count("\n") == 1


WRONG = {
    "syntax.yaml": ("a: 1\n---\nb: [1\n", "syntax.yaml:4:1: "),
    "twice.yaml": ("a: 1\n---\nb: 1\nb: 2\n", 'twice.yaml:4:1: the key "b" is there twice'),
    "twice.json": ('{"a": {"b": 1,\n"b": 2}}', 'twice.json:2:1: the key "b" is there twice'),
    "utf8.json": (b'{"a": "\xff"}', "utf8.json:1:8: bytes that are no UTF-8"),
    "nul.yaml": (b"a: \0\n", "nul.yaml:1:4: control characters are not allowed"),
    "tag.yaml": ("a: !x 1\n", "tag.yaml:1:4: the tag !x is none of the core ones"),
    "rest.json": ('{"a": 1}}', "rest.json:1:9: expected a value, not '}'"),
    "deep.json": ("[" * 101 + "]" * 101, "deep.json:1:101: more than 100 levels of values in values"),
    "flow.yaml": ("{a: [1}\n", "flow.yaml:1:"),
    "annotation.yaml": (injection.POD.replace("name: app", "name: app\n  annotations:\n    traffic.sidecar.istio.io/excludeInboundPorts: 80,x",
                                      1),
                        'annotation.yaml:6: Pod default/app: annotation traffic.sidecar.istio.io/excludeInboundPorts: "80,x": '
                        'item "x": expected a port'),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("form", [[], ["-o", "json"], ["-o", "diff"], ["-o", "patch"]], ids=str)
def test_a_wrong_document_is_named_and_nothing_is_written(tmp_path, name, form):
    text, message = WRONG[name]
    good = injection.write(tmp_path / "good.yaml", injection.POD)
    bad = injection.write(tmp_path / name, text)
    result = injection.run(tmp_path, *form, "-f", good, "-f", bad)
    assert (result.returncode, result.stdout) == (65, "")
    assert f"istio-inject: error: {tmp_path}/{message}" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_file_that_cannot_be_read(tmp_path):
    result = injection.run(tmp_path, "-f", tmp_path / "none.yaml")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"istio-inject: error: {tmp_path}/none.yaml: No such file or directory\n"


def test_no_room_for_the_output(tmp_path):
    injection.write(tmp_path / "config.yaml", injection.CONFIG)
    command = f"{injection.BINARY} -c {tmp_path}/config.yaml >/dev/full"
    result = injection.lib.run(["sh", "-c", command], input=injection.POD)
    assert result.returncode == 1
    assert "cannot write to standard output: No space left on device" in result.stderr
