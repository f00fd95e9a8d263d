# SPDX-License-Identifier: Apache-2.0
"""Programs that the tests use, and the Debian packages that have them."""

import functools
import os
import re
import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from generator.base.console import note
from generator.base.errors import GeneratorError

from . import PROJECT, in_ci, last_error, run

GO_MODULE = PROJECT / "tests/languages/go"
ALSO_CALLED = {"7zz": "7z"}  # from Debian 13 on
SWITCHING_GO = (1, 21)  # the first version that downloads the newer toolchain that a module requires


class Tool(NamedTuple):
    """A Debian package, the program or file that shows that it is installed, and the lowest version."""

    package: str
    shown_by: str
    least: str = "0"

    def present(self) -> bool:
        """Return whether this machine has the tool, however it was installed."""
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
    # Of languages. Node is for pyright, too, which would download one.
    Tool("clang", "clang"),
    Tool("clang-format", "clang-format"),
    Tool("clang-tidy", "clang-tidy"),
    Tool("g++", "g++"),
    Tool("gcc", "gcc"),
    Tool("gcc-mingw-w64-x86-64", "x86_64-w64-mingw32-gcc"),
    Tool("libarchive-dev", "/usr/include/archive.h"),
    Tool("libmd-dev", "/usr/include/sha2.h"),
    Tool("tcc", "tcc"),
    Tool("libmono-posix4.0-cil", "/usr/lib/mono/4.5/Mono.Posix.dll"),
    Tool("mono-mcs", "mcs"),
    Tool("mono-runtime", "mono"),
    Tool("golang", "go", "2:1.21"),
    Tool("default-jdk-headless", "javac"),
    Tool("maven", "mvn"),
    Tool("nodejs", "node"),
    Tool("cargo", "cargo"),
    Tool("rust-clippy", "cargo-clippy"),
    Tool("rustc", "/usr/bin/rustc"),  # the oldest that is promised, on Debian 12, beside what else there is
    Tool("rustfmt", "rustfmt"),
)


def find(program: str) -> str | None:
    """Return the path of *program* on PATH or in Debian's sbin folders, or None."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    return shutil.which(program, path=path) or shutil.which(ALSO_CALLED.get(program, program), path=path)


@functools.cache
def go_is_too_old(program: str) -> str:
    """Return one line on why the Go *program* cannot build the tests' module, or an empty string if it can."""
    # Outside of a module, with the local toolchain, it prints its own version rather than a downloaded one's.
    done = run(["env", "GOTOOLCHAIN=local", program, "version"], cwd=Path("/"))
    found = re.search(r"go version go((\d+)\.(\d+)\S*)", done.stdout)
    wanted = re.search(r"^go (\S+)", (GO_MODULE / "go.mod").read_text("utf-8"), re.MULTILINE)
    if found and wanted:
        fetches = tuple(map(int, found.group(2, 3))) >= SWITCHING_GO
        if fetches and run([program, "version"], cwd=GO_MODULE).returncode == 0:
            return ""
        return f"go {found[1]} cannot download go {wanted[1]}, which tests/languages/go/go.mod requires"
    return f"{program}: no version in the output of go version"


def missing() -> list[Tool]:
    """Return the tools that are missing on this machine."""
    return [tool for tool in TOOLS if not tool.present()]


def to_install() -> list[Tool]:
    """Return the missing tools that apt offers in a sufficient version; all missing ones if apt has no lists yet."""
    wanted = missing() if shutil.which("apt-get") else []
    versions = {tool: _version(tool) for tool in wanted}
    if not any(versions.values()):
        return wanted
    older = ["dpkg", "--compare-versions"]
    return [tool for tool, found in versions.items() if found and run([*older, found, "lt", tool.least]).returncode]


def ensure_tools() -> None:
    """Install the missing tools as root or by passwordless sudo; raise GeneratorError if that fails.

    Tools that this Debian release lacks stay missing and their tests are skipped, but raise under CI=true.
    """
    if to_install():
        apt = [*_as_root(), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
        apt += ["-o", "DPkg::Lock::Timeout=300"]
        run([*apt, "update"])  # outdated lists name files that are gone
        packages = [tool.package for tool in to_install()]
        note(f"installing Debian packages: {' '.join(packages)}")
        done = run([*apt, "install", "--yes", "--no-install-recommends", *packages])
        if done.returncode:
            raise GeneratorError(f"apt-get: {last_error(done, 'E: ')}; hint: {apt_command(packages)}")
    left = " ".join(tool.package for tool in missing())
    if left and in_ci():
        raise GeneratorError(f"CI=true: Debian packages are missing that apt does not offer: {left}")


def apt_command(packages: Iterable[str]) -> str:
    """Return the shell command that installs *packages*."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    return shlex.join([*sudo, "apt-get", "install", "--no-install-recommends", *packages])


def _as_root() -> list[str]:
    """Return the command prefix that gives root's rights; raise GeneratorError if sudo needs a password."""
    if os.geteuid() == 0:
        return []
    if run(["sudo", "-n", "true"]).returncode == 0:
        return ["sudo", "-n"]
    raise GeneratorError(f"--all: needs root; hint: {apt_command(tool.package for tool in missing())}")


def _version(tool: Tool) -> str:
    """Return the version of *tool*'s package that apt would install, or an empty string."""
    shown = run(["apt-cache", "show", "--no-all-versions", tool.package]).stdout
    # apt-cache reads an unknown name such as g++ as a pattern and shows other packages.
    found = re.search(rf"^Package: {re.escape(tool.package)}\n(?:\S.*\n)*?Version: (\S+)", shown, re.MULTILINE)
    return found[1] if found else ""
