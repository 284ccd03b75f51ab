# SPDX-License-Identifier: GPL-2.0-or-later
"""Fresh network namespaces, and the program and the stock tools run in them.

Nothing here ever runs in the network namespace of the machine, except where a
test says so and the program runs as nobody.
"""

import contextlib
import ctypes
import fcntl
import functools
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("ISTIO_INIT", ROOT / "build/istio-init")).resolve()
AS_ROOT = ROOT / ".ci/as-root"
BACKENDS = os.environ.get("ISTIO_INIT_BACKENDS", "iptables-legacy nftables iptables-nft").split()
FAMILIES = ["ipv4", "ipv6"]
NOBODY = 65534

TOOLS = ["capsh", "ip", "ip6tables-legacy-restore", "ip6tables-legacy-save", "iptables-legacy",
         "iptables-legacy-restore", "iptables-legacy-save", "mount", "nft", "nsenter", "prlimit", "setpriv",
         "strace", "unshare"]
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# System calls that change something: replacing a table, a netlink message that is no dump.
WRITES = re.compile(r"setsockopt\(\d+, SOL_IPV?6?, |send(msg|to)\(.*(RTM_NEW|RTM_DEL|NFT_MSG_NEW|NFT_MSG_DEL)|SIOCS")

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
_libc = ctypes.CDLL(None, use_errno=True)


def netns_id(path):
    """What tells one namespace from another."""
    stat = os.stat(path)
    return stat.st_dev, stat.st_ino


# The namespace that the tests were started in: no rule is ever changed there.
HOME = netns_id("/proc/self/ns/net")


def _call(function, *args):
    if function(*args) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def missing_tools():
    return [tool for tool in TOOLS if not shutil.which(tool, path=PATH)]


def _new_netns():
    """A descriptor of a new network namespace, made by a thread that lives only for that."""
    made = []

    def unshare():
        try:
            _call(_libc.unshare, CLONE_NEWNET)
            made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=unshare)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


