# SPDX-License-Identifier: GPL-2.0-or-later
"""What people met in the field, made for real: the exit status, the state that stays, and the two lines that they get.

ROWS says for each failure that was reported which tests hold it off, here or elsewhere.
"""

import errno
import pathlib
import platform
import re
import struct

import lib
import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
ROWS = {
    "table nat: Table does not exist": [
        "test_a_table_that_the_kernel_lacks", "test_no_backend_at_all", "kernel/test_auto.py::test_no_legacy_tables",
        "kernel/test_auto.py::test_no_nf_tables", "kernel/test_auto.py::test_neither",
        "test_what_a_rule_of_nftables_lacks"],
    "rules written, no capture: the other stack": [
        "test_both_stacks_live", "kernel/test_auto.py::test_istio_rules_are_in_two",
        "kernel/test_auto.py::test_legacy_rules_of_others"],
    "chain already exists": ["kernel/test_apply.py::test_second_apply_writes_nothing"],
    "clean, then apply is a hole": ["traffic/test_replace.py::test_other_options"],
    "RTNETLINK answers: File exists": [
        "kernel/test_plumbing.py::test_tproxy_again_is_no_error_and_adds_nothing",
        "kernel/test_plumbing.py::test_tproxy_with_rule_and_route_of_upstream"],
    "rules in the host's netns": [
        "kernel/test_refusals.py::test_the_machines_own_namespace_is_refused",
        "kernel/test_refusals.py::test_the_real_namespace_of_the_machine"],
    "ipv6.disable=1": [
        "test_a_kernel_without_ipv6", "test_ipv6_asked_for_where_it_is_off",
        "kernel/test_plumbing.py::test_ipv6_auto_where_it_is_disabled"],
    "IPv6 silently not captured": ["kernel/test_plumbing.py::test_ipv6_auto_decides_as_istio_iptables"],
    "couldn't load match owner: privileges": [
        "test_a_missing_privilege_is_named_before_the_kernel_is_blamed", "kernel/test_refusals.py::test_as_nobody"],
    "no kernel support: a held lock": ["test_contention_is_not_absence", "kernel/test_refusals.py::test_held_lock"],
    "NET_RAW dropped": [
        "test_net_raw_is_named_where_it_is_what_auto_lacks",
        "kernel/test_refusals.py::test_without_net_raw_it_says_which_backend_would_do"],
    "uid-owner EINVAL in user namespaces": [
        "test_an_unmapped_uid", "test_a_mapped_uid", "test_the_netns_of_another_user_namespace",
        "kernel/test_auto.py::test_unmapped_uid"],
    "lock file read-only, EAGAIN": [
        "test_contention_is_not_absence", "test_a_rival_that_loses_interest", "test_a_rival_that_never_stops",
        "kernel/test_refusals.py::test_lock_file_that_cannot_be_opened",
        "kernel/test_refusals.py::test_read_only_root",
        "kernel/test_namespaces.py::test_without_a_lock_file_the_namespace_is_locked"],
    "gVisor: no comment, no raw table": [
        "test_no_comment_match", "test_no_raw_table_in_auto", "test_a_hidden_list_of_tables",
        "test_a_table_that_the_kernel_lacks"],
    "DNS lost: no zones": ["test_no_zones", "test_no_zones_in_auto", "test_what_a_rule_of_nftables_lacks"],
    "trailing comma": ["test_lists_with_empty_items_ranges_and_more_than_15_ports"],
    "ranges, more than 15 ports": ["test_lists_with_empty_items_ranges_and_more_than_15_ports"],
    "dry run with NULs or warnings": ["test_a_dry_run_is_rules_only", "test_dry_run_is_what_the_kernel_takes"],
    "200 lines of log, JSON ignored": [
        "cli/test_output.py::test_one_line_of_summary", "cli/test_output.py::test_json_logs_are_json",
        "test_both_lines_are_json"],
    "native nft: no nft, empty chain, set userdata": ["test_no_tool_is_needed", "test_sets_carry_no_userdata"],
    "5 to 12 s under CPU limits": ["kernel/test_refusals.py::test_no_process_is_started"],
}
DENY = TESTS / "deny.py"
SIDECAR = ["--sidecar", "-u", "1337"]
DNS = [*SIDECAR, "--redirect-dns", "--capture-all-dns"]
# linux/netlink.h, linux/netfilter/nf_tables.h
NLMSG_ERROR, CAPPED, ACK_TLVS, ATTR_OFFS, NEWRULE = 2, 0x100, 0x200, 2, 0x0A06
MODULE = {"nat": "iptable_nat", "raw": "iptable_raw", "mangle": "iptable_mangle"}


