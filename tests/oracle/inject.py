# SPDX-License-Identifier: GPL-2.0-or-later
"""What an injection makes of a pod, written a second time from the contract.

The configuration and the pods are plain values, as yaml.safe_load gives them.
"""

import copy
import json
import re

KEYS = {"containers": "name", "initContainers": "name", "volumes": "name", "env": "name", "imagePullSecrets": "name",
        "volumeMounts": "mountPath", "volumeDevices": "devicePath", "ports": "containerPort", "hostAliases": "ip",
        "topologySpreadConstraints": "topologyKey"}
AT_END = ("volumes", "imagePullSecrets")
TRAFFIC = "traffic.sidecar.istio.io/"
STATUS = "sidecar.istio.io/status"
OVERRIDES = "proxy.istio.io/overrides"
NOTHING = object()
# What the API server appends to each pod that does not say otherwise
TOLERATIONS = [{"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": 300} for key in ("not-ready", "unreachable")]


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def true(text):
    return text in ("1", "t", "T", "true", "TRUE", "True")


def named(items, name):
    return next((item for item in items or [] if item.get("name") == name), None)


# Merge


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(part) for key, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def merge(base, over, field=None, keep_nulls=False):
    if isinstance(base, dict) and isinstance(over, dict):
        merged = dict(base)
        for key, value in over.items():
            if value is None and not keep_nulls:
                merged.pop(key, None)
            elif merged.get(key) is None:
                merged[key] = value if keep_nulls else without_nulls(value)
            else:
                merged[key] = merge(merged[key], value, key, keep_nulls)
        return merged
    if field in KEYS and isinstance(base, list) and isinstance(over, list):
        return merge_lists(base, over, field, keep_nulls)
    return over if keep_nulls else without_nulls(over)


def merge_lists(base, over, field, keep_nulls):
    key = KEYS[field]
    of_base = {item[key]: item for item in base}
    of_over = {item[key]: item for item in over}
    both = {}
    for name in of_base.keys() & of_over.keys():
        old, new = of_base[name], of_over[name]
        sources = [part for part in new if part != "name"]
        if field == "volumes" and sources and sources[0] not in old:
            both[name] = new
        else:
            both[name] = merge(old, new, None, keep_nulls)
    fresh = {name: item if keep_nulls else without_nulls(item) for name, item in of_over.items()}
    if field in AT_END:
        return [both.get(item[key], item) for item in base] + \
               [item for name, item in fresh.items() if name not in of_base]
    return [both.get(name, item) for name, item in fresh.items()] + \
           [item for item in base if item[key] not in of_over]


# Variables and conditions


def closing(text, start):
    """The index of the brace that ends the reference whose inside begins at @start."""
    depth = 1
    for i in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if not depth:
            return i
    raise ValueError(text)


