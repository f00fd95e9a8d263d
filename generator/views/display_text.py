# SPDX-License-Identifier: Apache-2.0
"""Text for security descriptors, file attributes, platforms and image settings.

The text may hold control characters from the layer or hive; the caller escapes it for its output.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache

from ..imageread.documents import Config, ImagePlatform
from ..oci.files import facts
from ..security import descriptor, sddl
from .unpacked_layers import UnpackedImage


@lru_cache(maxsize=1 << 8)  # many keys share one
def descriptor_text(data: bytes) -> str:
    """Return a security descriptor as SDDL, or the reason why SDDL cannot express it, with its bytes in hexadecimal."""
    try:
        return sddl.to_text(descriptor.from_bytes(data))
    except ValueError as error:
        return f"no SDDL ({error}): {data.hex()}"


def entry_descriptor(records: Mapping[str, str]) -> str:
    """Return the security descriptor in an entry's PAX *records* as SDDL, empty if absent."""
    key = facts().key("descriptor")
    if key not in records:
        return records.get("MSWINDOWS.sd", "")
    try:
        return descriptor_text(base64.b64decode(records[key], validate=True))
    except ValueError:
        return f"no base64: {records[key]}"


def entry_attributes(records: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the file attributes in an entry's PAX *records*."""
    known = facts()
    text = records.get(known.key("attributes"), "")
    if not text:
        return ()
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return (f"no number: {text}",)
    number = int(text)
    bits = known.attributes.names()
    words = [name.replace("_", "-") for bit, name in bits.items() if number & bit]
    rest = number & ~sum(bits)
    return tuple([*words, f"0x{rest:x}"] if rest else words)


def image_facts(image: UnpackedImage) -> Iterator[tuple[str, str]]:
    """Yield label and text of an image's manifest digest, if it has one, and of its settings."""
    if image.digest:
        yield "manifest", image.digest
    yield from image_settings(image)


def image_settings(image: UnpackedImage) -> Iterator[tuple[str, str]]:
    """Yield label and text of an image's platforms and of the settings in its configuration."""
    if image.platform is not None:
        yield "platform", platform_text(image.platform)
    config = image.config
    if config is None:
        return
    yield "made for", platform_text(config)
    settings = config.config
    for label, setting in (
        ("user", settings.user),
        ("entrypoint", settings.entrypoint),
        ("command", settings.cmd),
        ("working directory", settings.working_dir),
        ("environment", settings.env),
    ):
        if setting:
            yield label, setting if isinstance(setting, str) else json.dumps(setting, ensure_ascii=False)
    for name, text in (settings.labels or {}).items():
        yield f"label {name}", text


def platform_text(*known: ImagePlatform | Config) -> str:
    """Return a platform as ``windows/amd64``, or as ``windows/amd64:VERSION`` if one of *known* has the version."""
    version = next((f":{each.os_version}" for each in known if each.os_version), "")
    return f"{known[0].os or 'unknown'}/{known[0].architecture or 'unknown'}{version}"
