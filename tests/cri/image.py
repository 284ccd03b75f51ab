# SPDX-License-Identifier: GPL-2.0-or-later
"""Images made here, without a registry: an archive of docker's kind, one layer, that every containerd imports."""

import hashlib
import io
import json
import pathlib
import platform
import re
import tarfile

import lib

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}


def _add(archive, path, data, mode=0o644):
    info = tarfile.TarInfo(path)
    info.size, info.mode = len(data), mode
    archive.addfile(info, io.BytesIO(data))


def _layer(files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        folders = {str(parent) for target in files for parent in pathlib.PurePath(target).parents} - {"/"}
        for folder in sorted(folders):
            info = tarfile.TarInfo(folder.lstrip("/"))
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
        for target, source in files.items():
            if isinstance(source, pathlib.Path):
                _add(archive, target.lstrip("/"), source.read_bytes(), 0o755)
            else:
                info = tarfile.TarInfo(target.lstrip("/"))
                info.type, info.linkname = tarfile.SYMTYPE, source
                archive.addfile(info)
    return data.getvalue()


def libraries(program):
    """What a program is linked with, and the loader: where it looks for each → where that is, for write()."""
    found = re.findall(r"(/\S+) \(0x", lib.checked(lib.run(["ldd", program])))
    return {path: pathlib.Path(path).resolve() for path in found}


def write(path, name, entrypoint, files):
    """@files: where it is in the image → a Path, or the text of a symbolic link."""
    layer = _layer(files)
    config = json.dumps({
        "architecture": ARCHITECTURE.get(platform.machine(), platform.machine()), "os": "linux",
        "config": {"Entrypoint": entrypoint},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as archive:
        for member, data in ((config_name, config), ("layer.tar", layer), ("manifest.json", manifest)):
            _add(archive, member, data)
