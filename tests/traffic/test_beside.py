# SPDX-License-Identifier: GPL-2.0-or-later
"""Beside rules of others: whose NAT rule comes first, and what becomes of DNS that is translated in the pod."""

import socket

import lib
import pytest
from pod import DNS, PEER, POD, VM, Listener, Pod

FLAVOURS = {"iptables-legacy": "legacy", "iptables-nft": "nft"}
IPTABLES = list(FLAVOURS)


def publish(pod, flavour):
    """A container's port, as a container engine publishes it."""
    pod.netns.sh(f"""
        iptables-{flavour} -t nat -N DOCKER
        iptables-{flavour} -t nat -A DOCKER -p tcp -m tcp --dport 8080 -j DNAT --to-destination {VM}:80
        iptables-{flavour} -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER""")
    pod.listen(pod.vm, 80)


def rules(pod, flavour, chain):
    return [line for line in pod.netns.save("ipv4", flavour=flavour).splitlines() if line.startswith(f"-A {chain} ")]


@pytest.mark.backends(*IPTABLES)
def test_a_published_port(backend):
    flavour = FLAVOURS[backend]
    with Pod() as pod:
        def run(*words):
            return pod.netns.istio_init(*words, "--sidecar", "-u", "1337", f"--backend={backend}")

        publish(pod, flavour)
        before = rules(pod, flavour, "PREROUTING")
        shown = "-A PREROUTING -j DOCKER [and what istio-init cannot read: addrtype]"
        result = run()
        lib.checked(result)
        warned = [line for line in result.stderr.splitlines() if "--jump=insert" in line]
        assert len(warned) == 1 and shown in warned[0] and "ISTIO_INBOUND" in warned[0], result.stderr
        assert pod.connect("peer", POD, 8080)[0] == "vm"
        # What is there already stays where it is, however it is asked for.
        assert run("--jump=append").returncode == 0

        result = run("diff", "--jump=insert")
        assert result.returncode == 2, result
        assert f"+-A PREROUTING -p tcp -j ISTIO_INBOUND\n {shown}\n--A PREROUTING -p tcp -j ISTIO_INBOUND\n" in result.stdout
        assert run("--jump=insert").returncode == 1
        result = run("--jump=insert", "--reconcile")
        lib.checked(result)
        assert "--jump=insert" not in result.stderr
        assert pod.connect("peer", POD, 8080) == ("inbound", (POD, 8080))
        for words in [], ["--jump=auto"], ["diff", "--jump=insert"], ["diff"]:
            lib.checked(run(*words))

        # Kept by a change of something else, whatever the place that is asked for then.
        lib.checked(run("--jump=append", "--reconcile", "-z", "15016"))
        lib.checked(run("--jump=insert", "--reconcile"))
        assert rules(pod, flavour, "PREROUTING") == ["-A PREROUTING -p tcp -j ISTIO_INBOUND", *before]

        # Somebody puts himself in front.
        pod.netns.sh(f"iptables-{flavour} -t nat -I PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 9")
        assert run("diff", "--jump=insert").returncode == 2
        assert run("diff").returncode == 0
        # What only counts takes nothing.
        pod.netns.sh(f"iptables-{flavour} -t nat -D PREROUTING 1; iptables-{flavour} -t nat -I PREROUTING -p tcp")
        lib.checked(run("diff", "--jump=insert"))
        lib.checked(run("clean"))
        assert rules(pod, flavour, "PREROUTING") == ["-A PREROUTING -p tcp", *before]


