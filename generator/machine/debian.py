# SPDX-License-Identifier: Apache-2.0
"""What the tests use beyond Python: programs, most of them in Debian's packages."""

import functools
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..base.errors import GeneratorError
from ..languages import language
from ..languages.table import LANGUAGES
from . import PROJECT, in_ci, last_error, run

GO_MODULE = PROJECT / "tests/languages/go"
ALSO_CALLED = {"7zz": "7z"}  # from Debian 13 on
SWITCHING_GO = (1, 21)  # the first that fetches the newer toolchain a module asks for


class Tool(language.Tool):
    """A tool that this machine may have."""

    __slots__ = ()

    def present(self) -> bool:
        """Tell whether this machine has the tool, from whatever source."""
        return Path(self.shown_by).exists() if "/" in self.shown_by else find(self.shown_by) is not None


TOOLS = (
    Tool("7zip", "7zz"),
    Tool("busybox", "busybox"),
    Tool("chntpw", "reged"),
    Tool("chromium", "chromium"),
    Tool("containerd", "ctr"),
    Tool("dash", "dash"),
    Tool("docker-registry", "docker-registry"),
    Tool("faketime", "faketime"),
    Tool("firefox-esr", "firefox-esr"),
    Tool("fish", "fish"),
    Tool("git", "git"),
    Tool("libarchive-tools", "bsdtar"),
    Tool("libhivex-bin", "hivexml"),
    Tool("libregf-utils", "regfinfo"),
    Tool("libwin-hivex-perl", "hivexregedit"),
    Tool("locales", "/usr/share/i18n/locales/tr_TR"),
    Tool("mmdebstrap", "mmdebstrap"),
    Tool("npm", "npm"),
    Tool("openssl", "openssl"),
    Tool("patch", "patch"),
    Tool("php-cli", "php"),
    Tool("pigz", "pigz"),
    Tool("python3-hivex", "/usr/lib/python3/dist-packages/hivex/__init__.py"),
    Tool("python3-samba", "/usr/lib/python3/dist-packages/samba/__init__.py"),
    Tool("qemu-user-static", "qemu-s390x-static"),
    Tool("runc", "runc"),
    Tool("shellcheck", "shellcheck"),
    Tool("skopeo", "skopeo"),
    Tool("strace", "strace"),
    Tool("umoci", "umoci"),
    Tool("wine64", "/usr/lib/wine/wine64"),
    Tool("zsh", "zsh"),
    *(Tool(*tool) for row in LANGUAGES.values() for tool in row.tools),
)

Say = Callable[[str], None]


def find(program: str) -> str | None:
    """Return the path of *program*, looked for where Debian keeps administrators' programs as well, or None."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    return shutil.which(program, path=path) or shutil.which(ALSO_CALLED.get(program, program), path=path)


@functools.cache
def go_is_too_old(program: str) -> str:
    """Return why the Go *program* cannot build the tests' module, in one line, or nothing if it can."""
    # Outside of a module, and told so, it names itself, not another that it would fetch and run.
    done = run(["env", "GOTOOLCHAIN=local", program, "version"], cwd=Path("/"))
    found = re.search(r"go version go((\d+)\.(\d+)\S*)", done.stdout)
    wanted = re.search(r"^go (\S+)", (GO_MODULE / "go.mod").read_text("utf-8"), re.MULTILINE)
    if found and wanted:
        fetches = tuple(map(int, found.group(2, 3))) >= SWITCHING_GO
        if fetches and run([program, "version"], cwd=GO_MODULE).returncode == 0:
            return ""
        return f"Go is {found[1]} and cannot get the {wanted[1]} that the tests' module asks for"
    return f"{program} does not tell its version"


def missing() -> list[Tool]:
    """Return the tools that this machine lacks."""
    return [tool for tool in TOOLS if not tool.present()]


def to_install() -> list[Tool]:
    """Return the missing tools that apt can bring, none of them too old: all of them while its lists are empty."""
    wanted = missing() if shutil.which("apt-get") else []
    versions = {tool: _version(tool) for tool in wanted}
    if not any(versions.values()):
        return wanted
    older = ["dpkg", "--compare-versions"]
    return [tool for tool, found in versions.items() if found and run([*older, found, "lt", tool.least]).returncode]


def ensure_tools(note: Say) -> None:
    """Install what the tests use and this machine lacks, as root or by passwordless sudo; else raise GeneratorError.

    What this release of Debian does not have stays away, which costs tests, except under CI=true: none
    may be lost there.
    """
    wanted = to_install()
    if wanted:
        apt = [*_as_root(wanted), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
        apt += ["-o", "DPkg::Lock::Timeout=300"]
        if not all(_version(tool) for tool in missing()):
            run([*apt, "update"])
        packages = [tool.package for tool in to_install()]
        note(f"installing Debian's {', '.join(packages)}")
        install = [*apt, "install", "--yes", "--no-install-recommends", *packages]
        done = run(install)
        if done.returncode:  # lists of packages that are out of date are the usual reason
            run([*apt, "update"])
            done = run(install)
        if done.returncode:
            raise GeneratorError(f"{last_error(done, 'E: ')}; fix that and give: {apt_command(packages)}")
    left = ", ".join(tool.package for tool in missing())
    if left and in_ci():
        raise GeneratorError(f"CI must skip no test, but lacks Debian's {left}, which apt does not bring")


def apt_command(packages: Iterable[str]) -> str:
    """Return the command that installs *packages*, to be given by hand."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    return shlex.join([*sudo, "apt-get", "install", "--no-install-recommends", *packages])


def download_size(tools: Sequence[Tool]) -> int | None:
    """Return how many bytes apt would fetch to install *tools*, or None where it cannot tell."""
    packages = [tool.package for tool in tools]
    done = run(["apt-get", "-qq", "--print-uris", "install", "--no-install-recommends", *packages])
    sizes = re.findall(r"^'\S+' \S+ (\d+) ", done.stdout, re.MULTILINE)
    return sum(map(int, sizes)) if done.returncode == 0 else None


def _as_root(wanted: Iterable[Tool]) -> list[str]:
    """Return what goes before a command to give it as root; raise GeneratorError if that takes a password."""
    if os.geteuid() == 0:
        return []
    if run(["sudo", "-n", "true"]).returncode == 0:
        return ["sudo", "-n"]
    raise GeneratorError(f"needs root, to install what is missing: {apt_command(tool.package for tool in wanted)}")


def _version(tool: Tool) -> str:
    """Return the version that apt would install of *tool*, or nothing if it knows of none."""
    shown = run(["apt-cache", "show", "--no-all-versions", tool.package]).stdout
    # Where there is no such package, a name such as g++ is a pattern for others.
    found = re.search(rf"^Package: {re.escape(tool.package)}\n(?:\S.*\n)*?Version: (\S+)", shown, re.MULTILINE)
    return found[1] if found else ""
