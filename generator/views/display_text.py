# SPDX-License-Identifier: Apache-2.0
"""What entries, keys and values mean: texts and numbers for the bytes that layers and hives hold.

Every text here may hold whatever the layer or hive does, control characters among it; who shows it makes it fit.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping

from ..imageread.documents import Config, Platform
from ..oci.files import facts
from ..security import descriptor, sddl


def descriptor_text(data: bytes) -> str:
    """Return a security descriptor as SDDL; where SDDL has no words for it or it is damaged, say so in its place."""
    try:
        return sddl.to_text(descriptor.from_bytes(data))
    except ValueError as error:
        return f"no SDDL ({error}): {data.hex()}"


class Descriptors(dict[bytes, str]):
    """The texts of security descriptors, each worked out when it is asked for first: many keys share one."""

    def __missing__(self, data: bytes) -> str:
        """Work out the text of one."""
        self[data] = text = descriptor_text(data)
        return text


def entry_descriptor(records: Mapping[str, str]) -> str:
    """Return the security descriptor that an entry's PAX *records* give it as SDDL, or nothing."""
    known = facts().records
    if known.descriptor not in records:
        return records.get("MSWINDOWS.sd", "")
    try:
        return descriptor_text(base64.b64decode(records[known.descriptor], validate=True))
    except (binascii.Error, ValueError):
        return f"no base64: {records[known.descriptor]}"


def entry_attributes(records: Mapping[str, str]) -> tuple[str, ...]:
    """Return the words for the file attributes that an entry's PAX *records* give it."""
    known = facts()
    text = records.get(known.records.attributes, "")
    if not text:
        return ()
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return (f"no number: {text}",)
    number = int(text)
    bits = {name.replace("_", "-"): getattr(known.attributes, name) for name in known.attributes.__struct_fields__}
    words = [name for name, bit in bits.items() if number & bit]
    rest = number & ~sum(bits.values())
    return tuple([*words, f"0x{rest:x}"] if rest else words)


def image_facts(digest: str, platform: Platform | None, config: Config | None) -> Iterator[tuple[str, str]]:
    """Yield what is known of an image as a whole: what it is called, and what it is."""
    if digest:
        yield "manifest", digest
    if platform is not None:
        yield "platform", platform_text(platform.os, platform.architecture, platform.os_version)
    if config is None:
        return
    yield "made for", platform_text(config.os, config.architecture, config.os_version)
    settings = config.config
    if settings is None:
        return
    for name, said in (
        ("user", settings.user),
        ("entrypoint", settings.entrypoint),
        ("command", settings.cmd),
        ("working directory", settings.working_dir),
        ("environment", settings.env),
    ):
        if said:
            yield name, said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    for name, said in (settings.labels or {}).items():
        yield f"label {name}", said


def platform_text(system: str | None, architecture: str | None, version: str | None) -> str:
    """Return a platform as ``windows/amd64``, with the system's version behind a colon where it has one."""
    text = f"{system or 'unknown'}/{architecture or 'unknown'}"
    return f"{text}:{version}" if version else text