@pytest.mark.backends(*IPTABLES)
@pytest.mark.parametrize("mode", ["REDIRECT", "TPROXY"])
def test_insert_from_the_start(backend, mode):
    flavour = FLAVOURS[backend]
    with Pod() as pod:
        publish(pod, flavour)
        pod.netns.sh(f"iptables-{flavour} -t nat -A OUTPUT -p tcp -m tcp --dport 9090 -j ACCEPT")
        foreign = rules(pod, flavour, "OUTPUT") + rules(pod, flavour, "PREROUTING")
        lib.checked(pod.netns.istio_init("--sidecar", "-u", "1337", "-c", "eth9,eth8", "-m", mode, f"--backend={backend}",
                                         "--jump=insert"))
        nat = lib.tables(pod.netns.save("ipv4", flavour=flavour))["nat"][1]
        assert nat["OUTPUT"] == ["-A OUTPUT -o eth9 -j RETURN", "-A OUTPUT -o eth8 -j RETURN", "-A OUTPUT -j ISTIO_OUTPUT",
                                 foreign[0]]
        assert nat["PREROUTING"][-1] == foreign[1]
        assert pod.connect("pod", "203.0.113.5", 9090)[0] == "proxy"
        lib.checked(pod.netns.istio_init("clean", "-c", "eth9,eth8", "-m", mode))
        assert rules(pod, flavour, "OUTPUT") + rules(pod, flavour, "PREROUTING") == foreign


@pytest.mark.backends(*IPTABLES)
def test_what_stands_in_front_and_takes_nothing(backend):
    """No warning of rules that end no way of ours."""
    flavour = FLAVOURS[backend]
    with lib.Netns() as netns:
        netns.sh(f"""
            iptables-{flavour} -t nat -N EMPTY
            iptables-{flavour} -t nat -A PREROUTING -j EMPTY
            iptables-{flavour} -t nat -A PREROUTING -p udp -j ACCEPT
            iptables-{flavour} -t nat -A PREROUTING -i eth0 -j RETURN
            iptables-{flavour} -t nat -A OUTPUT -j LOG
            iptables-{flavour} -t nat -A OUTPUT -d 127.0.0.11/32 -p udp -m udp --dport 53 -j DNAT --to-destination 127.0.0.11:99""")
        result = netns.istio_init("--sidecar", f"--backend={backend}")
        lib.checked(result)
        assert "--jump" not in result.stderr, result.stderr


@pytest.mark.parametrize("flavour", FLAVOURS.values())
@pytest.mark.backends("nftables")
def test_natively_the_younger_chain_comes_first(backend, flavour):
    with Pod() as pod:
        publish(pod, flavour)
        lib.checked(pod.netns.istio_init("--sidecar", "-u", "1337", f"--backend={backend}"))
        assert pod.connect("peer", POD, 8080) == ("inbound", (POD, 8080))


def test_dry_run_appends(netns):
    plain = lib.checked(netns.istio_init("--sidecar", "--dry-run"))
    assert lib.checked(netns.istio_init("--sidecar", "--dry-run", "--jump=insert")) == plain


# Resolvers in a pod, or behind a translation in it: the address that resolv.conf has, the rules, and where the real server
# listens: its namespace, port and name.
RESOLVERS = {
    "plain": (DNS, "", ("peer", 53, "peer")),
    "docker": ("127.0.0.11", """
        {tool} -t nat -N DOCKER_OUTPUT
        {tool} -t nat -N DOCKER_POSTROUTING
        {tool} -t nat -A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT
        {tool} -t nat -A POSTROUTING -d 127.0.0.11/32 -j DOCKER_POSTROUTING
        {tool} -t nat -A DOCKER_OUTPUT -d 127.0.0.11/32 -p tcp -m tcp --dport 53 -j DNAT --to-destination 127.0.0.11:38127
        {tool} -t nat -A DOCKER_OUTPUT -d 127.0.0.11/32 -p udp -m udp --dport 53 -j DNAT --to-destination 127.0.0.11:38127
        {tool} -t nat -A DOCKER_POSTROUTING -s 127.0.0.11/32 -p tcp -m tcp --sport 38127 -j SNAT --to-source :53
        {tool} -t nat -A DOCKER_POSTROUTING -s 127.0.0.11/32 -p udp -m udp --sport 38127 -j SNAT --to-source :53
        """, ("netns", 38127, "docker")),
    "consul": ("127.0.0.1", """
        {tool} -t nat -A OUTPUT -d 127.0.0.1/32 -p udp -m udp --dport 53 -j REDIRECT --to-ports 8600
        {tool} -t nat -A OUTPUT -d 127.0.0.1/32 -p tcp -m tcp --dport 53 -j REDIRECT --to-ports 8600
        """, ("netns", 8600, "consul")),
    "kube-proxy": (DNS, f"""
        {{tool}} -t nat -N KUBE-SERVICES
        {{tool}} -t nat -N KUBE-SVC-TCOU7JCQXEZGVUNU
        {{tool}} -t nat -N KUBE-SEP-A
        {{tool}} -t nat -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        {{tool}} -t nat -A KUBE-SERVICES -d {DNS}/32 -p udp -m udp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU
        {{tool}} -t nat -A KUBE-SERVICES -d {DNS}/32 -p tcp -m tcp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU
        {{tool}} -t nat -A KUBE-SVC-TCOU7JCQXEZGVUNU -m statistic --mode random --probability 1 -j KUBE-SEP-A
        {{tool}} -t nat -A KUBE-SEP-A -p udp -m udp -j DNAT --to-destination {PEER}:5353
        {{tool}} -t nat -A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination {PEER}:5353
        """, ("peer", 5353, "coredns")),
    "systemd-resolved": ("127.0.0.53", "", ("netns", 53, "resolved")),
}

