# SPDX-License-Identifier: Apache-2.0
"""Check an image's variables, user, working directory and arguments as the runtime reads them.

Source: github.com/Microsoft/hcsshim v0.15.0 internal/jobcontainers, jobcontainer.go: in variables nothing is replaced
but CONTAINER_SANDBOX_MOUNT_POINT, and `cmd /c` interprets the command line where bind filters work.
"""

import re
from collections.abc import Iterator

from ..base.errors import shorten
from . import paths
from .model import Base, Files, Option, Problem, Settings
from .paths import MOUNT, mounted
from .start import JSON_ARRAY, MOST, is_json_array

_REFERENCE = re.compile(
    r"%(?!CONTAINER_SANDBOX_MOUNT_POINT%)([^%;=\s]+)%"
    r"|\$(?!env:CONTAINER_SANDBOX_MOUNT_POINT)\{?(?:[Ee]nv:)?(\w+)\}?"
)
_DIVIDED = re.compile(r'(?:^|;)[\s"]*+(?:\\\\\?\\)?+(?:\$env:|[A-Za-z]:)?+[^;:]*:')  # by colons, as on Linux
_LINUX = re.compile(r"(?:^|[:;])/(?:usr/|s?bin\b|opt/|local/)")
_PATHS = re.compile(r"(?<![\w%.\\/-])(?:[A-Za-z]:)?[\\/](?![\\/])[^\"'<>|*?;,]*")
_UID = re.compile(r"\d+(?::\w+)?|root|nobody|\w+:\w+")
_NODE_PATH = rf"--env 'PATH={MOUNT};C:\Windows\System32;C:\Windows'"
_IMAGE_PATH = r"--env 'PATH=C:\Windows\System32;C:\Windows;C:\app'"


def check(settings: Settings, files: Files, base: Base) -> Iterator[Problem]:
    """Yield the settings that are not read as intended."""
    yield from _variables(settings, base)
    yield from _user(settings.user, base)
    if settings.entrypoint and len(settings.cmd) == 1 and is_json_array(settings.cmd[0]):
        yield Problem("arguments", "cmd", settings.cmd[0], JSON_ARRAY, "--cmd once for each word")
        settings = settings._replace(cmd=())
    if base == "hostprocess":
        yield from _workdir(settings.workdir, files)
        yield from _interpreted(settings)
        yield from _paths_of_image(settings, files)
    if "" in settings.words[1:]:
        yield Problem("argument-empty", "cmd" if "" in settings.cmd else "entrypoint", "", "an argument is empty")


def _variables(settings: Settings, base: Base) -> Iterator[Problem]:
    hint = _NODE_PATH if base == "hostprocess" else _IMAGE_PATH
    seen: dict[str, str] = {}
    for name, value in settings.env:
        if (other := seen.setdefault(name.upper(), name)) != name:
            yield Problem("env-twice", "env", name, f"Windows takes {shorten(other)} for the same variable", "keep one")
        is_path = name.upper() == "PATH"
        if reference := _reference(name.upper(), value):
            yield Problem("env-path", "env", name, f"{shorten(reference)} is not expanded", hint if is_path else "")
        elif is_path and _LINUX.search(value):
            yield Problem("env-path", "env", name, f"{shorten(value)}: paths of Linux", hint)
        elif is_path and _DIVIDED.search(value):
            yield Problem("env-path", "env", name, f"{shorten(value)}: Windows separates directories by ;", hint)
        elif is_path and not re.search(r"[\\/]Windows(?:[\\/;\s\"]|$)", value, re.IGNORECASE):
            yield Problem("env-path", "env", name, f"{shorten(value)}: has no directory of Windows", hint)


def _reference(name: str, value: str) -> str:
    """Return the first reference in the variable *name*: in PATH any, else one to itself or PATH, or an empty text."""
    found = _REFERENCE.finditer(value)
    return next((each[0] for each in found if name == "PATH" or (each[1] or each[2]).upper() in {"PATH", name}), "")


def _user(user: str, base: Base) -> Iterator[Problem]:
    if base == "hostprocess" and user.lower() in {"containeruser", "containeradministrator"}:
        found = "exists in isolated containers only; the pod's runAsUserName names the account"
        yield Problem("user", "user", user, found, "leave it out")
    elif _UID.fullmatch(user):
        yield Problem("user", "user", user, "a user of Linux", r"give a Windows account, or leave it out")


def _workdir(workdir: str, files: Files) -> Iterator[Problem]:
    path = paths.parse(workdir)
    if not workdir or path.anchor == "mount" or (path.anchor == "drive" and paths.is_windows(path.inside)):
        return
    inside = files.directory(path.inside) if path.anchor in {"drive", "bound"} else None
    found, hint = "a directory of the node, made there if it is missing", ""
    if inside is not None:
        found, hint = "the node's directory, or the image's, depending on the node", f"--workdir '{mounted(inside)}'"
    yield Problem("workdir", "workdir", workdir, found, hint)


def _interpreted(settings: Settings) -> Iterator[Problem]:
    """Yield the arguments that cmd changes; those with spaces are quoted, in which it leaves ``& | < > ^`` alone."""
    for option, word in _arguments(settings):
        characters = set(re.findall(r'"' if re.search(r"\s", word) else r'[&|<>^"]', word))
        characters |= set(re.findall(r"%(?!CONTAINER_SANDBOX_MOUNT_POINT%)[^%]+%", word))
        if characters:
            yield Problem("arguments", option, word, f"cmd interprets {' '.join(sorted(characters))}")


def _arguments(settings: Settings) -> list[tuple[Option, str]]:
    """Return the arguments, each with its setting."""
    words: list[tuple[Option, str]] = [("entrypoint", word) for word in settings.entrypoint]
    words += [("cmd", word) for word in settings.cmd]
    return words[1:] if sum(len(word) for _, word in words) <= MOST else []


def _paths_of_image(settings: Settings, files: Files) -> Iterator[Problem]:
    """Yield arguments and variables with a path of the image, which is the node's on HostProcess."""
    named: list[tuple[Option, str, str]] = [(option, word, word) for option, word in _arguments(settings)]
    named += [("env", name, part) for name, value in settings.env for part in value.split(";")]
    for option, value, text in named:
        for match in _PATHS.finditer(text):
            path = paths.parse(match[0].strip())
            if path.anchor != "drive" or not path.inside or paths.is_windows(path.inside):
                continue
            file = files.file(path.inside)
            if spelled := file.path if file else files.directory(path.inside):
                found = f"{shorten(match[0])} is the node's path on HostProcess, not the image's"
                yield Problem("path-of-image", option, value, found, f"give {mounted(spelled)}")