def run(argv, *, env=None, timeout=60, **kwargs):
    """Runs a program with no environment but @env; stdout and stderr are captured as text."""
    if "input" not in kwargs:
        kwargs["stdin"] = subprocess.DEVNULL
    kwargs.setdefault("text", True)
    result = subprocess.run([str(word) for word in argv], env={"PATH": PATH, **(env or {})}, timeout=timeout,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
    if "--output=json" in result.args and result.stdout and not any("istio-inject" in word for word in result.args):
        document(result.stdout)
    return result


@functools.cache
def _validator():
    """Of the schema; without the room for keys to come, so that it names all that there are."""
    import jsonschema

    def close(schema):
        if isinstance(schema, dict) and "properties" in schema and "$defs" not in schema:
            schema = {"additionalProperties": False, **schema}
        if isinstance(schema, dict):
            return {key: close(value) if key != "properties" else {name: close(one) for name, one in value.items()}
                    for key, value in schema.items()}
        return schema

    schema = json.loads((ROOT / "man/istio-init.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(close(schema))


def document(text):
    """The JSON document of --output=json, which the schema knows."""
    def members(pairs):
        assert len(dict(pairs)) == len(pairs), pairs
        return dict(pairs)

    found = json.loads(text, object_pairs_hook=members)
    errors = list(_validator().iter_errors(found))
    assert not errors, errors[0]
    return found


def checked(result):
    assert result.returncode == 0, f"{result.args}: exit {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout


class Netns:
    """A fresh network namespace with lo up; it ends with close() or the with block."""

    def __init__(self, lo_up=True):
        self.fd = _new_netns()
        assert netns_id(f"/proc/self/fd/{self.fd}") != HOME
        self.path = f"/proc/{os.getpid()}/fd/{self.fd}"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="istio-init-test-"))
        self.lock = self.dir / "xtables.lock"
        if lo_up:
            with self.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))

    def close(self):
        os.close(self.fd)
        shutil.rmtree(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def command(self, argv):
        """The argument vector that runs @argv in this namespace."""
        assert netns_id(self.path) != HOME
        return ["nsenter", f"--net={self.path}", "--", *argv]

    def env(self, env=None):
        return {"XTABLES_LOCKFILE": str(self.lock), **(env or {})}

    def run(self, argv, *, env=None, **kwargs):
        with self.entered():  # a process that nsenter would cost
            return run(argv, env=self.env(env), **kwargs)

    def sh(self, script):
        return checked(self.run(["sh", "-ec", script]))

    def ip(self, words):
        return checked(self.run(["ip", *words.split()]))

    def istio_init(self, *args, env=None, prefix=(), **kwargs):
        """Runs the program here, behind the words of @prefix (strace, setpriv …)."""
        return self.run([*prefix, BINARY, *args], env=env, **kwargs)

    def start(self, argv, *, env=None, **kwargs):
        """Starts a program here and does not wait for it."""
        with self.entered():
            return subprocess.Popen([str(word) for word in argv], env={"PATH": PATH, **self.env(env)},
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                    **kwargs)

    @contextlib.contextmanager
    def entered(self):
        """The calling thread, and what it starts, is in this namespace inside the with block."""
        assert netns_id(self.path) != HOME
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call(_libc.setns, self.fd, CLONE_NEWNET)
            try:
                yield
            finally:
                _call(_libc.setns, home, CLONE_NEWNET)
        finally:
            os.close(home)

    def socket(self, family, kind, uid=0, gid=0):
        """A socket of this namespace whose owner, for owner matches, is @uid and @gid."""
        with self.entered(), owner(uid, gid):
            return socket.socket(family, kind)

    def write_sysctl(self, name, value):
        """Sets /proc/sys/net/@name of this namespace."""
        with self.entered(), open(f"/proc/sys/net/{name}", "w", encoding="ascii") as file:
            file.write(value)

    def save(self, family, counters=False, flavour="legacy"):
        tool = {"ipv4": "iptables", "ipv6": "ip6tables"}[family]
        return checked(self.run([f"{tool}-{flavour}-save", *(["-c"] if counters else [])]))

    def restore(self, family, text, flavour="legacy"):
        tool = {"ipv4": "iptables", "ipv6": "ip6tables"}[family]
        checked(self.run([f"{tool}-{flavour}-restore", "--noflush"], input=text))

    def plumbing(self):
        """Rules, routes and addresses beside the tables, without what the kernel makes of them in its own time: the
        route of an address, that an address is checked for duplicates, what is left of its life, the queue that a lo
        keeps once it was up."""
        text = self.sh("ip rule; ip -6 rule; ip -4 route show table all; ip -6 route show table all; ip addr")
        return re.sub(r"(?m)^(local|anycast) \S+ dev .* proto kernel .*\n| tentative\b|qdisc \w+ |"
                      r"(?<=_lft )\d+sec|(?<=expires )\d+sec", "", text)

    def snapshot(self):
        """All that an apply may change here, counters included, as text."""
        text = self.sh("""
            cat /proc/net/ip_tables_names /proc/net/ip6_tables_names
            iptables-legacy-save -c; ip6tables-legacy-save -c; nft list ruleset""")
        return re.sub(r"(?m)^# (Generated|Completed).*\n", "", text) + self.plumbing()

    def state(self):
        """What rules and plumbing there are, whatever legacy tables were opened, and in which order."""
        native = sorted(table for table in re.split(r"(?m)^(?=table )", self.sh("nft -s list ruleset"))
                        if not table.startswith(("table ip ", "table ip6 ")))
        saved = [tables(self.save(family, flavour=flavour)) for family in FAMILIES for flavour in ("legacy", "nft")]
        return saved, native, self.plumbing()

    def has_istio(self, family):
        """Whether Istio rules for the family are live, whatever backend holds them."""
        if any("ISTIO_" in self.save(family, flavour=flavour) for flavour in ("legacy", "nft")):
            return True
        native = self.sh("nft -s list ruleset")
        return "table inet istio-proxy-nat" in native and (family == "ipv4" or "nfproto != ipv4" not in native)


@contextlib.contextmanager
def owner(uid, gid):
    """Files and sockets made inside belong to @uid and @gid (of this thread alone)."""
    _libc.setfsgid(gid)
    _libc.setfsuid(uid)
    try:
        yield
    finally:
        _libc.setfsuid(0)
        _libc.setfsgid(0)


def tables(saved):
    """iptables-save's text as {table: ([own chains], {chain: [rules]})}, empty tables left out."""
    found = {}
    for line in saved.splitlines():
        if line.startswith("*"):
            chains, rules = found[line[1:]] = ([], {})
        elif line.startswith(":") and line.split()[1] == "-":
            chains.append(line[1:].split()[0])
        elif line.startswith("-A "):
            rules.setdefault(line.split()[1], []).append(line)
    return {name: content for name, content in found.items() if any(content)}


def as_dry_run(saved, family):
    """iptables-save's text as a dry run has to print it."""
    text = f"# {family}\n"
    for name, (chains, rules) in sorted(tables(saved).items()):
        text += f"*{name}\n" + "".join(f":{chain} - [0:0]\n" for chain in chains)
        text += "".join(f"{rule}\n" for chain in rules.values() for rule in chain) + "COMMIT\n"
    return text


def as_comments(commands):
    return "".join(f"# {command}\n" for command in commands)


def plumbing_of(text):
    """The commands behind the rules of our text, as they stand in it."""
    return re.findall(r"(?m)^# (ip .*)\n", text)


def shown(netns, backend, *args):
    """What show prints of the only backend that holds rules."""
    text = checked(netns.istio_init("show", *args))
    assert text.startswith(f"# {backend}\n"), text
    return text.removeprefix(f"# {backend}\n")


def without_plumbing(text):
    return re.sub(r"(?m)^# ip .*\n", "", text)


def public_dir():
    """A directory that other users may enter (those of pytest are root's own)."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="istio-init-test-"))
    path.chmod(0o755)
    return path