# What is asked over lo is new; answers have to be of what is known.
STATEFUL = """
    {tool} -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    {tool} -A INPUT -p udp -m multiport --dports 53,8600,15053,38127 -j ACCEPT
    {tool} -A INPUT -p tcp -m multiport --dports 53,8600,15053,38127 -j ACCEPT
    {tool} -A INPUT -p udp -j DROP
    {tool} -A INPUT -p tcp -j DROP
"""


def ask(pod, server):
    return {f"{name} {proto}": pod.connect("pod", server, 53, proto, uid=uid, gid=uid)[0]
            for name, uid in (("app", 1000), ("agent", 1337), ("excluded", 2000)) for proto in ("udp", "tcp")}


def resolve(pod, name, *words):
    """The real server of RESOLVERS' @name answers and the pod asks it; what runs istio-init with DNS captured."""
    server, _, (place, port, real) = RESOLVERS[name]
    (pod.netns.dir / "resolv.conf").write_text(f"nameserver {server}\n")
    netns = getattr(pod, place)
    for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
        pod.listeners[netns, port, socket.AF_INET, kind] = Listener(netns, real, socket.AF_INET, kind, port)
    return lambda *more: pod.netns.istio_init(*more, "--sidecar", "-u", "1337", "--exclude-outbound-uids=2000",
                                              "--redirect-dns", "--resolv-conf", pod.netns.dir / "resolv.conf", *words)


@pytest.mark.parametrize("words", [[], ["--capture-all-dns"]], ids=["servers", "all"])
@pytest.mark.parametrize("flavour", FLAVOURS.values())
@pytest.mark.parametrize("name", RESOLVERS)
def test_dns_beside_others(backend, name, flavour, words):
    server, script, (_, _, real) = RESOLVERS[name]
    with Pod() as pod:
        run = resolve(pod, name, f"--backend={backend}", *words)
        pod.netns.sh(script.format(tool=f"iptables-{flavour}") + STATEFUL.format(tool=f"iptables-{flavour}"))
        if name == "systemd-resolved":
            # An answer over lo is never looked up again: it is let in as one of the machine's own.
            pod.netns.sh(f"iptables-{flavour} -I INPUT -i lo -s 127.0.0.53/32 -j ACCEPT")
        assert set(ask(pod, server).values()) == {real}
        result = run()
        lib.checked(result)
        met = {who: "dns" if who.startswith("app") else real for who in ask(pod, server)}
        saved = pod.netns.sh(f"iptables-{flavour}-save; nft list ruleset")
        assert ask(pod, server) == met, result.stderr + saved
        translated = "translates it here" in result.stderr
        assert translated == (name in ("docker", "consul", "kube-proxy"))
        assert "--jump" not in result.stderr
        lib.checked(run("diff"))
        lib.checked(run("--reconcile", "--force-apply"))
        assert ask(pod, server) == met
        lib.checked(run("clean"))
        assert set(ask(pod, server).values()) == {real}