class Pod:
    """One pod, and what is known of it."""

    def __init__(self, config, pod, namespace, workload):
        self.config, self.pod, self.namespace, self.workload = config, pod, namespace, workload
        metadata = pod.get("metadata") or {}
        self.labels = metadata.get("labels") or {}
        self.notes = metadata.get("annotations") or {}
        self.spec = pod["spec"]
        self.status = json.loads(self.notes.get(STATUS, "{}"))
        self.proxy = config.get("proxy", "istio-proxy")
        self.overlays = self.chosen()
        self.sidecar = all(config["overlays"][name].get("sidecar", True) for name in self.overlays)
        self.native = self.sidecar and self.flag("sidecar.istio.io/nativeSidecar", config.get("native", True))
        self.hold = not self.native and config.get("hold", False)
        self.metadata = config.get("proxyConfig", {}).get("proxyMetadata", {})
        self.mode = self.notes.get("sidecar.istio.io/interceptionMode") or \
            config.get("capture", {}).get("istio-inbound-interception-mode", "REDIRECT")
        if not self.sidecar and config.get("init") == "cni":
            self.mode = "NONE"
        self.port = self.notes.get("status.sidecar.istio.io/port", str(config.get("statusPort", 15020)))

    def flag(self, name, default):
        return true(self.notes[name]) if name in self.notes else default

    def listed(self, name):
        return any(name in (self.status.get(where) or []) for where in ("containers", "initContainers"))

    def chosen(self):
        overlays, aliases = self.config.get("overlays", {}), self.config.get("aliases", {})
        if "inject.istio.io/templates" not in self.notes:
            return list(dict.fromkeys(self.config.get("default", list(overlays))))
        names = [name.strip() for name in self.notes["inject.istio.io/templates"].split(",")]
        return list(dict.fromkeys(of for name in names if name
                                  for of in ([name] if name in overlays else aliases[name])))

    def apps(self):
        return [container for container in self.spec.get("containers") or []
                if container["name"] != self.proxy and not self.listed(container["name"])]

    def variable(self, name):
        kind, _, key = name.partition(":")
        if kind in ("annotation", "label", "proxyMetadata"):
            return {"annotation": self.notes, "label": self.labels, "proxyMetadata": self.metadata}[kind].get(key, "")
        metadata = self.pod.get("metadata") or {}
        work = self.workload
        values = {
            "pod.name": lambda: metadata.get("name") or metadata.get("generateName") or "",
            "pod.namespace": lambda: self.namespace,
            "pod.serviceAccount": lambda: self.spec.get("serviceAccountName") or "default",
            "workload.name": lambda: work[0],
            "workload.kind": lambda: work[1].lower(),
            "workload.plural": lambda: work[1].lower() + "s",
            "workload.apiVersion": lambda: work[2],
            "workload.namespace": lambda: self.namespace,
            "workload.owner": lambda: f"kubernetes://apis/{work[2]}/namespaces/{self.namespace}/{work[1].lower()}s/"
                                      f"{work[0]}" if work[2] else "",
            "canonical.name": lambda: (self.label("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
                                       or work[0])[:63].strip("-_."),
            "canonical.revision": lambda: self.label("service.istio.io/canonical-revision",
                                                     "app.kubernetes.io/version", "version") or "latest",
            "mode": lambda: self.mode,
            "native": lambda: "true" if self.native else "",
            "hold": lambda: "true" if self.hold else "",
            "init": lambda: self.config.get("init", "container"),
            "status.port": lambda: "" if self.port == "0" else self.port,
            "revision": lambda: self.config.get("revision", "default"),
            "proxy.uid": lambda: self.notes.get("istio-init/proxy-uid") or
            self.config.get("capture", {}).get("proxy-uid", "1337"),
            "app.containers": lambda: ",".join(container["name"] for container in self.apps()),
            "app.first": lambda: next((container["name"] for container in self.apps()), ""),
            "app.ports": lambda: compact([{key: port[key] for key in
                                           ("name", "hostPort", "containerPort", "protocol", "hostIP") if key in port}
                                          for container in self.apps() for port in container.get("ports") or []]),
            "proxyConfig": lambda: compact(self.config.get("proxyConfig", {})),
            "resources": lambda: compact(self.resources()),
        }
        return values[name]()

    def label(self, *names):
        return next((self.labels[name] for name in names if self.labels.get(name)), "")

    def resources(self):
        resources = {}
        for kind, end in (("requests", ""), ("limits", "Limit")):
            for resource, name in (("cpu", "CPU"), ("memory", "Memory")):
                if f"sidecar.istio.io/proxy{name}{end}" in self.notes:
                    resources.setdefault(kind, {})[resource] = self.notes[f"sidecar.istio.io/proxy{name}{end}"]
        return resources or without_nulls(self.config.get("resources", {}))

    def reference(self, inside):
        name, bar, default = inside.partition("|")
        return self.variable(name) or (self.text(default) if bar else "")

    def text(self, text):
        out, i = "", 0
        while i < len(text):
            if text.startswith("$${", i):
                out, i = out + "${", i + 3
            elif text.startswith("${", i):
                end = closing(text, i + 2)
                out, i = out + self.reference(text[i + 2:end]), end + 1
            else:
                out, i = out + text[i], i + 1
        return out

    def scalar(self, text):
        typed = re.match(r"\$\{(int|bool|json):", text)
        if not typed or closing(text, 2) != len(text) - 1:
            return self.text(text)
        value = self.reference(text[typed.end():-1])
        return {"int": int, "bool": true, "json": json.loads}[typed.group(1)](value)

    def holds(self, condition):
        if isinstance(condition, list):
            return all(self.holds(each) for each in condition)
        different, equal = condition.partition("!="), condition.partition("=")
        if different[1]:
            return self.variable(different[0]) != different[2]
        if equal[1]:
            return self.variable(equal[0]) == equal[2]
        if condition.startswith("!"):
            return not self.holds(condition[1:])
        return self.variable(condition) not in ("", "false", "0")

    def expand(self, value):
        """The value for this pod, or NOTHING."""
        if isinstance(value, str):
            return self.scalar(value)
        if isinstance(value, list):
            items = []
            for item in value:
                part = self.expand(item)
                if isinstance(item, dict) and "$if" in item and isinstance(part, list):
                    items += part
                elif part is not NOTHING:
                    items.append(part)
            return items if items or not value else NOTHING
        if not isinstance(value, dict):
            return value
        if "$if" in value and not self.holds(value["$if"]):
            return self.expand(value["$else"]) if "$else" in value else NOTHING
        if "$value" in value:
            return self.expand(value["$value"])
        rest = {key: part for key, part in value.items() if key not in ("$if", "$else")}
        parts = {key: self.expand(part) for key, part in rest.items()}
        parts = {key: part for key, part in parts.items() if part is not NOTHING}
        return parts if parts or not rest else NOTHING


# istio-init's options


def option(pod, names, option_name, default):
    for name in names:
        if name in pod.notes:
            return pod.notes[name], True
    return pod.config.get("capture", {}).get(option_name, default), False


def exclude_ports(pod):
    text, _ = option(pod, [TRAFFIC + "excludeInboundPorts"], "istio-local-exclude-ports", "")
    ports = [port.strip() for port in text.split(",") if port.strip()]
    return ports + ([pod.port] if pod.port != "0" and pod.port not in ports else [])


def uid(pod, proxy):
    user = ((proxy or {}).get("securityContext") or {}).get("runAsUser")
    return pod.notes.get("istio-init/proxy-uid") or \
        (str(user) if user else pod.config.get("capture", {}).get("proxy-uid", "1337"))


def args(pod, proxy):
    cni = pod.config.get("init") == "cni"
    found = ["istio-iptables", "-p", "15001", "-z", "15006", "-u", uid(pod, proxy), "-m", pod.mode]
    for letter, name, option_name, default in (
            ("-i", "includeOutboundIPRanges", "istio-service-cidr", "*"),
            ("-x", "excludeOutboundIPRanges", "istio-service-exclude-cidr", ""),
            ("-b", "includeInboundPorts", "istio-inbound-ports", "*")):
        found += [letter, option(pod, [TRAFFIC + name], option_name, default)[0]]
    found += ["-d", ",".join(["15090", "15021", *exclude_ports(pod)])]
    for letter, names, option_name in (
            ("-q", [TRAFFIC + "includeOutboundPorts"], "istio-outbound-ports"),
            ("-o", [TRAFFIC + "excludeOutboundPorts"], "istio-local-outbound-ports-exclude"),
            ("-k", ["istio.io/reroute-virtual-interfaces", TRAFFIC + "kubevirtInterfaces"], "kube-virt-interfaces"),
            ("-c", [TRAFFIC + "excludeInterfaces"], "istio-exclude-interfaces")):
        text, annotated = option(pod, names, option_name, "")
        found += [letter, text] if annotated or text else []
    found.append("--log_output_level=" + option(pod, ["sidecar.istio.io/agentLogLevel"], "log_output_level",
                                                "default:info")[0])
    found += ["--run-validation", "--skip-rule-apply"] if cni else []
    group = ((proxy or {}).get("securityContext") or {}).get("runAsGroup")
    gid = option(pod, ["istio-init/proxy-gid"], "proxy-gid", None)[0]
    if gid is None and pod.mode == "TPROXY" and group and str(group) != uid(pod, proxy):
        gid = str(group)
    found += [f"--proxy-gid={gid}"] if gid is not None and not cni else []
    for name in ("redirect-dns", "backend", "comments"):
        text, _ = option(pod, [f"istio-init/{name}"], name, None)
        if text is not None and not (cni and name == "redirect-dns"):
            found.append(f"--{name}" if true(text) else f"--{name}={text}")
    return found


# The injection


def with_metadata(pod, container):
    env = list(container.get("env", []))
    for name in sorted(pod.metadata):
        new, old = {"name": name, "value": pod.metadata[name]}, named(env, name)
        if old:
            env[env.index(old)] = new
        else:
            env.append(new)
    return {**container, "env": env} if env else container


def maker(pod, proxy):
    cni = pod.config.get("init") == "cni"
    number = int(uid(pod, proxy)) if pod.mode != "TPROXY" else 1337
    group = ((proxy or {}).get("securityContext") or {}).get("runAsGroup") or number
    capabilities = {"drop": ["ALL"]} if cni else {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]}
    container = {"name": "istio-validation" if cni else "istio-init", "args": args(pod, proxy),
                 "securityContext": {"runAsUser": number if cni else 0, "runAsNonRoot": cni, "privileged": False,
                                     "runAsGroup": (1337 if pod.mode == "TPROXY" else group) if cni else 0,
                                     "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                     "capabilities": capabilities}}
    if pod.resources():
        container["resources"] = pod.resources()
    return with_metadata(pod, merge(container, pod.expand(pod.config["initContainer"])))


class Injection:
    """The first injection of a pod."""

    def __init__(self, pod):
        self.pod, self.overrides = pod, {}
        over = {}
        for name in pod.overlays:
            expanded = pod.expand({key: part for key, part in pod.config["overlays"][name].items() if key != "sidecar"})
            over = merge(over, {} if expanded is NOTHING else expanded, None, True)
        self.over, self.spec = over, over.get("spec", {})

    def container(self, overlay, where):
        """Ours, with what the user has written under the name laid over it."""
        pod = self.pod
        user = named(pod.spec.get("containers"), overlay["name"]) or \
            named(pod.spec.get("initContainers"), overlay["name"])
        if not user:
            return without_nulls(overlay)
        user = {key: part for key, part in user.items() if (key, part) != ("image", "auto")}
        self.overrides.setdefault(where, []).append(user)
        if pod.mode == "TPROXY" and overlay["name"] == pod.proxy and \
                "runAsUser" in overlay.get("securityContext", {}) and "securityContext" in user:
            user = {**user, "securityContext": {key: part for key, part in user["securityContext"].items()
                                                if key != "runAsUser"}}
        return merge(without_nulls(overlay), user)

    def run(self):
        pod, config = self.pod, self.pod.config
        proxy = named(self.spec.get("containers"), pod.proxy)
        others = [self.container(item, "containers") for item in self.spec.get("containers", []) if item is not proxy]
        if proxy:
            proxy = {**with_metadata(pod, proxy), **({"restartPolicy": "Always"} if pod.native else {})}
            proxy = self.container(proxy, "initContainers" if pod.native else "containers")
        inits = [self.container(item, "initContainers") for item in self.spec.get("initContainers", [])]
        first = []
        if pod.sidecar and pod.mode != "NONE" and (config.get("init") != "cni" or config.get("validation", True)):
            known = proxy or named(pod.spec.get("containers"), pod.proxy)
            first = [self.container(maker(pod, known), "initContainers")]
        result = copy.deepcopy(pod.pod)
        result["metadata"] = merge(result.get("metadata") or {}, self.over.get("metadata", {}))
        result["spec"] = merge(pod.spec, {key: part for key, part in self.spec.items()
                                          if key not in ("containers", "initContainers")})
        self.place(result["spec"], first, proxy, inits, others)
        self.annotate(result, first, proxy, inits, others)
        return result

    def place(self, spec, first, proxy, inits, others):
        pod = self.pod
        ours = {item["name"] for item in [*first, *inits, *others, *([proxy] if proxy else [])]}
        own = {where: [item for item in pod.spec.get(where) or [] if item["name"] not in ours]
               for where in ("initContainers", "containers")}
        front = [proxy] if proxy else []
        order = pod.notes.get("istio-inject/order", pod.config.get("order", "auto"))
        validation = [item for item in first if item["name"] == "istio-validation"]
        late = [item for item in first if item["name"] == "istio-init"]
        block = first + front + inits if pod.native else validation + inits + late
        names = [item["name"] for item in own["initContainers"]]
        if order.startswith("after:") and order[6:] in names:
            index = names.index(order[6:]) + 1
        else:
            index = {"first": 0, "last": len(names)}.get(order)
        if index is not None:
            placed = own["initContainers"][:index] + block + own["initContainers"][index:]
        elif pod.native:
            placed = block + own["initContainers"]
        else:
            placed = validation + own["initContainers"] + inits + late
        if placed or pod.spec.get("initContainers") is not None:
            spec["initContainers"] = placed
        rest = own["containers"] + others
        spec["containers"] = rest if pod.native else front + rest if pod.hold else rest + front

    def annotate(self, result, first, proxy, inits, others):
        pod = self.pod
        notes = result["metadata"].setdefault("annotations", {}) or {}
        result["metadata"]["annotations"] = notes
        if pod.config.get("init") == "cni":
            self.tell_plugin(notes, proxy)
        if self.overrides:
            notes[OVERRIDES] = self.overrides
        front = [proxy] if proxy else []
        containers = [item["name"] for item in self.spec.get("containers", [])
                      if not (pod.native and item["name"] == pod.proxy)]
        names = {"initContainers": [item["name"] for item in first + (front if pod.native else []) + inits],
                 "containers": containers,
                 "volumes": [item["name"] for item in self.spec.get("volumes", [])],
                 "imagePullSecrets": [item["name"] for item in self.spec.get("imagePullSecrets", [])]}
        notes[STATUS] = compact({**{key: value or None for key, value in names.items()},
                                 "revision": pod.config.get("revision", "default")})

    def tell_plugin(self, notes, proxy):
        pod = self.pod
        if not pod.sidecar:
            notes["sidecar.istio.io/interceptionMode"] = "NONE"
            return
        notes["sidecar.istio.io/interceptionMode"] = pod.mode
        notes[TRAFFIC + "excludeInboundPorts"] = ",".join(exclude_ports(pod))
        for name, option_name, default, always in (
                ("includeInboundPorts", "istio-inbound-ports", "*", True),
                ("includeOutboundIPRanges", "istio-service-cidr", "*", False),
                ("excludeOutboundIPRanges", "istio-service-exclude-cidr", "", False),
                ("includeOutboundPorts", "istio-outbound-ports", "", False),
                ("excludeOutboundPorts", "istio-local-outbound-ports-exclude", "", False)):
            text, annotated = option(pod, [TRAFFIC + name], option_name, default)
            if always or annotated or text:
                notes[TRAFFIC + name] = text
        if uid(pod, proxy) != "1337":
            notes["istio-init/proxy-uid"] = uid(pod, proxy)
        group = ((proxy or {}).get("securityContext") or {}).get("runAsGroup")
        if group and str(group) != "1337":
            notes.setdefault("istio-init/proxy-gid", str(group))
        for name in ("redirect-dns", "backend", "comments"):
            text, annotated = option(pod, [f"istio-init/{name}"], name, None)
            if text is not None:
                notes[f"istio-init/{name}"] = text
        if true(pod.metadata.get("ISTIO_META_DNS_CAPTURE", "")):
            notes.setdefault("istio-init/redirect-dns", "true")


def inject(config, pod, namespace, workload):
    return Injection(Pod(config, pod, namespace, workload)).run()


# The API server


def with_defaults(pod):
    """The pod with the API server's defaults."""
    pod = copy.deepcopy(pod)
    spec = pod["spec"]
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("securityContext", {})
    spec["tolerations"] = [*spec.get("tolerations", []), *(one for one in TOLERATIONS
                                                           if one not in spec.get("tolerations", []))]
    for container in [*spec["containers"], *(spec.get("initContainers") or [])]:
        container.setdefault("imagePullPolicy", "IfNotPresent")
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("resources", {})
        for port in container.get("ports") or []:
            port.setdefault("protocol", "TCP")
            if port.get("hostPort") == 0:
                del port["hostPort"]
        for variable in container.get("env") or []:
            if variable.get("value") == "":
                del variable["value"]
            field = (variable.get("valueFrom") or {}).get("fieldRef")
            if field:
                field.setdefault("apiVersion", "v1")
        for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
            if container.get(probe):
                container[probe] = {"timeoutSeconds": 1, "failureThreshold": 3, **container[probe]}
        for amounts in container["resources"].values():
            for name, amount in amounts.items():
                amounts[name] = {"1000m": "1", "0.5": "500m"}.get(str(amount), str(amount))
    for volume in spec.get("volumes") or []:
        for source in ("configMap", "projected", "secret"):
            if source in volume:
                volume[source].setdefault("defaultMode", 420)
        for part in (volume.get("projected") or {}).get("sources", []):
            if "serviceAccountToken" in part:
                part["serviceAccountToken"].setdefault("expirationSeconds", 3600)
    return pod


def with_token(pod):
    """The pod with the service account's token mounted into each container, as after the first answer."""
    pod = copy.deepcopy(pod)
    spec = pod["spec"]
    for container in [*spec["containers"], *(spec.get("initContainers") or [])]:
        container.setdefault("volumeMounts", []).append({"name": "kube-api-access-x", "readOnly": True,
                                                         "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"})
    spec.setdefault("volumes", []).append({"name": "kube-api-access-x", "projected": {"sources": [], "defaultMode": 420}})
    return pod
