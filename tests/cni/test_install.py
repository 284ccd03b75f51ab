# SPDX-License-Identifier: GPL-2.0-or-later
"""cni-install and cni-uninstall on folders of the test's own: what is written, what is not, and who is beside."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import time

import lib
import pytest

TYPE = "istio-init-cni"
ENTRY = {"type": TYPE, "capabilities": {"io.kubernetes.cri.pod-annotations": True}}
LIST = """{
    "cniVersion": "1.0.0",
    "name": "k8s",
    "x": [1.50, 1e3],   "plugins": [
        { "type": "bridge", "mtu":   1450 },
        {
            "type": "portmap",
            "capabilities": {"portMappings": true}
        }
    ]
}
"""
COMPACT = '{"cniVersion":"0.3.1","name":"n","plugins":[{"type":"ptp","mtu":1.0}],"z":"\\u00e9"}'
TABS = '{\r\n\t"plugins": [{"type": "a"}],\r\n\t"name": "n"\r\n}\r\n\r\n'


class Node:
    """A node's two folders."""

    def __init__(self, path):
        self.conf, self.bin = path / "net.d", path / "bin"
        self.conf.mkdir()
        self.bin.mkdir()

    def args(self, command, *args):
        return [lib.BINARY, command, "--conf-dir", self.conf, "--bin-dir", self.bin, *args]

    def run(self, command, *args, prefix=(), **kwargs):
        return lib.run([*prefix, *self.args(command, *args)], **kwargs)

    def install(self, *args, **kwargs):
        return lib.checked(self.run("cni-install", *args, **kwargs))

    def uninstall(self):
        return lib.checked(self.run("cni-uninstall"))

    def write(self, name, text):
        path = self.conf / name
        path.write_bytes(text.encode())
        return path

    def entries(self, name="10-k8s.conflist"):
        return [plugin for plugin in json.loads((self.conf / name).read_bytes())["plugins"] if plugin["type"] == TYPE]

    def files(self):
        return sorted(os.listdir(self.conf))

    def program_is_whole(self):
        path = self.bin / TYPE
        return path.exists() and path.read_bytes() == lib.BINARY.read_bytes() and stat.S_IMODE(path.stat().st_mode) == 0o755

    @contextlib.contextmanager
    def watching(self, *args):
        process = subprocess.Popen([str(word) for word in self.args("cni-install", "--watch", *args)],
                                   env={"PATH": lib.PATH}, stderr=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.errors = process.communicate(timeout=20)[1]
        assert process.returncode == 0, process.errors


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def read_until(process, words):
    """Lines of its log, up to the one with the words."""
    for line in process.stderr:
        if words in line:
            return
    pytest.fail(f"it has ended without {words}")


@pytest.mark.parametrize("text", [LIST, COMPACT, TABS])
def test_the_rest_of_the_list_stays_byte_for_byte(node, text):
    path = node.write("10-k8s.conflist", text)
    path.chmod(0o640)
    os.chown(path, 1, 2)
    node.install()
    assert node.program_is_whole() and node.entries() == [ENTRY]
    now = path.read_bytes().decode()
    start = now.index(TYPE)
    common = len(os.path.commonprefix([now, text]))
    assert common > text.index("plugins") and common < start
    assert now.endswith(text[common:].lstrip()) or now[-len(text) + common:] == text[common:]
    assert (path.stat().st_uid, path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (1, 2, 0o640)
    before = path.stat()
    node.install()
    assert path.stat() == before or (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    node.uninstall()
    assert path.read_bytes() == text.encode()
    assert node.files() == ["10-k8s.conflist"] and not os.listdir(node.bin)
    node.uninstall()


def test_the_first_list_by_name(node):
    for name in ("20-b.conflist", "05-a.conf", "10-a.conflist", ".00.conflist", "00.conflist.bak"):
        node.write(name, LIST)
    result = node.run("cni-install")
    assert result.returncode == 0 and "05-a.conf comes before 10-a.conflist" in result.stderr
    assert node.entries("10-a.conflist") == [ENTRY]
    for name in ("20-b.conflist", "05-a.conf", ".00.conflist", "00.conflist.bak"):
        assert (node.conf / name).read_text() == LIST


def test_an_entry_of_another_configuration_is_replaced_in_place(node, tmp_path):
    old = '{"type":"istio-init-cni",  "logLevel":"debug"}'
    path = node.write("10-k8s.conflist", COMPACT.replace('[{', f'[{old}, {{') .replace('}],', f'}},{old}],'))
    conf = tmp_path / "entry.json"
    conf.write_text(json.dumps({**ENTRY, "capture": {"backend": "nftables"}}))
    node.install("--conf", conf)
    plugins = json.loads(path.read_text())["plugins"]
    assert [plugin["type"] for plugin in plugins] == [TYPE, "ptp"]
    assert plugins[0]["capture"] == {"backend": "nftables"} and '{"type":"ptp","mtu":1.0}' in path.read_text()


BAD_ENTRIES = ["", "{", "[]", '{"type":"x"}', '{"capabilities":{}}', '{"type":"istio-init-cni"}',
               json.dumps({**ENTRY, "logLevel": "loud"}), json.dumps({**ENTRY, "capture": {"bakend": "auto"}})]


@pytest.mark.parametrize("text", BAD_ENTRIES)
def test_a_bad_entry_is_refused_before_anything_is_written(node, tmp_path, text):
    node.write("10-k8s.conflist", LIST)
    (tmp_path / "entry.json").write_text(text)
    result = node.run("cni-install", "--conf", tmp_path / "entry.json")
    assert result.returncode == 64 and "entry.json" in result.stderr and len(result.stderr.splitlines()) == 2
    assert (node.conf / "10-k8s.conflist").read_text() == LIST and not os.listdir(node.bin)
    assert node.run("cni-install", "--conf", "/nonexistent").returncode == 64


def test_a_single_conf_becomes_a_list_that_comes_before_it(node):
    """A runtime takes the first by name, and 10-ptp.conf would come before 10-ptp.conflist."""
    single = '{"cniVersion":"0.4.0","name":"n","type":"ptp","mtu":1.50}'
    path = node.write("10-ptp.conf", single)
    node.install()
    node.install()
    first, second = node.files()
    assert (first, second) == ("10-ptp-istio-init.conflist", "10-ptp.conf") and path.read_text() == single
    made = json.loads((node.conf / first).read_text())
    assert (made["cniVersion"], made["name"]) == ("0.4.0", "n")
    assert [plugin["type"] for plugin in made["plugins"]] == ["ptp", TYPE] and "1.50" in (node.conf / first).read_text()
    path.write_text(single.replace("1.50", "1400"))
    node.install()
    assert "1400" in (node.conf / first).read_text() and len(node.entries(first)) == 1
    node.uninstall()
    assert node.files() == ["10-ptp.conf"]


@pytest.mark.parametrize("text", ["", "{", LIST[:60], "[]", "{}", '{"plugins":[]}', '{"plugins":{}}', '{"plugins":[1]}',
                                  '{"plugins":[{"x":1}]}', LIST + "x"])
def test_a_broken_list(node, text):
    path = node.write("10-k8s.conflist", text)
    for command in ("cni-install", "cni-uninstall"):
        result = node.run(command)
        assert result.returncode == 1 and "10-k8s.conflist" in result.stderr
        assert path.read_text() == text
    assert node.program_is_whole(), "what may still be named in a list stays"


def test_nothing_there_yet(node, tmp_path):
    assert node.run("cni-install").returncode == 75
    result = lib.run([lib.BINARY, "cni-install", "--conf-dir", tmp_path / "gone", "--bin-dir", node.bin])
    assert result.returncode == 75 and "gone" in result.stderr


def test_a_symbolic_link_stays_one(node, tmp_path):
    target = tmp_path / "elsewhere" / "list"
    target.parent.mkdir()
    target.write_text(LIST)
    (node.conf / "10-k8s.conflist").symlink_to(target)
    node.install()
    assert (node.conf / "10-k8s.conflist").is_symlink() and node.entries() == [ENTRY]
    assert os.listdir(target.parent) == ["list"]


def test_a_link_in_the_place_of_the_program_is_not_followed(node, tmp_path):
    node.write("10-k8s.conflist", LIST)
    (tmp_path / "other").write_text("other")
    (node.bin / TYPE).symlink_to(tmp_path / "other")
    node.install()
    assert (tmp_path / "other").read_text() == "other" and not (node.bin / TYPE).is_symlink() and node.program_is_whole()


def test_a_read_only_folder(node):
    path = node.write("10-k8s.conflist", LIST)
    script = 'mount --make-rprivate /; mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"; shift; exec "$@"'
    prefix = ["unshare", "-m", "sh", "-ec", script, "sh", node.conf]
    result = node.run("cni-install", prefix=prefix)
    assert result.returncode == 1 and "Read-only" in result.stderr and "10-k8s.conflist" in result.stderr
    assert path.read_text() == LIST


def test_a_file_that_only_its_owner_could_write(node):
    node.write("10-k8s.conflist", LIST).chmod(0o400)
    node.install()
    assert node.entries() == [ENTRY]


def test_what_a_killed_run_has_left_is_removed(node):
    node.write("10-k8s.conflist", LIST)
    (node.conf / ".istio-init-cni-AbCdEf").write_text("half")
    (node.bin / ".istio-init-cni-AbCdEf").write_text("half")
    node.install()
    assert node.files() == ["10-k8s.conflist"] and os.listdir(node.bin) == [TYPE]


def test_a_list_that_another_program_changes_meanwhile(node):
    """Ours is written and only waits for the disk when the other one comes: what that has written stays, with our entry."""
    path = node.write("10-k8s.conflist", LIST)
    node.install()
    path.write_text(LIST)
    slow = ["strace", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:delay_exit=500000:when=1"]
    process = subprocess.Popen([*slow, *(str(word) for word in node.args("cni-install"))], env={"PATH": lib.PATH})
    wait_for(lambda: len(node.files()) > 1)
    path.write_text(COMPACT)
    assert process.wait() == 0
    assert node.entries() == [ENTRY] and '"mtu":1.0' in path.read_text() and node.files() == ["10-k8s.conflist"]


def test_twenty_at_once(node):
    """And a reader who never sees half a file."""
    node.write("10-k8s.conflist", LIST)
    running = [subprocess.Popen([str(word) for word in node.args("cni-install")], stderr=subprocess.PIPE,
                                env={"PATH": lib.PATH}) for _ in range(20)]
    while any(process.poll() is None for process in running):
        assert len(node.entries()) <= 1
        assert not (node.bin / TYPE).exists() or node.program_is_whole()
    assert [process.returncode for process in running] == [0] * 20, [process.stderr.read() for process in running]
    for process in running:
        process.stderr.close()
    assert node.entries() == [ENTRY] and node.files() == ["10-k8s.conflist"] and os.listdir(node.bin) == [TYPE]


def test_killed_at_any_moment(node):
    for delay in range(20):
        path = node.write("10-k8s.conflist", LIST)
        (node.bin / TYPE).unlink(missing_ok=True)
        process = subprocess.Popen([str(word) for word in node.args("cni-install")], stderr=subprocess.DEVNULL)
        time.sleep(delay * 200e-6)
        process.kill()
        process.wait()
        assert path.read_text() == LIST or node.entries() == [ENTRY]
        assert not (node.bin / TYPE).exists() or node.program_is_whole()
        if node.entries():
            assert node.program_is_whole(), "the program comes first"
        node.install()
        assert node.entries() == [ENTRY] and node.files() == ["10-k8s.conflist"]


def test_watch(node):
    """Waits for a list, for one that is half written, puts back what others take out, follows the first by name."""
    with node.watching() as process:
        read_until(process, "no configuration of a network")
        node.write("10-k8s.conflist", LIST[:60])
        read_until(process, "10-k8s.conflist: ")
        assert (node.conf / "10-k8s.conflist").read_text() == LIST[:60]
        node.write("10-k8s.conflist", LIST)
        wait_for(node.entries)
        node.write("10-k8s.conflist", COMPACT)
        wait_for(node.entries)
        (node.bin / TYPE).write_bytes(b"other")
        wait_for(node.program_is_whole)
        node.write("00-first.conflist", LIST)
        wait_for(lambda: node.entries("00-first.conflist"))
        (node.conf / "00-first.conflist").unlink()
        assert process.poll() is None
    assert node.entries() == [ENTRY] and node.program_is_whole(), "SIGTERM leaves the entry in"


def test_watch_as_the_first_process_of_a_container(node):
    node.write("10-k8s.conflist", LIST)
    process = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", *map(str, node.args("cni-install", "--watch"))],
                               stderr=subprocess.PIPE, env={"PATH": lib.PATH})
    wait_for(node.entries)
    child = open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii").read().split()[0]
    os.kill(int(child), signal.SIGTERM)
    assert process.wait(20) == 0
    process.stderr.close()


def test_what_it_installs_is_the_plugin(node, netns):
    node.write("10-k8s.conflist", LIST)
    node.install()
    result = netns.run([node.bin / TYPE], env={"CNI_COMMAND": "STATUS"},
                       input=json.dumps({**ENTRY, "cniVersion": "1.1.0", "name": "k8s"}))
    assert (result.returncode, result.stdout) == (0, "")
