# SPDX-License-Identifier: GPL-2.0-or-later
"""Named configurations that several kinds of tests go through, and how they are spelled.

A configuration is a dict: long options without their dashes, and variables that
have no option.  True is a boolean option, a list a repeated one.  "resolv.conf" is
the text of the file that --resolv-conf names.
"""

DNS_BOTH = "nameserver 127.0.0.53\nnameserver ::127.0.0.53\n"
DNS_V4 = "# made by hand\nsearch example.org\nnameserver 10.96.0.10\nnameserver 10.96.0.11\noptions ndots:5\n"
DNS_V6 = "nameserver fd00:10:96::a\n"
DNS_ODD = ("nameserver 10.96.0.10\nnameserver 10.96.0.10\nnameserver fe80::1%eth0\nnameserver fd00::1\n"
           "nameserver ::ffff:10.96.0.11\nnameserver fe80::1%eth1\n")

SIDECAR = {"sidecar": True}
TPROXY = {"sidecar": True, "istio-inbound-interception-mode": "TPROXY"}
DNS = {"sidecar": True, "redirect-dns": True}

NAMED = {
    # what is captured
    "nothing": {},
    "sidecar": SIDECAR,
    "sidecar-ipv4": {**SIDECAR, "ipv6": "off"},
    "injector": {"envoy-port": "15001", "inbound-capture-port": "15006", "proxy-uid": "1337",
                 "istio-inbound-interception-mode": "REDIRECT", "istio-service-cidr": "*",
                 "istio-service-exclude-cidr": "", "istio-inbound-ports": "*",
                 "istio-local-exclude-ports": "15090,15021,15020"},
    "sidecar-overridden": {**SIDECAR, "istio-inbound-ports": "80", "istio-service-cidr": ""},
    "ports": {**SIDECAR, "envoy-port": "16001", "inbound-capture-port": "16006", "inbound-tunnel-port": "16008"},
    "drop-invalid": {**SIDECAR, "drop-invalid": True},
    # inbound
    "inbound-list": {"istio-inbound-ports": "32000,31000"},
    "inbound-all": {"istio-inbound-ports": "*"},
    "inbound-ranges": {"istio-inbound-ports": "80, 8000-8100 ,9000:9001,80,,443-443"},
    "inbound-exclude": {"istio-inbound-ports": "*", "istio-local-exclude-ports": "22,1-2,65535,22"},
    "inbound-exclude-without-all": {"istio-inbound-ports": "80", "istio-local-exclude-ports": "80"},
    "inbound-cidrs": {**SIDECAR, "exclude-inbound-cidrs": "10.0.0.0/8,fd00::/8,192.168.1.1"},
    # outbound
    "outbound-all": {"istio-service-cidr": "*"},
    "outbound-list": {"istio-service-cidr": "10.0.0.0/8,2001:db8::/32,172.16.5.9/12,10.1.2.3/8"},
    "outbound-single": {"istio-service-cidr": "10.1.2.3,2001:db8::1"},
    "outbound-any": {"istio-service-cidr": "0.0.0.0/0,::/0"},
    "outbound-one-family": {"istio-service-cidr": "10.0.0.0/8"},
    "outbound-exclude": {**SIDECAR, "istio-service-exclude-cidr": "10.96.0.2/24,fd00::1/64,1.2.3.4"},
    "outbound-ports": {"istio-outbound-ports": "80,443,1000-2000"},
    "outbound-ports-exclude": {**SIDECAR, "istio-local-outbound-ports-exclude": "3306,5432,27017-27019"},
    "outbound-everything": {"istio-service-cidr": "10.0.0.0/8,fd00::/8", "istio-service-exclude-cidr": "10.9.0.0/16",
                            "istio-outbound-ports": "80", "istio-local-outbound-ports-exclude": "81"},
    "loopback-v4": {"istio-service-cidr": "127.1.2.3/32,10.0.0.0/8"},
    "loopback-v6": {"istio-service-cidr": "::1/128"},
    "loopback-as-written": {"istio-service-cidr": "127.0.0.1/0"},
    "loopback-all": {**SIDECAR, "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR": "127.0.0.0/8"},
    # owners
    "uid-zero": {**SIDECAR, "proxy-uid": "0", "proxy-gid": "1337"},
    "uids-gids": {**SIDECAR, "proxy-uid": "3,4", "proxy-gid": "1,2"},
    "uids-repeated": {**SIDECAR, "proxy-uid": "1337, 0,1337,", "proxy-gid": "5,5"},
    "uid-name": {**SIDECAR, "proxy-uid": "nobody"},
    "uid-name-group": {**SIDECAR, "proxy-uid": "games,daemon"},
    "gid-name": {**SIDECAR, "proxy-gid": "nogroup,0"},
    "uid-empty": {**SIDECAR, "proxy-uid": "", "proxy-gid": ""},
    "envoy-user": {**SIDECAR, "ENVOY_USER": "games"},
    "envoy-user-unknown": {**SIDECAR, "ENVOY_USER": "nobody-knows-this-user"},
    "uids-loopback": {"istio-service-cidr": "127.0.0.0/8", "proxy-uid": "1,2,3"},
    "groups": {**SIDECAR, "ISTIO_OUTBOUND_OWNER_GROUPS": "daemon,202,202"},
    "groups-one": {**SIDECAR, "ISTIO_OUTBOUND_OWNER_GROUPS": "1000"},
    "groups-none": {**SIDECAR, "ISTIO_OUTBOUND_OWNER_GROUPS": ""},
    "groups-exclude": {**SIDECAR, "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE": "daemon,202"},
    "groups-both": {**SIDECAR, "ISTIO_OUTBOUND_OWNER_GROUPS": "5", "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE": "6"},
    "groups-many": {**SIDECAR, "ISTIO_OUTBOUND_OWNER_GROUPS": ",".join(str(gid) for gid in range(100, 140))},
    "exclude-owners": {**SIDECAR, "exclude-outbound-uids": "1000,2000-2005", "exclude-outbound-gids": "50-60,7"},
    "exclude-ports-for-uids": {**SIDECAR, "exclude-outbound-ports-for-uids":
                               ["tcp:3306,8000-8100:1000-1005", "udp:53:7,8"]},
    "bypass-mark": {**SIDECAR, "bypass-mark": "0x100/0xff00"},
    "bypass-mark-whole": {**TPROXY, "bypass-mark": "7"},
    # interfaces
    "exclude-interfaces": {**SIDECAR, "istio-exclude-interfaces": "eth1,net+"},
    "virt": {"kube-virt-interfaces": "eth1,eth2", "istio-service-cidr": "10.0.0.0/8"},
    "virt-all": {**SIDECAR, "kube-virt-interfaces": "eth1,eth2"},
    "virt-two-cidrs": {"kube-virt-interfaces": "vm0,vm1,vm+", "istio-service-cidr": "10.0.0.0/8,fd00::/8,11.0.0.0/8"},
    "virt-nothing": {"kube-virt-interfaces": "vm0"},
    "virt-and-exclude": {**SIDECAR, "kube-virt-interfaces": "vm0", "istio-exclude-interfaces": "eth1,vm0"},
    "inner": {**SIDECAR, "inner-interfaces": "docker0,veth+"},
    "inner-cidrs": {"inner-interfaces": "br0,br1", "istio-service-cidr": "10.0.0.0/8,fd00::/8,11.0.0.0/8"},
    "inner-and-others": {**SIDECAR, "inner-interfaces": "br0", "kube-virt-interfaces": "vm0",
                         "istio-exclude-interfaces": "eth1", "exclude-inbound-cidrs": "10.0.0.0/8"},
    "inner-tproxy": {**TPROXY, "inner-interfaces": "br0,br1", "exclude-inbound-cidrs": "10.0.0.0/8"},
    "inner-dns": {**DNS, "inner-interfaces": "br0,br1", "resolv.conf": DNS_V4},
    "inner-dns-all": {**DNS, "inner-interfaces": "br0,br+", "capture-all-dns": True, "resolv.conf": DNS_BOTH},
    "inner-dns-zones-off": {**DNS, "inner-interfaces": "br0", "dns-zones": "off", "resolv.conf": DNS_BOTH},
    # open connections, foreign rules
    "keep": {**SIDECAR, "keep-connections": True},
    "keep-list": {"keep-connections": True, "istio-inbound-ports": "80", "istio-service-cidr": "10.0.0.0/8",
                  "istio-outbound-ports": "443"},
    "keep-tproxy": {**TPROXY, "keep-connections": True},
    "keep-dns": {**DNS, "keep-connections": True, "resolv.conf": DNS_BOTH},
    "keep-dns-all": {**DNS, "keep-connections": True, "capture-all-dns": True, "resolv.conf": DNS_V4},
    "jump-insert": {**SIDECAR, "jump": "insert"},
    # TPROXY
    "tproxy": TPROXY,
    "tproxy-istio": {**TPROXY, "proxy-uid": "0", "proxy-gid": "1337"},
    "tproxy-list": {"istio-inbound-interception-mode": "tproxy", "istio-inbound-ports": "80,8080-8090"},
    "tproxy-no-inbound": {"istio-inbound-interception-mode": "TPROXY", "istio-service-cidr": "*"},
    "tproxy-mark": {**TPROXY, "istio-inbound-tproxy-mark": "0x539f", "istio-inbound-tproxy-route-table": "77"},
    "tproxy-interfaces": {**TPROXY, "istio-exclude-interfaces": "eth1,eth2", "kube-virt-interfaces": "vm0"},
    "tproxy-invalid": {**TPROXY, "drop-invalid": True, "proxy-uid": "1,2", "proxy-gid": "3"},
    "tproxy-loopback": {**TPROXY, "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR": "127.0.0.1/8", "ipv6": "off"},
    "tproxy-inbound-cidrs": {**TPROXY, "exclude-inbound-cidrs": "10.0.0.0/8,fd00::/8"},
    "tproxy-dns": {**TPROXY, "redirect-dns": True, "resolv.conf": "nameserver 127.0.0.53\n",
                   "istio-service-cidr": "9.9.0.0/16", "istio-service-exclude-cidr": "1.1.0.0/16",
                   "istio-exclude-interfaces": "not-istio-nic"},
    # DNS
    "dns": {**DNS, "resolv.conf": DNS_BOTH},
    "dns-v4": {**DNS, "resolv.conf": DNS_V4},
    "dns-v6": {**DNS, "resolv.conf": DNS_V6},
    "dns-odd": {**DNS, "resolv.conf": DNS_ODD},
    "dns-no-server": {**DNS, "resolv.conf": "search example.org\n"},
    "dns-all": {**DNS, "capture-all-dns": True, "resolv.conf": DNS_BOTH},
    "dns-all-no-server": {**DNS, "capture-all-dns": True, "resolv.conf": ""},
    "dns-uids-gids": {**DNS, "resolv.conf": DNS_BOTH, "proxy-uid": "3,4", "proxy-gid": "1,2"},
    "dns-only": {"redirect-dns": True, "resolv.conf": DNS_BOTH},
    "dns-loopback": {**DNS, "resolv.conf": DNS_BOTH, "istio-service-cidr": "127.0.0.1/8"},
    "dns-zones-off": {**DNS, "dns-zones": "off", "resolv.conf": DNS_BOTH},
    "dns-all-zones-off": {**DNS, "dns-zones": "off", "capture-all-dns": True, "resolv.conf": DNS_V4},
    "dns-port": {**DNS, "dns-port": "5353", "inbound-tunnel-port": "16008", "resolv.conf": DNS_BOTH},
    "dns-groups": {**DNS, "resolv.conf": DNS_BOTH, "ISTIO_OUTBOUND_OWNER_GROUPS": "1,2",
                   "exclude-outbound-uids": "77", "istio-local-outbound-ports-exclude": "53"},
    "dns-ipv4": {**DNS, "resolv.conf": DNS_BOTH, "ipv6": "off"},
}


