# SPDX-License-Identifier: Apache-2.0
r"""Search an image's program as the nodes do, and return what keeps it from starting.

HostProcess, github.com/Microsoft/hcsshim v0.15.0 internal/jobcontainers (jobcontainer.go, path.go), and containerd
v2.2.0 internal/cri/server/container_create.go:

- With bind filters (newer than Server 2019), the image is at ``C:\hpc``, everything else is the node's disk, and
  ``cmd /c`` starts the program: in the working directory, then in PATH, to which the image's root is added. cmd takes
  ``/`` for a switch, and searches no path that has a directory in PATH. Without a working directory, containerd
  starts it in ``C:\hpc``, its first 1.7 releases in ``C:\``.
- On Server 2019, the image is at ``C:\hpc\ID``, and hcsshim searches working directory, PATH and the root with
  SearchPathW, which takes paths with directories too. A working directory ``C:\app`` is the image's there.
"""

import re
from collections.abc import Iterator

from . import paths
from .model import Base, File, Files, Option, Problem, Rule, Settings
from .paths import join, mounted
from .programs import Program

NODES = ("nodes with bind filters", "the first releases of containerd 1.7", "Server 2019")
_BOUND, _FIRST, _PLAIN = NODES
_ENDINGS = ("", ".exe", ".com", ".bat", ".cmd")  # hcsshim's PATHEXT
_OF_NODE = frozenset(
    ["cmd", "cscript", "dotnet", "msiexec", "netsh", "powershell", "pwsh", "reg", "rundll32", "sc", "wscript"]
)
_LINUX = re.compile(r"/(?:usr/(?:local/)?)?s?bin/")
_ALONE = re.compile(r".*?\.(?:bat|cmd|com|exe)(?=\s+\S)", re.IGNORECASE | re.DOTALL)  # the program before arguments
_BELOW_MOUNT = ("mount", "cmd", "bound")
_VARIABLE = re.compile(r"%(?!CONTAINER_SANDBOX_MOUNT_POINT%)[^%\\/\s]+%(?=[\\/])", re.IGNORECASE)
MOST = 32_767  # UTF-16 units of a command line: Microsoft, CreateProcessW
JSON_ARRAY = "a JSON array in one word"
_SYSTEM = ("Windows/System32", "Windows", "Windows/System32/Wbem", "Windows/System32/WindowsPowerShell/v1.0")


def is_json_array(word: str) -> bool:
    """Return whether *word* looks like a JSON array of strings, as Dockerfiles have it."""
    return bool(re.match(r'\s*\[\s*"', word))


def search(settings: Settings, files: Files) -> dict[str, File | None]:
    """Return the file of the image that each kind of HostProcess node starts, None if it finds none."""
    word = next(iter(settings.words), "")
    return {node: _file(files, *_candidates(word, settings, node)) for node in NODES}


def meant(word: str, workdir: str, files: Files) -> File | None:
    """Return the file of the image that *word* names by any spelling: absolute, relative or below the mount point."""
    path = paths.parse(word)
    if not path.inside or path.anchor == "other":
        return None
    bases = [paths.parse(workdir).inside, ""] if path.anchor == "relative" else [""]
    return _file(files, *(join(base, path.inside) for base in bases))


def _file(files: Files, *paths: str) -> File | None:
    """Return the file at the first of *paths* that is there, with an ending of programs or without."""
    return next(filter(None, (files.file(path + ending) for path in paths for ending in _ENDINGS)), None)


def _candidates(word: str, settings: Settings, node: str) -> list[str]:
    """Return the paths of the image at which *node* looks for the program."""
    if "/" in word and not re.search(r"\s", word) and node != _PLAIN:  # quoted if it has spaces, so cmd takes it
        return []
    path = paths.parse(word)
    if path.anchor != "relative":
        return [path.inside] if _in_image(path, node) else []
    start = _workdir(settings.workdir, node)
    starts = [] if start is None else [start]
    if node == _PLAIN or not re.search(r"[\\/]", word):
        starts += [each.inside for each in settings.search_paths if _in_image(each, node)]
        starts.append("")
    return [join(each, path.inside) for each in starts]


def _in_image(path: paths.Path, node: str) -> bool:
    """Return whether an absolute path leads into the image on *node*."""
    return path.anchor in (("mount",) if node == _PLAIN else _BELOW_MOUNT)