@pytest.mark.parametrize("row", ROWS)
def test_the_map_names_tests_that_exist(row):
    assert ROWS[row]
    for name in ROWS[row]:
        file, _, test = name.rpartition("::")
        path = TESTS / file if file else pathlib.Path(__file__)
        assert re.search(rf"(?m)^def {test}\(", path.read_text(encoding="utf-8")), name


def told(result, status, what, remedy):
    """Two lines and no more: what is wrong, and what to do; each holds the words that are asked of it."""
    assert (result.returncode, result.stdout) == (status, ""), result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 2 and all(line.startswith("istio-init: error: ") for line in lines), result.stderr
    for line, words in zip(lines, (what, remedy)):
        for word in words:
            assert word in line, (word, result.stderr)


def deny(*parts):
    if platform.machine() != "x86_64":
        pytest.skip("deny.py knows the system calls of x86-64 only")
    return ["/usr/bin/python3", "-B", DENY, ",".join(parts)]


def strace(netns, *options):
    return ["strace", "-qq", "-o", netns.dir / "trace", *(word for option in options for word in ("-e", option))]


def proc_net(netns, **files):
    """Runs what follows with these files in /proc/net and no others."""
    path = netns.dir / "net"
    path.mkdir()
    for name, text in files.items():
        (path / name).write_text(text)
    return ["unshare", "-m", "sh", "-ec", 'mount --bind "$1" /proc/$$/net && shift && exec "$@"', "sh", path]


def without(capability):
    return ["capsh", f"--drop={capability}", "--shell=/usr/bin/env", "--"]


def legacy_call(args, request, family, table):
    """Which of the getsockopt or setsockopt calls of a run makes the request for that table: strace's when=."""
    call = {"GET_INFO": "getsockopt", "SET_REPLACE": "setsockopt"}[request]
    level = {"ipv4": "SOL_IP,", "ipv6": "SOL_IPV6,"}[family]
    with lib.Netns() as pod:
        lib.checked(pod.istio_init(*args, "--backend=iptables-legacy", prefix=strace(pod, f"trace={call}")))
        calls = [line for line in (pod.dir / "trace").read_text().splitlines() if line.startswith(f"{call}(")]
    return next(i for i, line in enumerate(calls, 1) if level in line and request in line and f'"{table}\\' in line)


@pytest.mark.backends("iptables-legacy")
@pytest.mark.parametrize("family, table, error", [
    ("ipv4", "nat", "ENOENT"), ("ipv4", "raw", "ENOPROTOOPT"), ("ipv4", "mangle", "EPROTONOSUPPORT"),
    ("ipv6", "nat", "ENOENT"), ("ipv6", "raw", "ENOENT")])
def test_a_table_that_the_kernel_lacks(netns, backend, family, table, error):
    args = [*DNS, "-m", "TPROXY", "--dns-zones=on"]
    number = legacy_call(args, "GET_INFO", family, table)
    before = netns.state()
    inject = strace(netns, "trace=getsockopt", f"inject=getsockopt:error={error}:when={number}")
    result = netns.istio_init(*args, f"--backend={backend}", prefix=inject)
    module = MODULE[table].replace("ip", "ip6" if family == "ipv6" else "ip")
    told(result, 69, ["this kernel has no", family.replace("ip", "IP"), f"table {table}", f"module {module} ",
                      f"CONFIG_IP{'6' * (family == 'ipv6')}_NF_{table.upper()}"],
         [f"modprobe {module}`", "--backend=nftables", *(["--ipv6=off"] if family == "ipv6" else [])])
    assert netns.state() == before


