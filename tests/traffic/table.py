# SPDX-License-Identifier: GPL-2.0-or-later
"""Which connection ends where, per configuration: what the rules mean, whatever holds them.

Places: proxy (15001), inbound (15006), dns (15053), app (the pod itself), peer, vm.
"""

import configs
from pod import DNS, DNS6, PEER, PEER6, POD, POD6, POD_VM, POD_VM6, SERVICE, SERVICE6, VM, VM6


def out(addr, port, place, **how):
    """A connection made in the pod; by default by an application, UID and GID 1000."""
    return "pod", addr, port, place, how


def into(addr, port, place, **how):
    """A connection from the peer."""
    return "peer", addr, port, place, how


def guest(addr, port, place, **how):
    """A connection from the guest behind the pod's second interface."""
    return "vm", addr, port, place, how


PROXY = {"uid": 1337, "gid": 1337}
UDP = {"proto": "udp"}
PROTOS = ["tcp", "udp"]

# What holds whenever everything is captured with the defaults.
PASSES = [
    out(SERVICE, 80, "peer", **PROXY), out(SERVICE6, 80, "peer", **PROXY),
    out(SERVICE, 80, "peer", uid=1337), out(SERVICE, 80, "peer", gid=1337), out(SERVICE6, 80, "peer", gid=1337),
    out("127.0.0.1", 8080, "app"), out("::1", 8080, "app"),
    out("127.0.0.1", 8080, "app", **PROXY), out("::1", 8080, "app", **PROXY),
    out(POD, 8080, "app"), out(POD6, 8080, "app"),
    out(POD, 8080, "app", src="127.0.0.6", **PROXY), out(POD6, 8080, "app", src="::6", **PROXY),
    out(SERVICE, 9, "peer", **UDP), out(SERVICE6, 9, "peer", **UDP), into(POD, 9, "app", **UDP),
]
# In TPROXY mode the tunnel port is captured as any other, and a GID alone makes a proxy over lo.
REDIRECT = [
    into(POD, 15008, "app"), into(POD6, 15008, "app"),
    out(POD, 15008, "app", **PROXY), out(POD6, 15008, "app", **PROXY),
    out(POD, 8080, "app", gid=1337), out(POD6, 8080, "app", gid=1337),
]
TPROXY = [
    into(POD, 15008, "inbound"), into(POD6, 15008, "inbound"), out(POD, 15008, "inbound", **PROXY),
    out(POD, 8080, "inbound", gid=1337), out(POD6, 8080, "inbound", gid=1337),
]
CAPTURED = [
    out(SERVICE, 80, "proxy"), out(SERVICE6, 80, "proxy"), out(PEER, 443, "proxy"), out(PEER6, 443, "proxy"),
    out(SERVICE, 80, "proxy", uid=0, gid=0),
    out(POD, 8080, "inbound", **PROXY), out(POD6, 8080, "inbound", **PROXY), out("127.0.0.2", 8080, "inbound", **PROXY),
    into(POD, 8080, "inbound"), into(POD6, 8080, "inbound"), into(POD, 22, "inbound"),
]
EXCLUDED = [into(addr, port, "app") for addr in (POD, POD6) for port in (15090, 15021, 15020)]

DNS_SERVERS = f"nameserver {DNS}\nnameserver {DNS6}\n"