def _workdir(text: str, node: str) -> str | None:
    if not text:
        return {_BOUND: "", _FIRST: None, _PLAIN: "hpc"}[node]
    path = paths.parse(text)
    if path.anchor in {"mount", "bound"} and not (node == _PLAIN and path.anchor == "bound"):
        return path.inside
    return paths.clean(re.sub("^[A-Za-z]:", "", text)) if node == _PLAIN else None


def check(settings: Settings, files: Files, base: Base) -> Iterator[Problem]:
    """Yield what keeps the program of *settings* from starting, or lets it start on some nodes only."""
    if not settings.words:
        return
    word, option = settings.words[0], settings.option
    if settings.raw and re.search(r'[\s"]', word) and base != "bare":  # a command line
        return
    if wrong := _never(settings, files, base):
        yield wrong
        return
    if base == "windows" and paths.parse(word).anchor not in {"mount", "cmd"}:
        file = _in_windows(word, settings, files)
        if file is None and _missing(word, settings, files):
            yield Problem("program", option, word, "not found in the image", "give a path of the image")
    else:
        found = search(settings, files)
        file = next(filter(None, found.values()), None)
        if not all(found.values()):
            yield from _elsewhere(found, file, settings, files)
        yield from _quotes(settings, option)
    if file is not None and file.program is not None:
        wow64 = base != "windows" or not files.complete or files.directory("Windows/SysWOW64") is not None
        yield from _content(file.path, file.program, settings.architecture, option, wow64=wow64)


def _never(settings: Settings, files: Files, base: Base) -> Problem | None:
    """Return why Windows cannot start the first word, wherever it looks, or None."""
    word, option = settings.words[0], settings.option
    rule: Rule = "program"
    hint = "--entrypoint run.exe"
    if base == "bare":
        rule, found, hint = "no-windows", "the base layer has no Windows, so no program starts", "--layer hostprocess"
    elif sum(map(len, settings.words)) > MOST:
        found, hint = f"a command line of more than {MOST:,} characters", ""
    elif not word.strip():
        found = "the program is empty"
    elif is_json_array(word):
        found, hint = JSON_ARRAY, f"--{option} once for each word"
    elif '"' in word:
        found, hint = "a quote, which no name on Windows has", "leave out the quotes"
    elif word.lower().endswith(".ps1") and not _ALONE.match(word) and _name(word.split()[0]) not in _OF_NODE:
        rule, found = "program-kind", "a PowerShell script is not a program"
        script = meant(word, settings.workdir, files) if base == "hostprocess" else None
        hint = f"--entrypoint powershell --entrypoint=-File --entrypoint '{mounted(script.path) if script else word}'"
    elif _LINUX.match(word) and files.complete and meant(word, "", files) is None:
        found = "a path of Linux"
    else:
        return None
    return Problem(rule, option, word, found, hint)


def _elsewhere(found: dict[str, File | None], some: File | None, settings: Settings, files: Files) -> Iterator[Problem]:
    """Yield why some nodes, or all, do not find the program in the image, unless it is the node's own.

    *some* is the file that a node finds.
    """
    word, option = settings.words[0], settings.option
    path, file = paths.parse(word), meant(word, settings.workdir, files)
    if some is not None:
        lacking = ", ".join(node for node, each in found.items() if each is None)
        stored = file.path if file and file.path else some.path
        yield Problem("program-some", option, word, f"not found on {lacking}", f"--{option} '{mounted(stored)}'")
    elif file is not None:
        why = "the node's own path on HostProcess" if path.anchor == "drive" else "not found by any node"
        yield Problem("program", option, word, why, f"--{option} '{mounted(file.path)}'")
    elif files.complete:
        yield from _not_in_image(word, option, settings, files)


def _misspelled(word: str, option: Option, path: paths.Path, files: Files) -> Problem | None:
    """Return why *word* names no program on some nodes, or all, by its spelling alone."""
    alone = _ALONE.match(word)
    of_image = alone and meant(alone[0], "", files)
    if of_image and path.anchor == "drive":
        found = "the node's own path on HostProcess, and one word with its arguments"
        return Problem("program", option, word, found, f"--{option} once for each word")
    other = alone and path.anchor not in _BELOW_MOUNT
    if of_image or other or (path.anchor == "relative" and re.search(r"\s", word)):
        found = "one word, so some nodes look for a program of that name"
        return Problem("program-some", option, word, found, f"--{option} once for each word")
    if re.match(r"[A-Za-z]:[^\\/]", word):
        return Problem("program-some", option, word, r"no \ after the drive", "quote it: a shell removes backslashes")
    if path.anchor == "drive" and not paths.is_windows(path.inside) and files.directory(path.inside):
        return Problem("program-some", option, word, "a directory of the image", "give a program in it")
    if variable := _VARIABLE.match(word):
        return Problem("program-some", option, word, f"{variable[0]} is expanded by cmd alone", "write its value")
    return None