@pytest.mark.backends("iptables-legacy")
def test_no_raw_table_in_auto(netns, backend):
    """What is done without zones is said."""
    number = legacy_call(DNS, "GET_INFO", "ipv4", "raw")
    result = netns.istio_init(*DNS, f"--backend={backend}", prefix=strace(
        netns, "trace=getsockopt", f"inject=getsockopt:error=ENOENT:when={number}"))
    lib.checked(result)
    warning, _ = result.stderr.splitlines()
    assert "without conntrack zones" in warning and "table raw" in warning and "iptable_raw" in warning
    assert "raw" not in lib.tables(netns.save("ipv4"))


def test_no_backend_at_all(netns):
    """Each backend with what it lacks; the last line sends nobody to another one that does not work either."""
    before = netns.state()
    result = netns.istio_init(*SIDECAR, prefix=deny("nftables", "legacy"))
    *each, what, remedy = result.stderr.splitlines()
    assert result.returncode == 69 and len(each) == 3
    for name, line in zip(["nftables", "iptables-nft", "iptables-legacy"], each):
        assert f"error: {name}: " in line and "module" in line and "modprobe" in line
    assert "no backend works" in what and "node" in remedy
    assert netns.state() == before


def test_net_raw_is_named_where_it_is_what_auto_lacks(netns):
    before = netns.state()
    result = netns.istio_init(*SIDECAR, prefix=[*without("cap_net_raw"), *deny("nftables")])
    assert result.returncode == 69
    legacy = [line for line in result.stderr.splitlines() if "error: iptables-legacy: " in line]
    assert len(legacy) == 1 and "capability NET_RAW" in legacy[0] and "securityContext" in legacy[0]
    assert netns.state() == before


def test_a_missing_privilege_is_named_before_the_kernel_is_blamed(netns, backend):
    """Even where the kernel lacks everything too, as kuma's users were sent after a module."""
    result = netns.istio_init(*SIDECAR, f"--backend={backend}",
                              prefix=[*without("cap_net_admin"), *deny("nftables", "legacy")])
    told(result, 77, ["capability NET_ADMIN"], ["add NET_ADMIN", "securityContext"])


def in_user_namespace(*args, mapped=()):
    return lib.run(["unshare", "--user", *(mapped or ["--map-root-user"]), "--net", lib.BINARY, *SIDECAR, *args],
                   env={"XTABLES_LOCKFILE": "/nowhere/lock"})


@pytest.mark.backends("iptables-legacy", "iptables-nft")
def test_an_unmapped_uid(backend):
    told(in_user_namespace(f"--backend={backend}"), 69, ["owner match", "not mapped in this user namespace"],
         ["--backend=nftables"])


def test_a_mapped_uid(backend):
    lib.checked(in_user_namespace(f"--backend={backend}",
                                  mapped=["--map-user=1337", "--map-group=1337", "--keep-caps"]))


def test_the_netns_of_another_user_namespace(netns, backend):
    """The capability is there, but not where it counts: to add it would be no help."""
    before = netns.snapshot()
    result = netns.istio_init(*SIDECAR, f"--backend={backend}", prefix=["unshare", "--user", "--map-root-user"])
    assert (result.returncode, len(result.stderr.splitlines())) == (77, 2), result.stderr
    assert "another user namespace" in result.stderr
    assert "add NET_ADMIN" not in result.stderr
    assert netns.snapshot() == before


def test_both_stacks_live(netns):
    """Rules of somebody else in each stack, Istio's in one: named, left alone, and not written twice."""
    netns.sh("iptables-legacy -t nat -A OUTPUT -p tcp --dport 9 -j ACCEPT; "
             "iptables-nft -t nat -A OUTPUT -p tcp --dport 9 -j ACCEPT")
    lib.checked(netns.istio_init(*SIDECAR, "--backend=iptables-nft"))
    before = netns.snapshot()
    told(netns.istio_init(*SIDECAR, "--backend=iptables-legacy"), 1, ["iptables-nft"],
         ["--reconcile", "--backend=iptables-nft"])
    assert "through iptables-nft" in netns.istio_init(*SIDECAR).stderr
    assert netns.snapshot() == before