# The same in a table of somebody's own, as newer container engines and kube-proxy have it.
NATIVE = {
    "docker": """
        table ip docker {
            chain output {
                type nat hook output priority %d;
                ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:38127
                ip daddr 127.0.0.11 tcp dport 53 dnat to 127.0.0.11:38127
            }
            chain postrouting {
                type nat hook postrouting priority 100;
                ip saddr 127.0.0.11 udp sport 38127 snat to :53
                ip saddr 127.0.0.11 tcp sport 38127 snat to :53
            }
        }""",
    "consul": """
        table inet consul {
            chain output {
                type nat hook output priority %d;
                ip daddr 127.0.0.1 meta l4proto { tcp, udp } th dport 53 redirect to :8600
            }
        }""",
    "kube-proxy": f"""
        table ip kube-proxy {{
            map service-ips {{
                type ipv4_addr . inet_proto . inet_service : verdict
                elements = {{ {DNS} . udp . 53 : goto endpoint, {DNS} . tcp . 53 : goto endpoint }}
            }}
            chain endpoint {{
                meta l4proto {{ tcp, udp }} dnat to {PEER}:5353
            }}
            chain services {{
                ip daddr . meta l4proto . th dport vmap @service-ips
            }}
            chain nat-output {{
                type nat hook output priority %d;
                jump services
            }}
        }}""",
}

STATEFUL_NATIVE = """
    table inet filter {
        chain input {
            type filter hook input priority 0;
            ct state established,related accept
            meta l4proto { tcp, udp } th dport { 53, 8600, 15053, 38127 } accept
            meta l4proto { tcp, udp } drop
        }
    }"""


@pytest.mark.parametrize("words", [[], ["--capture-all-dns"]], ids=["servers", "all"])
@pytest.mark.parametrize("priority", [-100, -110])
@pytest.mark.parametrize("name", NATIVE)
def test_dns_beside_a_table_of_anothers_own(backend, name, priority, words):
    server, _, (_, _, real) = RESOLVERS[name]
    with Pod() as pod:
        run = resolve(pod, name, f"--backend={backend}", *words)
        pod.netns.sh(f"nft -f - <<'END'\n{NATIVE[name] % priority}\n{STATEFUL_NATIVE}\nEND")
        assert set(ask(pod, server).values()) == {real}
        result = run()
        lib.checked(result)
        captured = "dns" if priority == -100 else real
        met = {who: captured if who.startswith("app") else real for who in ask(pod, server)}
        assert ask(pod, server) == met, result.stderr
        table = NATIVE[name].split("{")[0].strip()
        assert f"since {table} translates it here: chain " in result.stderr
        in_front = [line for line in result.stderr.splitlines() if f"of {table}, at priority -110, comes before" in line]
        assert len(in_front) == (priority != -100), result.stderr
        assert "raw" not in lib.checked(pod.netns.istio_init("show"))
        lib.checked(run("diff"))
        lib.checked(run("--reconcile", "--force-apply"))
        lib.checked(run("clean"))
        assert set(ask(pod, server).values()) == {real}


@pytest.mark.parametrize("rule", [
    "udp dport 5353 redirect to :9", "tcp dport 53 counter return", "ip daddr 10.9.9.9 udp dport 53 dnat to 10.9.9.9:5353",
    "meta l4proto tcp redirect to :9", "ip6 daddr ::1 udp dport 53 redirect to :9", "counter"])
def test_a_table_that_leaves_dns_alone(backend, rule):
    with lib.Netns() as netns:
        (netns.dir / "resolv.conf").write_text(f"nameserver {DNS}\n")
        netns.sh("nft 'add table inet own; add chain inet own out { type nat hook output priority -110; }; "
                 f"add rule inet own out {rule}'")
        result = netns.istio_init("--sidecar", "--redirect-dns", "--ipv6=off", "--resolv-conf", netns.dir / "resolv.conf",
                                  f"--backend={backend}")
        lib.checked(result)
        assert "translates it" not in result.stderr and ("comes before" in result.stderr) == rule.startswith("meta")
        assert "zone" in lib.checked(netns.istio_init("show"))
