# SPDX-License-Identifier: Apache-2.0
"""Two revisions of a base, and an image to rebase from one to the other."""

from pathlib import Path

from . import layouts
from .composing import Documents, base, documents, on, rebase
from .image_checks import checked
from .layouts import RECORDS, ROOTS, Part, directory, tarred

BASE = layouts.base()
OLD, NEW, OTHER = "10.0.20348.1970", "10.0.20348.2113", "10.0.26100.1"
APP = tarred([*ROOTS, directory("Files/app", **RECORDS), Part("Files/app/hello.txt", b"hello")])
CONF = tarred([*ROOTS, Part("Files/hello.toml", b"a = 1")])


def patch(version: str) -> bytes:
    """Return the second layer of a base of a *version*."""
    return tarred([*ROOTS, Part(f"Files/{version}.txt", version.encode())])


class Stage:
    """Two revisions of a base, and an image of two layers on the first; written by names()."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.old = base(folder / "old", [BASE, patch(OLD)], OLD, Env=[r"Path=C:\Windows"])
        self.new = base(folder / "new", [BASE, patch(NEW), patch("more")], NEW, Env=[r"Path=C:\Windows;C:\More"])
        self.image = on(self.old, folder / "image", [APP, CONF], Entrypoint=["hello.exe"], Labels={"own": "1"})

    def names(self) -> tuple[str, str, str]:
        self.old.write(), self.new.write()
        self.image.blobs = list(self.image.blobs)
        return self.image.write(), f"oci:{self.folder}/new", f"oci:{self.folder}/old"

    def rebased(self, *, force: bool = False) -> Documents:
        image, new, old = self.names()
        rebase(image, new, f"oci:{self.folder}/out", old=old, force=force)
        return documents(self.folder / "out")


def assert_good(layout: Path) -> None:
    """check-image finds nothing in the layout's image but that its base has no Windows."""
    status, (record,) = checked(f"oci:{layout}")
    assert (status, {each["rule"] for each in record["findings"]}) == (0, {"no-windows"})
