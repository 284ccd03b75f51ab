#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The documents of a file read and written again, without a change: the least that an injector in Python costs."""

import json
import pathlib
import sys

import yaml

TEXT = pathlib.Path(sys.argv[1]).read_text()
if TEXT.startswith("{"):
    json.dump(json.loads(TEXT), sys.stdout)
else:
    yaml.dump_all(yaml.load_all(TEXT, Loader=yaml.CSafeLoader), sys.stdout, Dumper=yaml.CSafeDumper, sort_keys=False)