def _not_in_image(word: str, option: Option, settings: Settings, files: Files) -> Iterator[Problem]:
    """Yield the problems of a program that is not in the image."""
    path = paths.parse(word)
    divided = path.anchor == "relative" and re.search(r"[\\/]", word)
    if wrong := _misspelled(word, option, path, files):
        yield wrong
    elif path.anchor in _BELOW_MOUNT or (divided and _workdir(settings.workdir, _BOUND) is not None):
        yield Problem("program", option, word, "not found in the image", "give a path of the image")
    elif divided:
        yield Problem("program-node", option, word, "not in the image; the node's working directory must have it")
    elif path.anchor == "relative":
        yield from _bare(word, option, files)
    elif "/" in word:
        backslashes = word.replace("/", "\\")
        yield Problem("program-some", option, word, "cmd takes / for a switch", f"--{option} '{backslashes}'")
    elif path.anchor != "drive" or not paths.is_windows(path.inside):
        yield Problem("program-node", option, word, "not in the image; each node must have it")


def _name(word: str) -> str:
    return word.lower().removesuffix(".exe")


def _bare(word: str, option: Option, files: Files) -> Iterator[Problem]:
    if _name(word) in _OF_NODE:
        return
    other = next(filter(None, (files.named(word + ending) for ending in _ENDINGS)), None)
    if other is not None:
        found = "not in the working directory, the image's root or PATH, but in another directory of the image"
        yield Problem("program-some", option, word, found, f"--{option} '{mounted(other)}'")
    else:
        yield Problem("program-node", option, word, "not in the image; each node must have it in PATH")


def _in_windows(word: str, settings: Settings, files: Files) -> File | None:
    """Return the program's file in an image that has its own Windows, or None."""
    path = paths.parse(word)
    workdir = paths.parse(settings.workdir).inside
    bases = {"relative": [workdir, ""], "bound": ["hpc"], "drive": [""]}.get(path.anchor, [])
    if path.anchor == "relative" and not re.search(r"[\\/]", word):
        bases += [*(each.inside for each in settings.search_paths), *_SYSTEM]
    return _file(files, *(join(base, path.inside) for base in bases))


def _missing(word: str, settings: Settings, files: Files) -> bool:
    """Return whether a program that was not found in a Windows is certainly missing."""
    path = paths.parse(word)
    if not files.complete or path.anchor == "other":
        return False
    # Without PATH in the configuration, Windows takes it from the registry, which is not read here.
    return path.anchor == "drive" or bool(re.search(r"[\\/]", word)) or settings.path is not None


def _quotes(settings: Settings, option: Option) -> Iterator[Problem]:
    """Yield if cmd would strip the quotes around the program's path: `cmd /?`, more than two quotes."""
    word, *arguments = settings.words
    if re.search(r"\s", word) and any(not each or re.search(r'[\s"]', each) for each in arguments):
        found = "cmd strips the quotes around a path with spaces if an argument is quoted, too"
        yield Problem("program-quotes", option, word, found, "give the program a path without spaces")


def _content(path: str, program: Program, architecture: str, option: Option, *, wow64: bool) -> Iterator[Problem]:
    """Yield why Windows cannot run the file, by its first bytes."""
    if path.lower().endswith((".bat", ".cmd")):
        return
    shown = path.replace("/", "\\")
    build = f"build it for windows/{architecture}"
    match program.kind:
        case "elf":
            yield Problem("program-kind", option, shown, "an ELF file, which is a program of Linux", build)
        case "mach-o":
            yield Problem("program-kind", option, shown, "a Mach-O file, which is a program of macOS", build)
        case "dll":
            yield Problem("program-kind", option, shown, "a DLL is not a program", "give the program that loads it")
        case "script":
            yield Problem("program-kind", option, shown, "begins with #!, which Windows does not run")
        case "mz" | "other":
            yield Problem("program-header", option, shown, "no PE header, so Windows does not run it", build)
        case "pe" if program.machine not in {"", architecture}:
            if program.machine == "386" and architecture == "amd64" and wow64:
                return
            found = f"a program for {program.machine}, in an image for {architecture}"
            yield Problem("program-machine", option, shown, found, build)
