# SPDX-License-Identifier: Apache-2.0
"""check-image agrees with skopeo and podman on images that mix the media types of OCI and Docker."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from helpers.counts import thorough
from helpers.image_checks import checked
from helpers.layouts import OCI, ROOTS, Layout, base, tarred
from helpers.support import lack, need

DOCKER = "application/vnd.docker."
TYPES = {  # of manifest, configuration and layer
    "oci": (f"{OCI}manifest.v1+json", f"{OCI}config.v1+json", f"{OCI}layer.v1.tar+gzip"),
    "docker": (
        f"{DOCKER}distribution.manifest.v2+json",
        f"{DOCKER}container.image.v1+json",
        f"{DOCKER}image.rootfs.diff.tar.gzip",
    ),
}
MIXTURES = {  # whose manifest, configuration and layers; whether clients refuse it
    "oci oci oci": False,
    "docker docker docker": False,
    "oci oci docker": False,
    "docker oci docker": False,
    "oci docker oci": True,
    "docker docker oci": True,
}


def mixed(folder: Path, mixture: str) -> str:
    """Write an image in skopeo's form ``dir:``, which, unlike a layout, may hold a Docker manifest."""
    kinds = [TYPES[family][at] for at, family in enumerate(mixture.split())]
    layout = Layout(folder / "layout", [base(), tarred(ROOTS)])
    layout.manifest["mediaType"] = layout.kinds["manifest"] = kinds[0]
    layout.kinds["config"] = kinds[1]
    for layer in layout.manifest["layers"]:
        layer["mediaType"] = kinds[2]
    layout.write()
    target = folder / "dir"
    shutil.copytree(layout.folder / "blobs/sha256", target)
    (target / layout.index["manifests"][0]["digest"].removeprefix("sha256:")).rename(target / "manifest.json")
    (target / "version").write_text("Directory Transport Version: 1.1\n")
    return f"dir:{target}"


@pytest.mark.parametrize(("mixture", "refused"), MIXTURES.items())
def test_check_image_agrees_with_skopeo_on_mixed_types(mixture: str, refused: bool, tmp_path: Path) -> None:
    name = mixed(tmp_path, mixture)
    done = subprocess.run([need("skopeo"), "--insecure-policy", "inspect", name], capture_output=True, check=False)
    assert (done.returncode != 0, checked(name)[0]) == (refused, int(refused)), done.stderr


@thorough("podman copies each image")
@pytest.mark.parametrize(("mixture", "refused"), MIXTURES.items())
def test_check_image_agrees_with_podman_on_mixed_types(mixture: str, refused: bool, tmp_path: Path) -> None:
    podman = need("podman")
    if os.geteuid() != 0:
        lack("podman needs root here")
    with tempfile.TemporaryDirectory() as short:  # podman takes a runroot of 50 characters at most
        folders = ("--root", f"{tmp_path}/root", "--runroot", f"{short}/r", "--storage-driver", "vfs")
        command = [podman, *folders, "pull", "--quiet", "--os", "windows", mixed(tmp_path, mixture)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode != 0) == refused, done.stderr
