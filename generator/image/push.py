# SPDX-License-Identifier: Apache-2.0
"""Push an image to a registry with skopeo, which uploads blobs first."""

import contextlib
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..base.console import Say
from ..base.errors import GeneratorError
from ..imageread.references import Reference
from ..imageread.registry import COPY, Skopeo
from ..imageread.registry import find as find_skopeo
from ..oci.blob import sha256
from . import layout, transfer
from .assemble import BuiltImage
from .progress import Progress, Tell, measured

# skopeo's error if neither the registry nor the local layout has a layer.
_MISSING = re.compile(r"open .*blobs/\S+: no such file or directory")


def check(reference: Reference, image: BuiltImage | None = None) -> None:
    """Raise GeneratorError if skopeo is missing, or if *reference* has another digest than *image*."""
    find_skopeo()
    if image is not None and reference.digest and reference.digest != image.top.digest:
        raise GeneratorError(f"docker://{reference.name}@{reference.digest}: the image is {image.top.digest}")


def push(
    image: BuiltImage,
    reference: Reference,
    work: Path,
    note: Say,
    progress: Progress,
    plain: Sequence[str] = (),
) -> str:
    """Push *image* and return its reference by digest; *work* is a private directory.

    Layers of a base in a registry are mounted or copied first; skopeo then finds them in the repository and does not
    need local files. *plain* lists registries that may be used without TLS. Raises OSError, and GeneratorError if the
    push fails or the registry returns another image than was pushed.
    """
    check(reference, image)
    host = reference.host or "docker.io"
    name = f"{reference.name}@{reference.digest}" if reference.digest and not reference.tag else reference.tagged
    seconds = transfer.seconds(image.blobs.values())
    skopeo = Skopeo(find_skopeo(), work, seconds, f"docker://{name}", host, plain=plain)
    (work / "layout").mkdir()
    based = any(blob.origin is not None for blob in image.blobs.values())
    for mounting in (True, False):
        with progress(f"moving the base to {host}", False) if based else contextlib.nullcontext():
            transfer.move(image.blobs.values(), reference, work, plain=plain, mounting=mounting)
        elsewhere = {blob.digest for blob in image.blobs.values() if transfer.elsewhere(blob)}
        layout.add(work / "layout", image, "image", work, note, without=elsewhere)
        sent = sum(blob.size for blob in image.blobs.values() if blob.digest not in elsewhere)
        with progress(f"pushing to {host}", measured(sent)) as tell:
            teller = skopeo._replace(tell=partial(_tell_sent, tell, sent))
            # The debug log has the reason why a registry rejects an index.
            words = (*COPY, "--debug", "oci:layout:image", f"docker://{name}")
            _, failure, in_tls = teller.ask(*words, side="dest-")
            if not failure:
                tell(sent, sent)
        if not (elsewhere and _MISSING.search(failure)):
            break  # else the registry did not keep the mounted layers: try again without mounting
    if failure:
        raise skopeo.error(_MISSING.sub("the registry does not keep the layers of the base", failure))
    _check_arrived(skopeo, name, image, in_tls=in_tls)
    return f"{reference.name}@{image.top.digest}"


def _tell_sent(tell: Tell, size: int, read: int) -> None:
    """Report the bytes that skopeo has read as bytes sent, at most *size*, since it reads other files too."""
    tell(min(read, size), size)


def _check_arrived(skopeo: Skopeo, name: str, image: BuiltImage, *, in_tls: bool) -> None:
    """Raise GeneratorError if the registry returns another image than was pushed."""
    raw, failure = skopeo.run("inspect", "--raw", *([] if in_tls else ["--tls-verify=false"]), f"docker://{name}")
    if failure:
        raise skopeo.error(failure)
    if sha256(raw) != image.top.digest:
        raise GeneratorError(
            f"docker://{name}: the registry has {sha256(raw)}, not {image.top.digest}, which was pushed; "
            "hint: check proxies on the way"
        )
