# SPDX-License-Identifier: Apache-2.0
"""docs/install.md: each way to install works in a fresh Debian 12 and 13 with nothing but the packages it names."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.counts import thorough
from helpers.package import PROJECT, WHEEL, build
from helpers.support import lack, need

pytestmark = thorough("needs root and a Debian")
DOCUMENT = (PROJECT / "docs/install.md").read_text("utf-8")
FROM_HERE = ("/etc/resolv.conf", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def debian(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of a Debian with a checkout in /project and a wheel in /wheels."""
    if os.geteuid():
        lack("only root can enter another Debian")
    top = tmp_path_factory.mktemp(request.param)
    root = top / "root"
    included = "--include=python3-venv,python3-pip,pipx,git,ca-certificates"
    done = subprocess.run(
        [need("mmdebstrap"), "--variant=minbase", "--mode=root", included, request.param, str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lack(f"Debian {request.param} cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
    for path in filter(os.path.exists, FROM_HERE):
        shutil.copy(path, root / path[1:])
    built = build(PROJECT, top / "built")
    (root / "wheels").mkdir()
    shutil.copy(built / WHEEL, root / "wheels")
    subprocess.run(["git", "clone", "-q", "--no-local", str(PROJECT), str(root / "project")], check=True)
    return root


def inside(root: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run *script* in the Debian at *root* as a login of root would, with no variables of this machine."""
    mounts = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
    plain = ["env", "-i", "HOME=/root", "PATH=/root/.local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
    command = [need("unshare"), "--mount", "sh", "-c", mounts, str(root), *plain, "sh", "-euc", script]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def commands(first: str) -> str:
    """Return the block of the document that begins with *first*."""
    (found,) = re.findall(rf"^```sh\n({re.escape(first)}.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_way_from_a_checkout_installs_the_program(debian: Path) -> None:
    done = inside(debian, f"cd /project\n{commands('python3 -I -m venv')}\n~/winscratch/bin/winscratch sddl O:BUG:BU")
    assert (done.returncode, done.stdout.splitlines()[-1][:8]) == (0, "AQAAgBQA"), done.stderr


def test_pipx_installs_the_wheel(debian: Path) -> None:
    done = inside(debian, f"cd /wheels\n{commands('pipx install')}\nwinscratch sddl O:BUG:BU")
    assert (done.returncode, done.stdout.splitlines()[-1][:8]) == (0, "AQAAgBQA"), done.stderr


def test_debians_own_pip_refuses_with_the_words_that_the_document_explains(debian: Path) -> None:
    done = inside(debian, "python3 -I -m pip install /wheels/*.whl")
    assert done.returncode != 0
    assert "externally-managed-environment" in done.stderr
    assert "`externally-managed-environment`" in DOCUMENT