TABLE = {
    "sidecar": (configs.SIDECAR, PASSES + CAPTURED + EXCLUDED + REDIRECT + [
        guest(POD_VM, 8080, "inbound"), guest(POD_VM6, 8080, "inbound"), guest(SERVICE, 8080, "inbound"),
        out(VM, 80, "proxy"), out(DNS, 53, "peer", **UDP), out(DNS, 53, "proxy"),
    ]),
    "nothing": ({}, PASSES + REDIRECT + [
        out(SERVICE, 80, "peer"), out(SERVICE6, 80, "peer"), into(POD, 8080, "app"), into(POD6, 8080, "app"),
        out(POD, 8080, "inbound", **PROXY),
    ]),
    "ipv6-off": ({**configs.SIDECAR, "ipv6": "off"}, [
        out(SERVICE, 80, "proxy"), out(SERVICE6, 80, "peer"), into(POD, 8080, "inbound"), into(POD6, 8080, "app"),
        out(POD6, 8080, "app", **PROXY), out(SERVICE6, 9, "peer", **UDP), into(POD6, 9, "app", **UDP),
    ]),
    "tproxy": (configs.TPROXY, PASSES + CAPTURED + EXCLUDED + TPROXY + [
        guest(POD_VM, 8080, "inbound"), guest(POD_VM6, 8080, "inbound")]),
    "tproxy-istio": ({**configs.TPROXY, "proxy-uid": "0", "proxy-gid": "1337"}, [
        out(SERVICE, 80, "peer", uid=0, gid=1337), out(SERVICE, 80, "peer", uid=0, gid=0),
        out(SERVICE, 80, "peer", uid=1000, gid=1337), out(SERVICE, 80, "proxy"), out(SERVICE6, 80, "proxy"),
        out(POD, 8080, "inbound", uid=0, gid=1337), out(POD6, 8080, "inbound", uid=0, gid=1337),
        out(POD, 8080, "app"), out(POD, 8080, "app", src="127.0.0.6", uid=0, gid=1337),
        out(POD6, 8080, "app", src="::6", uid=0, gid=1337), into(POD, 8080, "inbound"), into(POD6, 8080, "inbound"),
    ]),
    "tproxy-list": ({**configs.TPROXY, "istio-inbound-ports": "8080,9000-9010", "istio-inbound-tproxy-mark": "0x77",
                     "istio-inbound-tproxy-route-table": "177"}, [
        into(POD, 8080, "inbound"), into(POD6, 8080, "inbound"), into(POD, 9005, "inbound"),
        into(POD6, 9010, "inbound"), into(POD, 80, "app"), into(POD6, 9011, "app"), out(SERVICE, 80, "proxy"),
    ]),
    "tproxy-excluded": ({**configs.TPROXY, "istio-exclude-interfaces": "eth1",
                         "exclude-inbound-cidrs": f"{PEER}/32,{PEER6}/128"}, [
        guest(POD_VM, 8080, "app"), guest(POD_VM6, 8080, "app"), out(VM, 80, "vm"), out(VM6, 80, "vm"),
        into(POD, 8080, "app"), into(POD6, 8080, "app"), into(POD, 8080, "inbound", src=SERVICE),
        into(POD6, 8080, "inbound", src=SERVICE6), out(SERVICE, 80, "proxy"),
    ]),
    "inbound-ports": ({"istio-inbound-ports": "8080,9000-9010,80"}, [
        into(POD, 8080, "inbound"), into(POD6, 8080, "inbound"), into(POD, 9000, "inbound"), into(POD, 9010, "inbound"),
        into(POD6, 9005, "inbound"), into(POD, 80, "inbound"), into(POD, 8999, "app"), into(POD6, 9011, "app"),
        out(SERVICE, 80, "peer"),
    ]),
    "inbound-exclude": ({"istio-inbound-ports": "*", "istio-local-exclude-ports": "22,8000-8100",
                         "exclude-inbound-cidrs": f"{SERVICE},{SERVICE6},10.2.0.0/16"}, [
        into(POD, 22, "app"), into(POD6, 8050, "app"), into(POD, 8101, "inbound"), into(POD6, 21, "inbound"),
        into(POD, 80, "app", src=SERVICE), into(POD6, 80, "app", src=SERVICE6), guest(POD_VM, 80, "app"),
        guest(POD_VM6, 80, "inbound"),
    ]),
    "include-wins": ({"istio-inbound-ports": "80", "istio-local-exclude-ports": "80"}, [into(POD, 80, "inbound")]),
    "outbound-cidrs": ({"istio-service-cidr": "203.0.113.0/24,10.96.0.0/16,2001:db8::/32",
                        "istio-service-exclude-cidr": "10.96.0.8/29", "istio-outbound-ports": "443,7000-7010",
                        "istio-local-outbound-ports-exclude": "3306,5000-5010"}, [
        out(SERVICE, 80, "proxy"), out(SERVICE6, 80, "proxy"), out(DNS, 80, "peer"), out(DNS6, 80, "peer"),
        out(PEER, 80, "peer"), out(PEER, 443, "proxy"), out(PEER6, 7005, "proxy"), out(PEER, 7011, "peer"),
        out(SERVICE, 3306, "peer"), out(SERVICE6, 5010, "peer"), out(SERVICE, 5011, "proxy"), out(DNS, 443, "peer"),
        into(POD, 80, "app"),
    ]),
    "loopback": ({**configs.SIDECAR, "istio-service-cidr": "127.0.0.1/32,10.1.0.0/24,fd01::/64"}, [
        out(POD, 8080, "proxy"), out("127.0.0.1", 8080, "app"), out(POD6, 8080, "proxy"), out(SERVICE, 80, "peer"),
        out(POD, 8080, "inbound", **PROXY), out(PEER, 80, "proxy"), out(PEER, 80, "peer", **PROXY),
    ]),
    "two-proxies": ({**configs.SIDECAR, "proxy-uid": "5,6", "proxy-gid": "8,9"}, [
        out(SERVICE, 80, "peer", uid=5), out(SERVICE, 80, "peer", uid=6), out(SERVICE6, 80, "peer", gid=9),
        out(SERVICE, 80, "peer", gid=8), out(SERVICE, 80, "proxy", uid=7), out(POD, 8080, "inbound", uid=5),
        out(POD, 8080, "app", uid=6), out(POD6, 8080, "app", uid=6), out(POD, 8080, "app", gid=8),
    ]),
    "two-proxies-loopback": ({**configs.SIDECAR, "istio-service-cidr": "127.0.0.1,203.0.113.0/24", "proxy-uid": "5,6",
                              "proxy-gid": "8,9"}, [
        out(POD, 8080, "inbound", uid=5), out(POD, 8080, "inbound", uid=6), out(POD6, 8080, "inbound", uid=6),
        out(POD, 8080, "inbound", gid=8), out(POD, 8080, "inbound", gid=9), out(POD, 8080, "app"),
        out(SERVICE, 80, "peer", gid=9), out(SERVICE, 80, "proxy"),
    ]),
    "groups": ({**configs.SIDECAR, "ISTIO_OUTBOUND_OWNER_GROUPS": "2000,2001"}, [
        out(SERVICE, 80, "peer"), out(SERVICE, 80, "proxy", gid=2000), out(SERVICE6, 80, "proxy", gid=2001),
        out(SERVICE, 80, "peer", gid=2002),
    ]),
    "groups-exclude": ({**configs.SIDECAR, "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE": "2000,2001"}, [
        out(SERVICE, 80, "proxy"), out(SERVICE, 80, "peer", gid=2000), out(SERVICE6, 80, "peer", gid=2001)]),
    "groups-none": ({**configs.SIDECAR, "ISTIO_OUTBOUND_OWNER_GROUPS": ""}, [
        out(SERVICE, 80, "peer"), out(SERVICE, 80, "peer", gid=0), into(POD, 80, "inbound")]),
    "own-exclusions": ({**configs.SIDECAR, "exclude-outbound-uids": "3000,4000-4005", "exclude-outbound-gids": "70-79",
                        "exclude-outbound-ports-for-uids": ["tcp:3306,8000-8100:1000-1005", "tcp:9:7"],
                        "bypass-mark": "0x100/0xff00"}, [
        out(SERVICE, 80, "peer", uid=3000), out(SERVICE6, 80, "peer", uid=4005), out(SERVICE, 80, "proxy", uid=4006),
        out(SERVICE, 80, "peer", gid=75), out(SERVICE6, 80, "proxy", gid=80), out(SERVICE, 3306, "peer"),
        out(SERVICE6, 8050, "peer", uid=1005), out(SERVICE, 3306, "proxy", uid=1006), out(SERVICE, 9, "proxy"),
        out(SERVICE, 9, "peer", uid=7), out(SERVICE, 80, "peer", mark=0x1ff), out(SERVICE6, 80, "peer", mark=0x100),
        out(SERVICE, 80, "proxy", mark=0x200), out(SERVICE, 80, "proxy", mark=0x1),
    ]),
    "exclude-interfaces": ({**configs.SIDECAR, "istio-exclude-interfaces": "eth1"}, [
        guest(POD_VM, 8080, "app"), guest(POD_VM6, 8080, "app"), out(VM, 80, "vm"), out(VM6, 80, "vm"),
        into(POD, 8080, "inbound"), out(SERVICE, 80, "proxy"), guest(SERVICE, 80, "peer"),
    ]),
    "exclude-interface-wildcard": ({**configs.SIDECAR, "istio-exclude-interfaces": "et+"}, [
        guest(POD_VM, 8080, "app"), into(POD6, 8080, "app"), out(VM, 80, "vm"), out(SERVICE6, 80, "peer"),
        out(POD, 8080, "inbound", **PROXY),
    ]),
    "virt": ({**configs.SIDECAR, "kube-virt-interfaces": "eth1"}, [
        guest(SERVICE, 80, "proxy"), guest(SERVICE6, 80, "proxy"), guest(POD_VM, 8080, "proxy"),
        into(POD, 8080, "inbound"), out(SERVICE, 80, "proxy"),
    ]),
    "virt-list": ({"istio-inbound-ports": "*", "kube-virt-interfaces": "eth1",
                   "istio-service-cidr": "203.0.113.0/24,2001:db8::/32"}, [
        guest(SERVICE, 80, "proxy"), guest(SERVICE6, 80, "proxy"), guest(DNS, 80, "peer"), guest(DNS6, 80, "peer"),
        guest(POD_VM, 8080, "app"), into(POD, 8080, "inbound"),
    ]),
    "drop-invalid": ({**configs.SIDECAR, "drop-invalid": True}, PASSES + CAPTURED + EXCLUDED + REDIRECT),
    "dns": ({**configs.SIDECAR, "redirect-dns": True, "resolv.conf": DNS_SERVERS}, PASSES + CAPTURED + REDIRECT + [
        out(DNS, 53, "dns", **UDP), out(DNS6, 53, "dns", **UDP), out(DNS, 53, "dns"), out(DNS6, 53, "dns"),
        out(DNS, 53, "dns", uid=0, gid=0, **UDP), out(DNS, 53, "peer", **PROXY, **UDP),
        out(DNS6, 53, "peer", **PROXY, **UDP), out(DNS, 53, "peer", **PROXY), out(DNS6, 53, "peer", **PROXY), out(SERVICE, 53, "peer", **UDP),
        out(SERVICE6, 53, "peer", **UDP), out(SERVICE, 53, "proxy"), out("127.0.0.1", 53, "app", **UDP),
        out(DNS, 54, "peer", **UDP),
    ]),
    "dns-v4-server": ({**configs.SIDECAR, "redirect-dns": True, "resolv.conf": f"nameserver {DNS}\n"}, [
        out(DNS, 53, "dns", **UDP), out(DNS6, 53, "peer", **UDP), out(DNS6, 53, "proxy"), out(DNS, 53, "dns")]),
    "dns-all": ({**configs.SIDECAR, "redirect-dns": True, "capture-all-dns": True, "resolv.conf": ""}, [
        out(addr, 53, "dns", proto=proto) for addr in (DNS, DNS6, SERVICE, SERVICE6, PEER) for proto in PROTOS] + [
        out(addr, 53, "peer", proto=proto, **PROXY) for addr in (DNS, DNS6) for proto in PROTOS]),
    "dns-zones-off": ({**configs.SIDECAR, "redirect-dns": True, "dns-zones": "off", "resolv.conf": DNS_SERVERS}, [
        out(DNS, 53, "dns", **UDP), out(DNS6, 53, "dns"), out(DNS, 53, "peer", **PROXY, **UDP)]),
    "dns-tproxy": ({**configs.TPROXY, "redirect-dns": True, "resolv.conf": DNS_SERVERS}, [
        out(DNS, 53, "dns", **UDP), out(DNS6, 53, "dns", **UDP), out(DNS, 53, "dns"), out(DNS6, 53, "dns"),
        out(DNS, 53, "peer", **PROXY, **UDP), into(POD, 8080, "inbound"), into(POD6, 8080, "inbound"),
        out(SERVICE, 80, "proxy"),
    ]),
    "dns-exclusions": ({**configs.SIDECAR, "redirect-dns": True, "resolv.conf": DNS_SERVERS,
                        "exclude-outbound-uids": "3000", "exclude-outbound-ports-for-uids": ["udp:53:4000"]}, [
        out(DNS, 53, "peer", uid=3000, **UDP), out(DNS6, 53, "peer", uid=3000), out(DNS, 53, "peer", uid=4000, **UDP),
        out(DNS, 53, "dns", uid=4000), out(DNS, 53, "dns", **UDP),
    ]),
}