def ipv6_off(netns):
    for where in "all", "default", "lo":
        netns.write_sysctl(f"ipv6/conf/{where}/disable_ipv6", "1")


def test_a_kernel_without_ipv6(netns, backend):
    ipv6_off(netns)
    result = netns.istio_init(*SIDECAR, f"--backend={backend}",
                              prefix=[*proc_net(netns, ip_tables_names=""), *deny("ipv6")])
    lib.checked(result)
    warning, summary = result.stderr.splitlines()
    assert "IPv6 is off" in warning and "only IPv4" in warning and "(ipv4)" in summary
    assert netns.has_istio("ipv4") and not netns.has_istio("ipv6")


def test_ipv6_asked_for_where_it_is_off(netns, backend):
    ipv6_off(netns)
    before = netns.snapshot()
    told(netns.istio_init(*SIDECAR, f"--backend={backend}", "--ipv6=on"), 69,
         ["--ipv6=on", "IPv6 is off", "disable_ipv6"], ["--ipv6=auto", "--ipv6=off"])
    assert netns.snapshot() == before


@pytest.mark.backends("iptables-legacy")
@pytest.mark.parametrize("call", ["getsockopt:error=EAGAIN", "getsockopt:error=EEXIST", "setsockopt:error=EAGAIN"])
def test_contention_is_not_absence(netns, backend, call):
    before = netns.state()
    result = netns.istio_init(*SIDECAR, f"--backend={backend}", "--wait=200ms", prefix=strace(netns, f"inject={call}"))
    told(result, 75, ["another program"], ["--wait"])
    assert netns.state() == before


@pytest.mark.backends("nftables", "iptables-nft")
def test_a_rival_that_never_stops(netns, backend):
    """The kernel's ERESTART: each of our transactions comes after another change by nft."""
    rival = netns.start(["sh", "-c", "while nft add table inet rival && nft delete table inet rival; do :; done"],
                        start_new_session=True)
    try:
        result = netns.istio_init(*SIDECAR, f"--backend={backend}", "--wait=500ms",
                                  prefix=strace(netns, "trace=sendto", "inject=sendto:delay_enter=60ms"))
    finally:
        rival.terminate()
        rival.communicate()
    told(result, 75, ["another program"], ["--wait"])
    netns.sh("nft delete table inet rival 2>/dev/null || :")
    assert not netns.has_istio("ipv4") and not netns.has_istio("ipv6")


@pytest.mark.backends("iptables-legacy")
def test_a_rival_that_loses_interest(netns, backend):
    """EAGAIN a few times, then not: what was asked for is there."""
    lib.checked(netns.istio_init(*SIDECAR, f"--backend={backend}",
                                 prefix=strace(netns, "inject=setsockopt:error=EAGAIN:when=1..3")))
    lib.checked(netns.istio_init("diff", *SIDECAR, f"--backend={backend}"))


@pytest.mark.backends("iptables-legacy")
def test_a_hidden_list_of_tables(netns, backend):
    """gVisor and policies leave parts of /proc out; a list that is there and cannot be read is no empty one."""
    before = netns.state()
    files = proc_net(netns, ip6_tables_names="")
    (netns.dir / "net/ip_tables_names").mkdir()
    told(netns.istio_init(*SIDECAR, f"--backend={backend}", prefix=files), 1, ["/proc/net/ip_tables_names"],
         ["/proc is mounted", "--backend=nftables"])
    assert netns.state() == before


