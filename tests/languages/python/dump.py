# SPDX-License-Identifier: Apache-2.0
"""Writes what the modules hold: python dump.py MODULES FOLDER NAME…; runs on Python 3.8."""

import importlib
import pathlib
import sys

output, folder, *names = sys.argv[1:]
sys.path.insert(0, output)
for name in names:
    module = importlib.import_module("windows_" + name)
    assert name == module.NAME
    module.verify()
    for data, file, ending in (
        (module.layer(), module.open(), ".tar"),
        (module.blob(), module.open_compressed(), ".tar.gz"),
    ):
        assert type(data) is bytes  # so that nobody can change it
        assert file.readable()
        assert file.seekable()
        pathlib.Path(folder, name + ending).write_bytes(data)
        pathlib.Path(folder, name + ending + ".opened").write_bytes(file.read())
    assert module.layer() is module.layer()
    assert module.blob() is module.blob()
    if hasattr(module, "bcd"):
        view = module.bcd()
        assert isinstance(view, memoryview)
        assert view.readonly
        assert view.obj is module.layer()
        pathlib.Path(folder, name + ".bcd").write_bytes(view)
