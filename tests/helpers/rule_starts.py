# SPDX-License-Identifier: Apache-2.0
"""Settings of HostProcess images that break the rules of starting a program, one rule each."""

import tarfile
from typing import Any

from .layouts import RECORDS, ROOTS, Part, directory
from .programs import ARM64, I386, pe

MOUNT = "%CONTAINER_SANDBOX_MOUNT_POINT%"
APP = [
    *ROOTS,
    directory("Files/app", **RECORDS),
    Part("Files/app/run.exe", pe()),
    Part("Files/app/arm.exe", pe(ARM64)),
    Part("Files/app/linux.exe", b"\x7fELF"),
    Part("Files/app/dos.exe", b"MZ"),
    Part("Files/app/old.exe", pe(I386)),
    Part("Files/app/second.exe", kind=tarfile.LNKTYPE, target="Files/app/linux.exe", records={}),
    Part("Files/run.exe", pe()),
]

WRONG: list[tuple[str, dict[str, Any]]] = [
    ("program", {"Entrypoint": ["C:\\app\\run.exe"]}),
    ("program", {"Cmd": ["/app/run.exe"]}),
    ("program", {"Entrypoint": ["/bin/sh", "-c", "x"]}),
    ("program-kind", {"Entrypoint": [f"{MOUNT}\\app\\linux.exe"]}),
    ("program-kind", {"Entrypoint": [f"{MOUNT}\\app\\second.exe"]}),  # a hard link to it
    ("program-some", {"Entrypoint": ["app\\run.exe"]}),
    ("program-some", {"Entrypoint": ["old.exe"]}),
    ("program-machine", {"Entrypoint": [f"{MOUNT}\\app\\arm.exe"]}),
    ("program-header", {"Entrypoint": [f"{MOUNT}\\app\\dos.exe"]}),
    ("program-quotes", {"Entrypoint": ["C:\\Program Files\\x.exe", "a b"]}),
    ("arguments", {"Entrypoint": ["run.exe", "a&b"]}),
    ("argument-empty", {"Entrypoint": ["run.exe"], "Cmd": [""]}),
    ("path-of-image", {"Entrypoint": ["run.exe"], "Cmd": ["C:\\app\\run.exe"]}),
    ("env-path", {"Env": ["PATH=%PATH%;C:\\app"]}),
    ("env-twice", {"Env": ["PATH=C:\\Windows", "Path=C:\\Windows"]}),
    ("user", {"User": "ContainerAdministrator"}),
    ("workdir", {"WorkingDir": "C:\\app"}),
]
NO_WINDOWS = "no-windows"