@pytest.mark.parametrize("mount", ["-t tmpfs none", "-t proc -o subset=pid proc"])
def test_without_a_list_of_tables_nobody_is_told_that_there_are_none(netns, mount):
    """Rules of iptables-legacy are live and cannot be seen; the remedy that the error names is one."""
    lib.checked(netns.istio_init(*SIDECAR, "--backend=iptables-legacy"))
    before = netns.state()
    prefix = ["unshare", "-m", "sh", "-ec", f'mount {mount} /proc; exec "$@"', "sh"]
    other = [*SIDECAR, "-p", "16001", "--allow-host-netns"]
    for args in other, [*other, "--backend=iptables-legacy"], ["diff", *SIDECAR]:
        told(netns.istio_init(*args, prefix=prefix), 1, ["/proc/net/ip_tables_names"],
             ["/proc is mounted", "--backend=nftables"])
    assert netns.state() == before
    assert "/proc/net/ip_tables_names" in netns.istio_init("show", prefix=prefix).stderr
    result = netns.istio_init(*SIDECAR, "--backend=nftables", "--allow-host-netns", prefix=prefix)
    assert "warn: cannot look at iptables-legacy" in result.stderr and lib.checked(result) == ""
    # Whose rules may be in any table asks for each of them.
    lib.checked(netns.istio_init("clean", "--allow-host-netns", prefix=prefix))
    assert not netns.has_istio("ipv4") and not netns.has_istio("ipv6")


@pytest.mark.backends("iptables-legacy")
def test_no_comment_match(netns, backend):
    """gVisor's tables take no comments; none is asked for unless --comments is given."""
    lib.checked(netns.istio_init(*SIDECAR, f"--backend={backend}"))
    assert "--comment" not in netns.save("ipv4") + netns.save("ipv6")
    lib.checked(netns.istio_init("clean"))
    before = netns.state()
    inject = strace(netns, "inject=setsockopt:error=ENOENT:when=1", "trace=setsockopt")
    files = proc_net(netns, ip_tables_names="nat\n", ip_tables_targets="REDIRECT\nERROR\n",
                     ip_tables_matches="owner\ntcp\nudp\n")
    result = netns.istio_init(*SIDECAR, "--comments", f"--backend={backend}", prefix=[*inject, *files])
    told(result, 69, ["match comment", "xt_comment", "CONFIG_NETFILTER_XT_MATCH_COMMENT"],
         ["modprobe xt_comment", "--backend=nftables"])
    assert netns.state() == before


@pytest.mark.backends("iptables-legacy")
def test_no_zones(netns, backend):
    number = legacy_call(DNS, "SET_REPLACE", "ipv4", "raw")
    before = netns.state()
    result = netns.istio_init(*DNS, "--dns-zones=on", f"--backend={backend}",
                              prefix=strace(netns, f"inject=setsockopt:error=EOPNOTSUPP:when={number}"))
    told(result, 69, ["conntrack zones", "CONFIG_NF_CONNTRACK_ZONES", "DNS"], ["--dns-zones=off"])
    assert netns.state() == before


@pytest.mark.backends("iptables-legacy")
def test_no_zones_in_auto(netns, backend):
    """The raw table is refused, what was written is taken back, and then all is done without zones."""
    number = legacy_call(DNS, "SET_REPLACE", "ipv4", "raw")
    result = netns.istio_init(*DNS, f"--backend={backend}",
                              prefix=strace(netns, f"inject=setsockopt:error=EOPNOTSUPP:when={number}"))
    lib.checked(result)
    warning, _ = result.stderr.splitlines()
    assert "without conntrack zones" in warning and "CONFIG_NF_CONNTRACK_ZONES" in warning
    lib.checked(netns.istio_init("diff", *DNS, "--dns-zones=off", f"--backend={backend}"))
    # The same again: one table is tried, refused, and nothing else is touched.
    before = netns.snapshot()
    result = netns.istio_init(*DNS, f"--backend={backend}",
                              prefix=strace(netns, "inject=setsockopt:error=EOPNOTSUPP:when=1"))
    lib.checked(result)
    assert "without conntrack zones" in result.stderr and "unchanged" in result.stderr
    assert netns.snapshot() == before
    # Who only looks cannot know why they are missing.
    result = netns.istio_init("diff", *DNS, f"--backend={backend}")
    assert result.returncode == 2 and result.stdout.count("\n+*raw") == 2, result
    assert "nothing but conntrack zones is missing" in result.stderr and "--dns-zones=off" in result.stderr


def test_what_is_missing_beside_zones_is_a_difference(netns, backend):
    """Then --dns-zones=off would not settle it, and nothing is said of it."""
    lib.checked(netns.istio_init(*DNS, "--dns-zones=off", f"--backend={backend}"))
    for more, said in ([], True), (["--dns-zones=on"], False), (["-x", "10.9.0.0/16"], False):
        result = netns.istio_init("diff", *DNS, *more, f"--backend={backend}")
        assert (result.returncode, "--dns-zones=off" in result.stderr) == (2, said), result


