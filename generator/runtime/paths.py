# SPDX-License-Identifier: Apache-2.0
"""Windows paths in settings: which of them lead into the image, and where."""

import re
from typing import NamedTuple

from ..oci.names import fold

MOUNT = "%CONTAINER_SANDBOX_MOUNT_POINT%"
"""What hcsshim replaces by the folder that holds the image's files: internal/jobcontainers, replaceWithMountPoint."""

_SPELLED = (MOUNT, "$env:CONTAINER_SANDBOX_MOUNT_POINT")  # replaced as they stand here
_MOUNT = re.compile(rf"(?:{'|'.join(map(re.escape, _SPELLED))})(?=[\\/]|$)", re.IGNORECASE)
_BOUND = re.compile(r"C:[\\/]+hpc(?=[\\/]|$)", re.IGNORECASE)
_ROOTED = re.compile(r"(?:C:(?=[\\/]|$)|(?=[\\/](?![\\/])))", re.IGNORECASE)
_VERBATIM = re.compile(r"[\\/]{2}[?.][\\/](?=[A-Za-z]:[\\/])")  # Microsoft, "Naming Files, Paths, and Namespaces"
_ABSOLUTE = re.compile(r"[A-Za-z]:|[\\/]")


class Path(NamedTuple):
    """A path of a setting: *inside* is the path below C: or the image's root, with slashes.

    *anchor* is "mount" below the mount point as hcsshim replaces it, "cmd" below it in a case that only cmd replaces,
    "bound" below ``C:\\hpc``, "drive" below C:, "relative", or "other" on another drive or a share.
    """

    anchor: str
    inside: str


def parse(text: str) -> Path:
    """Return the path that *text* spells, without ``.`` and empty parts; ``..`` is resolved."""
    text = _VERBATIM.sub("", text, count=1) if _VERBATIM.match(text) else text
    if found := _MOUNT.match(text):
        anchor = "mount" if text.startswith(_SPELLED) else "cmd" if text.startswith("%") else "other"
    elif found := _BOUND.match(text):
        anchor = "bound"
    elif found := _ROOTED.match(text):
        anchor = "drive"
    else:
        anchor = "other" if _ABSOLUTE.match(text) else "relative"
    return Path(anchor, clean(text[found.end() if found else 0 :]))


def clean(path: str) -> str:
    """Return a path with single slashes, without ``.``, and with ``..`` resolved."""
    parts: list[str] = []
    for part in re.split(r"[\\/]+", path):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def join(directory: str, path: str) -> str:
    """Return *path* in *directory*, each with slashes and possibly empty."""
    return "/".join(filter(None, (directory, path)))


def mounted(inside: str) -> str:
    """Return a path of the image as every node finds it."""
    return "\\".join((MOUNT, *filter(None, inside.split("/"))))


def is_windows(inside: str) -> bool:
    r"""Return whether a path is ``C:\Windows`` or below it, which every node has."""
    return f"{fold(inside)}/".startswith("WINDOWS/")