def command_line(config, directory):
    """The arguments and the environment of a configuration; @directory is for its files."""
    args, env = [], {}
    for name, value in config.items():
        if name == "resolv.conf":
            path = directory / "resolv.conf"
            path.write_text(value)
            path.chmod(0o644)
            args.append(f"--resolv-conf={path}")
        elif name.isupper():
            env[name] = value
        elif value is True:
            args.append(f"--{name}")
        else:
            args += [f"--{name}={item}" for item in (value if isinstance(value, list) else [value])]
    return args, env


# long option: (short option, variable, alias); the alias wins over the variable.
OPTIONS = {
    "envoy-port": ("p", None, None),
    "inbound-capture-port": ("z", "INBOUND_CAPTURE_PORT", None),
    "inbound-tunnel-port": ("e", "INBOUND_TUNNEL_PORT", None),
    "proxy-uid": ("u", "PROXY_UID", None),
    "proxy-gid": ("g", "PROXY_GID", None),
    "istio-inbound-interception-mode": ("m", "ISTIO_INBOUND_INTERCEPTION_MODE", None),
    "istio-inbound-ports": ("b", "ISTIO_INBOUND_PORTS", None),
    "istio-local-exclude-ports": ("d", "ISTIO_LOCAL_EXCLUDE_PORTS", None),
    "istio-service-cidr": ("i", "ISTIO_SERVICE_CIDR", None),
    "istio-service-exclude-cidr": ("x", "ISTIO_SERVICE_EXCLUDE_CIDR", None),
    "istio-outbound-ports": ("q", "ISTIO_OUTBOUND_PORTS", None),
    "istio-local-outbound-ports-exclude": ("o", "ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE", None),
    "istio-exclude-interfaces": ("c", "ISTIO_EXCLUDE_INTERFACES", None),
    "kube-virt-interfaces": ("k", "KUBE_VIRT_INTERFACES", None),
    "istio-inbound-tproxy-mark": ("t", "ISTIO_INBOUND_TPROXY_MARK", None),
    "istio-inbound-tproxy-route-table": ("r", "ISTIO_INBOUND_TPROXY_ROUTE_TABLE", None),
    "dry-run": ("n", "DRY_RUN", None),
    "redirect-dns": (None, "REDIRECT_DNS", "ISTIO_META_DNS_CAPTURE"),
    "capture-all-dns": (None, "CAPTURE_ALL_DNS", None),
    "drop-invalid": (None, "DROP_INVALID", "INVALID_DROP"),
    "dual-stack": (None, "DUAL_STACK", "ISTIO_DUAL_STACK"),
    "run-validation": (None, "RUN_VALIDATION", None),
    "iptables-probe-port": (None, "IPTABLES_PROBE_PORT", None),
    "probe-timeout": (None, "PROBE_TIMEOUT", None),
    "skip-rule-apply": (None, "SKIP_RULE_APPLY", None),
    "network-namespace": (None, "NETWORK_NAMESPACE", None),
    "cni-mode": (None, "CNI_MODE", None),
    "reconcile": (None, "RECONCILE", None),
    "cleanup-only": (None, "CLEANUP_ONLY", None),
    "force-apply": (None, "FORCE_APPLY", None),
    "native-nftables": (None, "NATIVE_NFTABLES", None),
    "force-iptables-binary": (None, "FORCE_IPTABLES_BINARY", None),
    "log_output_level": (None, None, None),
    "log_as_json": (None, None, None),
    "log_target": (None, None, None),
    "log_stacktrace_level": (None, None, None),
    "log_caller": (None, None, None),
    "vklog": (None, None, None),
    "iptables-trace-logging": (None, None, None),
    "restore-format": ("f", None, None),
    "iptables-version": (None, None, None),
}
OWN_OPTIONS = ["sidecar", "backend", "ipv6", "family", "format", "output", "resolv-conf", "dns-port", "dns-zones",
               "exclude-outbound-uids", "exclude-outbound-gids", "exclude-outbound-ports-for-uids",
               "exclude-inbound-cidrs", "bypass-mark", "long-lists", "jump", "inner-interfaces", "keep-connections", "wait",
               "allow-host-netns", "comments"]
OPTIONS.update((name, (None, f"ISTIO_INIT_{name.upper().replace('-', '_')}", None)) for name in OWN_OPTIONS)
VARIABLES_ALONE = ["ISTIO_OUTBOUND_OWNER_GROUPS", "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE",
                   "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "ENVOY_USER", "XTABLES_LOCKFILE"]


def spellings(name, value):
    """Every way to write an option: argument vectors, or a dict for the environment."""
    short, variable, alias = OPTIONS[name]
    boolean = value is True
    found = [[f"--{name}"], [f"--{name}=true"], [f"--{name}=1"]] if boolean else [
        [f"--{name}={value}"], [f"--{name}", value]]
    if short and boolean:
        found += [[f"-{short}"], [f"-{short}=T"]]
    elif short:
        found += [[f"-{short}", value], [f"-{short}={value}"], *([[f"-{short}{value}"]] if value else [])]
    return found + [{name: "true" if boolean else value} for name in (variable, alias) if name]


def respell(argument, rng):
    """Another spelling of one --name=value or --name."""
    name, equals, value = argument[2:].partition("=")
    return rng.choice(spellings(name, value if equals else True))
