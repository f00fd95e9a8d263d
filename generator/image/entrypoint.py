# SPDX-License-Identifier: Apache-2.0
"""The program that an image starts: is it in the image, or must the node have it?"""

import re
from collections.abc import Iterable

from ..oci.files import facts

_MOUNT = "hpc/"  # where containerd has a HostProcess container's files on the node: hcsshim internal/jobcontainers
_NAMED = re.compile(r"(?:%CONTAINER_SANDBOX_MOUNT_POINT%|\$env:CONTAINER_SANDBOX_MOUNT_POINT)/", re.IGNORECASE)


def is_there(program: str, workdir: str, paths: Iterable[str]) -> bool:
    r"""Tell whether one of *paths*, of files below C: with slashes between their parts, can be *program*.

    A relative program is looked for in *workdir* (``C:\app`` or ``/app``, empty for C: itself) and in C: itself, and
    one that is a name alone in every folder, since PATH may name that. Windows adds ``.exe`` to a name.
    """
    given = _NAMED.sub("/", _plain(program))
    relative = given.removeprefix("./")
    if given.startswith("/"):
        wanted = {given, given.removeprefix(f"/{_MOUNT}".upper())}
    else:
        wanted = {relative, f"{_plain(workdir).rstrip('/')}/{relative}"}
    ends = {"", ".EXE"}
    names = {name.strip("/") + end for name in wanted for end in ends}
    alone = {relative + end for end in ends} if "/" not in relative else set()
    return any(path in names or path.rpartition("/")[2] in alone for path in map(_plain, paths))


def _plain(path: str) -> str:
    """Return a path in capitals, by which Windows compares, with slashes and without the drive C."""
    path = path.translate(facts().capitals()).replace("\\", "/")
    return path[2:] if path.startswith("C:/") else path
