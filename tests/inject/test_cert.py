# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates of `istio-inject cert`, judged by openssl."""

import base64
import datetime
import os
import re

import injection
import lib
import pytest

FILES = ["ca.crt", "ca.key", "tls.crt", "tls.key"]


def cert(directory, *args, **kwargs):
    return lib.run([injection.BINARY, "cert", "-d", directory, *args], **kwargs)


def openssl(*args):
    return lib.checked(lib.run(["openssl", *args]))


def verified(directory, *args):
    return lib.run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", directory / "ca.crt", *args,
                    directory / "tls.crt"]).returncode == 0


def dates(path):
    out = openssl("x509", "-noout", "-dates", "-dateopt", "iso_8601", "-in", path)
    return [datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) for text in re.findall(r"=(.*)", out)]


def contents(directory):
    return {name: (directory / name).read_bytes() for name in FILES}


def names(path):
    return set(re.findall(r"DNS:([^,\s]+)", openssl("x509", "-noout", "-ext", "subjectAltName", "-in", path)))


def test_files(tmp_path):
    old = os.umask(0)
    try:
        out = lib.checked(cert(tmp_path))
    finally:
        os.umask(old)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    assert out.count("\n") == 1 and base64.b64decode(out, validate=False) == (tmp_path / "ca.crt").read_bytes()
    for name in FILES:
        assert (tmp_path / name).stat().st_mode & 0o777 == (0o600 if name.endswith(".key") else 0o644), name
    assert verified(tmp_path)
    for kind in ("ca", "tls"):
        key = openssl("pkey", "-in", tmp_path / f"{kind}.key", "-pubout")
        assert key == openssl("x509", "-noout", "-pubkey", "-in", tmp_path / f"{kind}.crt")
        assert "NIST CURVE: P-256" in openssl("pkey", "-in", tmp_path / f"{kind}.key", "-noout", "-text")


def test_names(tmp_path):
    lib.checked(cert(tmp_path, "--service", "inject", "-n", "mesh", "--name", "inject.example.org", "--name", "localhost"))
    wanted = {"inject", "inject.mesh", "inject.mesh.svc", "inject.mesh.svc.cluster.local", "inject.example.org", "localhost"}
    assert names(tmp_path / "tls.crt") == wanted
    for name in wanted:
        assert verified(tmp_path, "-verify_hostname", name)
    assert not verified(tmp_path, "-verify_hostname", "inject.other.svc")


def test_longest_names(tmp_path):
    """Longer than a common name may be; the names that count are the alternative ones."""
    service, namespace = "s" * 63, "n" * 63
    lib.checked(cert(tmp_path, "--service", service, "-n", namespace, "--name", ".".join(["a" * 61] * 4)))
    assert verified(tmp_path, "-verify_hostname", f"{service}.{namespace}.svc")


def test_dates(tmp_path):
    now = datetime.datetime.now(datetime.timezone.utc)
    lib.checked(cert(tmp_path, "--days", "30", "--ca-days", "100"))
    for name, days in (("tls.crt", 30), ("ca.crt", 100)):
        start, end = dates(tmp_path / name)
        assert datetime.timedelta(minutes=59) <= now - start <= datetime.timedelta(minutes=61)
        assert abs((end - now).total_seconds() - days * 86400) < 60


@pytest.mark.parametrize("days", ["8500", "65535"])
def test_dates_far_away(tmp_path, days):
    """Beyond 2049 dates are written in another way (RFC 5280, section 4.1.2.5)."""
    lib.checked(cert(tmp_path, "--days", days, "--ca-days", days))
    assert verified(tmp_path)
    assert dates(tmp_path / "tls.crt")[1].year == (datetime.date.today() + datetime.timedelta(int(days))).year


def test_never_outlives_the_ca(tmp_path):
    result = cert(tmp_path, "--days=20", "--ca-days=10")
    assert result.returncode == 0 and "valid for 10 days, not 20: the CA ends then" in result.stderr
    assert dates(tmp_path / "tls.crt")[1] == dates(tmp_path / "ca.crt")[1]


def test_again(tmp_path):
    """The CA stays, byte for byte; the server's pair is new, and links or readers of the old one are let alone."""
    first_out = lib.checked(cert(tmp_path))
    first = contents(tmp_path)
    with open(tmp_path / "tls.key", "rb") as old:
        assert lib.checked(cert(tmp_path)) == first_out
        assert old.read() == first["tls.key"]
    second = contents(tmp_path)
    assert {name for name in FILES if first[name] != second[name]} == {"tls.crt", "tls.key"}
    assert verified(tmp_path)
    serials = {re.sub(r"\s", "", openssl("x509", "-noout", "-serial", "-in", tmp_path / name)) for name in ("tls.crt", "ca.crt")}
    assert len(serials) == 2 and sorted(path.name for path in tmp_path.iterdir()) == FILES