def transaction(args):
    """Which of the sendto calls of a run sends the transaction, and its bytes."""
    with lib.Netns() as pod:
        lib.checked(pod.istio_init(*args, prefix=strace(pod, "trace=sendto", "write=all")))
        calls = (pod.dir / "trace").read_text().split("\nsendto(")
    number, call = next((i, call) for i, call in enumerate(calls, 1) if "BATCH_BEGIN" in call)
    dump = re.findall(r"(?m)^ \| [0-9a-f]+  ((?:[0-9a-f]{2} +)+)", call)
    return number, bytes.fromhex("".join(dump))


def refuse_rule(netns, args, part, error):
    """Runs with the answer of a kernel that lacks the expression or extension @part, to the first rule that has it."""
    # The attributes that hold the names of expressions, matches and targets are all 1.
    word = struct.pack("=HH", 4 + len(part) + 1, 1) + part.encode() + b"\0"
    number, batch = transaction(args)
    start = 0
    while True:
        size, kind, _, sequence = struct.unpack_from("=IHHI", batch, start)
        if kind == NEWRULE and word in batch[start:start + size]:
            break
        start += size
    answer = struct.pack("=IHHIIiIHHIIHHI", 44, NLMSG_ERROR, CAPPED | ACK_TLVS, sequence, 0, -error,
                         size, kind, 0, sequence, 0, 8, ATTR_OFFS, batch.index(word, start) - start)
    return netns.istio_init(*args, prefix=strace(
        netns, "trace=sendto,recvfrom", f"inject=sendto:retval={len(batch)}:when={number}",
        f"inject=recvfrom:retval={len(answer)}:poke_exit=@arg2={answer.hex()}:when=1"))


REFUSED = [
    ("nftables", [], "redir", errno.ENOENT, ["nft_redir", "CONFIG_NFT_REDIR"],
     ["modprobe nft_redir", "--backend=iptables-legacy"]),
    ("nftables", ["-m", "TPROXY"], "tproxy", errno.ENOENT, ["nft_tproxy", "CONFIG_NFT_TPROXY"],
     ["modprobe nft_tproxy", "--backend=iptables-legacy"]),
    ("nftables", ["--redirect-dns", "--capture-all-dns", "--dns-zones=on"], "ct", errno.EOPNOTSUPP,
     ["conntrack zones", "CONFIG_NF_CONNTRACK_ZONES", "DNS"], ["--dns-zones=off"]),
    ("iptables-nft", ["--comments"], "comment", errno.ENOENT,
     ['match "comment"', "xt_comment", "CONFIG_NETFILTER_XT_MATCH_COMMENT"],
     ["modprobe", "xt_comment", "--backend=nftables"]),
    ("iptables-nft", ["-m", "TPROXY"], "TPROXY", errno.ENOENT,
     ['target "TPROXY"', "xt_TPROXY", "CONFIG_NETFILTER_XT_TARGET_TPROXY"],
     ["modprobe", "xt_TPROXY", "--backend=nftables"]),
]


@pytest.mark.parametrize("name, extra, part, error, what, remedy",
                         [case for case in REFUSED if case[0] in lib.BACKENDS])
def test_what_a_rule_of_nftables_lacks(netns, name, extra, part, error, what, remedy):
    before = netns.state()
    told(refuse_rule(netns, [*SIDECAR, *extra, f"--backend={name}"], part, error), 69, what, remedy)
    assert netns.state() == before


