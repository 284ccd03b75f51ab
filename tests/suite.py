# SPDX-License-Identifier: GPL-2.0-or-later
"""A suite of tests that has a folder, a target of make and a runner of its own.

All of it lives in network, PID and mount namespaces made here, and ends with them.  K in the environment names the
tests to run, as for tests/run; arguments are pytest's.  The last line, also left in build/NAME-summary, counts.
"""

import os
import pathlib
import signal
import subprocess
import sys
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
AS_ROOT = ROOT / ".ci/as-root"


def network():
    return str(os.stat("/proc/self/ns/net").st_ino)


def check_inside():
    """The tests of a suite add addresses, routes and mounts: never to the machine's own."""
    if os.environ.get("ISTIO_INIT_SUITE") != network():
        sys.exit("these tests are for the namespaces that the run beside them makes")


def pytest_tests(here, name, args):
    report = BUILD / name / "pytest.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}",
               "--rootdir", here, f"--confcutdir={here}", "--import-mode=importlib", *args, here]
    status = subprocess.run(command, cwd=here, env=os.environ | {"ISTIO_INIT_SUITE": network()}, check=False).returncode
    count = dict.fromkeys(["tests", "failures", "errors", "skipped"], 0)
    if report.is_file():
        for suite in xml.parse(report).iter("testsuite"):
            for what in count:
                count[what] += int(suite.get(what, 0))
    bad = count["failures"] + count["errors"] + count["skipped"]
    return max(count["tests"] - bad, 0), max(bad, 1 if status else 0)


def main(script, needs, limit):
    """Runs the tests beside @script, whose folder names them, for @limit seconds at most; make has built @needs."""
    args = sys.argv[1:]
    here = pathlib.Path(script).resolve().parent
    if os.geteuid() != 0:
        os.execv(AS_ROOT, [AS_ROOT, script, *args])
    if not (BUILD / needs).is_file():
        sys.exit(f"{here.name}: no build/{needs}: see make check-{here.name}")
    if args[:1] != ["--inside"]:
        os.execvp("unshare", ["unshare", "--mount", "--mount-proc", "--net", "--pid", "--fork", "--kill-child", "--",
                              sys.executable, script, "--inside", *args])
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"{here.name}: not done after {limit} s"))
    signal.alarm(limit)
    passed, failed = pytest_tests(here, here.name,
                                  [*args[1:], *(["-k", os.environ["K"]] if os.environ.get("K") else [])])
    summary = f"{passed} passed, {failed} failed"
    (BUILD / f"{here.name}-summary").write_text(summary + "\n", encoding="ascii")
    print(summary)
    return 1 if failed or not passed else 0
