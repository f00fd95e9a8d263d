# SPDX-License-Identifier: Apache-2.0
"""Push an image to a registry with skopeo, which uploads blobs first."""

from pathlib import Path

from ..base.console import Say
from ..base.errors import GeneratorError
from ..base.settings import timeout
from ..imageread.references import Reference
from ..imageread.registry import COPY, Skopeo
from ..imageread.registry import find as find_skopeo
from ..oci.blob import sha256
from . import layout
from .assemble import Image
from .progress import Progress

# Seconds to wait for a registry, and one more for each of these bytes, unless WINSCRATCH_TIMEOUT overrides both.
_SECONDS = 300
_BYTES = 1 << 20


def check(reference: Reference, image: Image | None = None) -> None:
    """Raise GeneratorError where *image*, once it is known, is not the one that *reference* has the digest of."""
    find_skopeo()
    if image is not None and reference.digest and reference.digest != image.top.digest:
        raise GeneratorError(f"docker://{reference.name}@{reference.digest}: the image is {image.top.digest}")


def push(image: Image, reference: Reference, work: Path, note: Say, progress: Progress) -> str:
    """Push *image*, and return its reference by digest; *work* is a folder of this run's own.

    Raises GeneratorError where it does not arrive as it is, and OSError.
    """
    check(reference, image)
    (work / "layout").mkdir()
    layout.add(work / "layout", image, "image", work, note)
    name = f"{reference.name}@{reference.digest}" if reference.digest and not reference.tag else reference.tagged
    size = sum(blob.size for blob in image.blobs.values())
    host = reference.host or "docker.io"
    skopeo = Skopeo(find_skopeo(), work, timeout() or _SECONDS + size // _BYTES, f"docker://{name}", host)
    with progress(f"pushing to {host}", False):
        _, told, in_tls = skopeo.ask(*COPY, "oci:layout:image", f"docker://{name}", side="dest-")
    if told:
        raise skopeo.error(told)
    raw, told = skopeo.run("inspect", "--raw", *([] if in_tls else ["--tls-verify=false"]), f"docker://{name}")
    if told:
        raise skopeo.error(told)
    if sha256(raw) != image.top.digest:
        raise GeneratorError(
            f"docker://{name}: the registry gives {sha256(raw)} for it, not {image.top.digest}, which was pushed; "
            "see what stands between"
        )
    return f"{reference.name}@{image.top.digest}"