def test_lists_with_empty_items_ranges_and_more_than_15_ports(netns, backend):
    """What 40 ports and a range are in the kernel is read by a second run and by the stock tools."""
    ports = [f"{1000 + 2 * i}" for i in range(40)]
    args = ["-i", "*", "-u", "1337", "-b", "*", "-o", ",".join(ports), "--ipv6=off", f"--backend={backend}"]
    lib.checked(netns.istio_init(*args, "-d", "15090,15021,"))
    lib.checked(netns.istio_init("diff", *args, "-d", ",,15090, ,15021"))
    assert "unchanged" in netns.istio_init(*args, "-d", "15090,15021").stderr
    lib.checked(netns.istio_init(*args, "-d", "15090,16000-16100", "--reconcile"))
    text = netns.sh("iptables-legacy-save; iptables-nft-save; nft list table inet istio-proxy-nat 2>/dev/null || :")
    assert all(re.search(rf"\b{port}\b", text) for port in ports)
    assert re.search(r"16000[-:]16100", text)


@pytest.mark.parametrize("format", ["iptables", "nft"])
def test_a_dry_run_is_rules_only(netns, format):
    args = ["--dry-run", "--sidecar", "--comments", f"--format={format}", "-u", "1337"]
    quiet = netns.istio_init(*args)
    noisy = netns.istio_init("apply", "stray", *args, "--log_output_level=debug", env={"CAPTURE_ALL_DNS": "1"})
    assert lib.checked(quiet) and "\0" not in quiet.stdout
    assert lib.checked(noisy) == quiet.stdout and noisy.stderr.count("warn") >= 2
    assert netns.istio_init(*args, "-b", "0").stdout == ""


def test_dry_run_is_what_the_kernel_takes(netns):
    netns.restore("ipv4", lib.checked(netns.istio_init("--dry-run", "--family=ipv4", *SIDECAR)))
    netns.run(["nft", "-f", "-"], input=lib.checked(netns.istio_init("--dry-run", "--format=nft", *SIDECAR)))
    assert netns.has_istio("ipv4") and "istio-proxy-nat" in netns.sh("nft list tables")


def test_both_lines_are_json(netns):
    result = netns.istio_init(*SIDECAR, "--log_as_json", prefix=without("cap_net_admin"))
    assert result.returncode == 77
    assert [line[:17] for line in result.stderr.splitlines()] == ['{"level":"error",'] * 2


def test_no_tool_is_needed(netns, backend):
    lib.checked(netns.istio_init(*DNS, "-m", "TPROXY", f"--backend={backend}", prefix=["env", "PATH=/nonexistent"]))
    lib.checked(netns.istio_init("clean", prefix=["env", "PATH=/nonexistent"]))


@pytest.mark.backends("nftables")
def test_sets_carry_no_userdata(netns, backend):
    """NFTA_SET_USERDATA is attribute 13 of a new set."""
    args = [*SIDECAR, "-x", "10.0.0.0/8,11.0.0.0/8", "-o", "1,2,3", f"--backend={backend}"]
    lib.checked(netns.istio_init(*args, prefix=[*strace(netns, "trace=sendto"), "-v", "-s", "1000000"]))
    sets = [part for part in (netns.dir / "trace").read_text().split("[{nlmsg_len=") if "NFT_MSG_NEWSET," in part]
    assert sets and not any("nla_type=0xd}" in part for part in sets)


@pytest.mark.backends("nftables", "iptables-nft")
def test_as_many_as_it_says_fit_into_a_transaction_of_a_user_namespace(netns, backend):
    """And so many more do not.  Of the rules of iptables those beside the list's count, too."""
    cidrs = netns.dir / "cidrs"
    room = int(pathlib.Path("/proc/sys/net/core/wmem_max").read_text())
    user = ["unshare", "-U", "--map-user=1337", "--map-group=1337", "--keep-caps", "-n"]

    def apply(n):
        cidrs.write_text("".join(f"10.{i >> 13}.{i >> 5 & 255}.{(i & 31) * 8}/30\n" for i in range(n)))
        return lib.run([*user, lib.BINARY, "-i", "*", f"-x@{cidrs}", "--long-lists=linear", f"--backend={backend}"])

    many = room // (20 if backend == "nftables" else 100)
    result = apply(many)
    assert result.returncode == 69, result.stderr
    items, fit = map(int, re.search(r"error: (\d+) .* are too many .* some (\d+) fit", result.stderr).groups())
    most = fit - (items - many)
    assert most > many // 4
    assert apply(most - 20).returncode == 0
    assert apply(most + 20).returncode == 69