@pytest.mark.parametrize("key", [["-newkey", "rsa:2048"], ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"]])
@pytest.mark.parametrize("encoding", ["utf8only", "pkix"])
def test_ca_of_others(tmp_path, key, encoding):
    """Its name, of several parts and in another encoding than ours, is copied as it is."""
    config = injection.write(tmp_path / "openssl.cnf", f"[req]\ndistinguished_name = dn\nstring_mask = {encoding}\n[dn]\n")
    openssl("req", "-x509", *key, "-nodes", "-keyout", tmp_path / "ca.key", "-out", tmp_path / "ca.crt", "-days", "9", "-config",
            config, "-subj", "/C=DE/O=Some, Company/OU=one/OU=two/CN=root", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "subjectKeyIdentifier=hash", "-addext", "keyUsage=critical,keyCertSign")
    lib.checked(cert(tmp_path))
    assert verified(tmp_path)
    raw = [openssl("x509", "-noout", option, "-nameopt", "RFC2253,show_type,-esc_msb", "-in", tmp_path / name).split("=", 1)[1]
           for option, name in (("-subject", "ca.crt"), ("-issuer", "tls.crt"))]
    assert raw[0] == raw[1]


def make(directory, *args, days="9"):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
            directory / "ca.key", "-out", directory / "ca.crt", "-days", days, "-subj", "/CN=x", *args)


def no_key(directory):
    lib.checked(cert(directory))
    (directory / "ca.key").unlink()


def no_cert(directory):
    lib.checked(cert(directory))
    (directory / "ca.crt").unlink()


def other_key(directory):
    lib.checked(cert(directory))
    (directory / "ca.key").write_bytes((directory / "tls.key").read_bytes())


def no_ca(directory):
    make(directory, "-addext", "basicConstraints=critical,CA:FALSE")


def expired(directory):
    """By openssl ca, whose certificates can begin and end at any time."""
    make(directory)
    for name in ("index", "serial"):
        (directory / name).write_text("01" if name == "serial" else "")
    config = injection.write(directory / "ca.cnf", f"""[ca]\ndefault_ca = x\n[x]\ndatabase = {directory}/index
serial = {directory}/serial\nnew_certs_dir = {directory}\ndefault_md = sha256\npolicy = p\nx509_extensions = e
[p]\ncommonName = supplied\n[e]\nbasicConstraints = critical,CA:TRUE\n""")
    openssl("req", "-new", "-key", directory / "ca.key", "-subj", "/CN=x", "-out", directory / "x.csr")
    openssl("ca", "-batch", "-selfsign", "-config", config, "-keyfile", directory / "ca.key", "-in", directory / "x.csr",
            "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-notext", "-out", directory / "ca.crt")


def rubbish(directory):
    (directory / "ca.crt").write_text("rubbish")
    (directory / "ca.key").write_text("rubbish")


@pytest.mark.parametrize("prepare,message", [
    (no_key, "ca.crt is there without"), (no_cert, "ca.key is there without"),
    (other_key, "ca.key: expected the key of the certificate in"), (no_ca, "ca.crt: expected a certificate of a CA"),
    (expired, "ca.crt has expired: take it and"), (rubbish, "ca.crt: expected a certificate in PEM"),
])
def test_bad_ca(tmp_path, prepare, message):
    prepare(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    result = cert(tmp_path)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (64, "", 1) and message in result.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("args,message", [
    (["--name=a_b"], '--name: "a_b": expected a DNS name'), (["--name=-a"], '--name: "-a": expected a DNS name'),
    (["--name="], '--name: "": expected a DNS name'), (["--days=0"], '--days: "0": expected a number'),
    (["--service=S"], '--service: "S": expected a name'), (["-n", "a.b"], '--namespace (-n): "a.b": expected a name'),
])
def test_wrong(tmp_path, args, message):
    result = cert(tmp_path, *args)
    assert (result.returncode, result.stdout) == (64, "") and message in result.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_half_done(tmp_path):
    """A directory that is not there, and one file that cannot take its place."""
    result = cert(tmp_path / "none")
    assert (result.returncode, result.stdout) == (1, "") and "none/ca.key.new: No such file or directory" in result.stderr
    lib.checked(cert(tmp_path))
    before = {name: (tmp_path / name).read_bytes() for name in FILES[:3]}
    (tmp_path / "tls.key").unlink()
    (tmp_path / "tls.key").mkdir()
    result = cert(tmp_path)
    assert (result.returncode, result.stdout) == (1, "") and "tls.key: Is a directory" in result.stderr
    assert {name: (tmp_path / name).read_bytes() for name in FILES[:3]} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


def test_after_a_kill(tmp_path):
    """What a run that was killed has left is in nobody's way."""
    for name in FILES:
        (tmp_path / f"{name}.new").write_text("half")
    lib.checked(cert(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES and verified(tmp_path)
