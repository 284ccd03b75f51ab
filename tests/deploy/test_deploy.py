# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of deploy/: they parse, say what their comments say, and their arguments mean something.

tests/e2e runs the same containers for real."""

import re

import lib
import pytest
import yaml

DEPLOY = lib.ROOT / "deploy"
FILES = sorted(DEPLOY.glob("*.yaml"))
INJECTOR = ["istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "",
            "-b", "*", "-d", "15090,15021,15020", "--log_output_level=default:info"]


def documents(name):
    return list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))


def pods():
    for path in FILES:
        for document in documents(path.name):
            if document.get("kind") == "Pod":
                yield pytest.param(document["spec"], documents(path.name), id=path.stem)


def dry_run(netns, args, env=None):
    result = netns.istio_init(*args, "--dry-run", env=env)
    assert result.returncode == 0, result.stderr
    # One summary line may be there, but nothing to complain of.
    assert not re.search(r"(?m)^istio-init: (warn|error)", result.stderr)
    return result.stdout


def redirect_port(rules, chain):
    return re.search(rf"(?m)^-A {chain} -p tcp -j REDIRECT --to-ports (\d+)$", rules)[1]


def test_all_files_are_known():
    assert [path.name for path in FILES] == ["exclusions-configmap.yaml", "istio-values.yaml", "least-privilege.yaml",
                                             "pod.yaml"]
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    for path in FILES:
        assert f"[{path.name}]({path.name})" in readme


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_are_commented_and_name_no_registry(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# SPDX-License-Identifier: GPL-2.0-or-later\n#\n# ")
    images = re.findall(r"(?m)^[^#]*\bimage: (\S+)$", text)
    assert images and all(image.startswith("example.org/") for image in images)


@pytest.mark.parametrize("spec, _", pods())
def test_security_contexts(spec, _):
    """The least that each container can do with."""
    for container in spec["initContainers"] + spec["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False and not context.get("privileged")
        assert context["capabilities"]["drop"] == ["ALL"]
        added = context["capabilities"].get("add", [])
        if container["name"] == "istio-init":
            assert (context["runAsUser"], context["runAsGroup"], context["runAsNonRoot"]) == (0, 0, False)
            nftables = "--backend=nftables" in container["args"]
            assert added == (["NET_ADMIN"] if nftables else ["NET_ADMIN", "NET_RAW"])
        else:
            assert added == [] and context["runAsNonRoot"] is True
            user = 1000 if container["name"] == "application" else 1337
            assert (context["runAsUser"], context["runAsGroup"]) == (user, user)
        if container["name"] != "application":
            assert context["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("spec, found", pods())
def test_volumes(spec, found):
    """Every mount has its volume, and every volume its ConfigMap, here or in pod.yaml."""
    maps = [document["metadata"]["name"] for document in found + documents("pod.yaml")
            if document["kind"] == "ConfigMap"]
    volumes = {volume["name"]: volume["configMap"]["name"] for volume in spec["volumes"]}
    mounted = {mount["name"] for container in spec["initContainers"] + spec["containers"]
               for mount in container.get("volumeMounts", [])}
    assert mounted == set(volumes) and set(volumes.values()) <= set(maps)


@pytest.mark.parametrize("spec, found", pods())
def test_arguments(netns, tmp_path, spec, found):
    """The rules redirect to the ports that the proxy's configuration binds, all containers with the same rules."""
    for document in found:
        if document["kind"] == "ConfigMap":
            for name, text in document["data"].items():
                (tmp_path / name).write_text(text, encoding="utf-8")
    rules = set()
    for container in spec["initContainers"]:
        args = [word.replace("@/etc/istio-init", f"@{tmp_path}") for word in container["args"]]
        # A dry run prints what --format says, whatever the backend; nftables text has its own tests.
        rules.add(dry_run(netns, [*args, "--format=iptables"]))
    text, = rules
    assert ("-A ISTIO_OUTPUT -d 198.51.100.0/24 -j RETURN\n" in text) == ("-x" in spec["initContainers"][0]["args"])
    config = documents("pod.yaml")[0]["data"]["haproxy.cfg"]
    for chain, frontend in ("ISTIO_REDIRECT", "outbound"), ("ISTIO_IN_REDIRECT", "inbound"):
        assert re.search(rf"frontend {frontend}\n +bind 0\.0\.0\.0:{redirect_port(text, chain)}\n", config)
    proxy = next(container for container in spec["containers"] if container["name"] == "proxy")
    assert f"--uid-owner {proxy['securityContext']['runAsUser']} -j RETURN" in text
    assert "-A ISTIO_INBOUND -p tcp -m tcp --dport 15021 -j RETURN\n" in text


def test_probe_is_not_captured():
    config, pod = documents("pod.yaml")
    probe = next(container for container in pod["spec"]["containers"] if "readinessProbe" in container)
    probe = probe["readinessProbe"]["httpGet"]
    assert f"0.0.0.0:{probe['port']}\n" in config["data"]["haproxy.cfg"]
    assert f"monitor-uri {probe['path']}\n" in config["data"]["haproxy.cfg"]


def test_istio_values(netns, tmp_path):
    """What the injector makes of the values, as far as it concerns this program."""
    values, = documents("istio-values.yaml")
    # The injector takes an image with a slash as it is; any other gets global.hub and global.tag.
    assert "/" in values["global"]["proxy_init"]["image"]
    assert not {"hub", "tag"} & values["global"].keys()
    env = values["meshConfig"]["defaultConfig"]["proxyMetadata"]
    assert all(isinstance(value, str) for value in env.values())
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 10.96.0.10\n", encoding="ascii")
    plain = dry_run(netns, INJECTOR)
    rules = dry_run(netns, [*INJECTOR, f"--resolv-conf={resolv}"], env)
    # The environment reaches the program: DNS is captured.
    assert "ISTIO_OUTPUT_DNS" in rules and "ISTIO_OUTPUT_DNS" not in plain
    native = dry_run(netns, [*INJECTOR, "--native-nftables"])
    assert "table inet istio-proxy-nat" in native


def test_istio_template():
    """The second template is YAML without its Go lines, and changes only the container of that name."""
    webhook = documents("istio-values.yaml")[0]["sidecarInjectorWebhook"]
    assert webhook["defaultTemplates"] == ["sidecar", *webhook["templates"]]
    lines = webhook["templates"]["istio-init"].splitlines()
    patch = yaml.safe_load("\n".join(line for line in lines if not line.startswith("{{-")))
    assert patch.keys() == {"spec"} and patch["spec"].keys() == {"initContainers"}
    container, = patch["spec"]["initContainers"]
    assert container["name"] == "istio-init" and container["securityContext"] == {"readOnlyRootFilesystem": True}


def test_readme_commands(netns):
    """The commands of the README that need no cluster do what it says."""
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"(?m)^istio-init (.*)$", readme)
    assert len(lines) == 3
    for line in lines:
        result = netns.istio_init(*line.split())
        assert result.returncode == 0, f"{line}\n{result.stderr}"
