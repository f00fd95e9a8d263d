# SPDX-License-Identifier: Apache-2.0
"""Platforms of images for any system: parse, spell and compare them as containerd does.

Source: github.com/containerd/platforms 1.0.0-rc.5, platforms.go and database.go.
"""

import re
from typing import Final

from ..base.errors import GeneratorError, shorten
from .documents import ImagePlatform

_WORD: Final = r"[A-Za-z0-9_.-]{1,64}"
_FORMS: Final = (  # crane's spelling, then containerd's
    re.compile(rf"(?P<os>{_WORD})/(?P<arch>{_WORD})(?:/(?P<variant>{_WORD}))?(?::(?P<version>{_WORD}))?"),
    re.compile(
        rf"(?P<os>{_WORD})\((?P<version>{_WORD})?(?P<features>(?:\+{_WORD})*)\)/(?P<arch>{_WORD})"
        rf"(?:/(?P<variant>{_WORD}))?"
    ),
)
_SYSTEMS: Final = (  # isKnownOS
    *("aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux", "macos", "nacl"),
    *("netbsd", "openbsd", "plan9", "solaris", "wasip1", "windows", "zos"),
)
_GIVEN: Final = re.compile(rf"(.+)@((?:{'|'.join(_SYSTEMS)})[(/].+)", re.DOTALL)
_ARCHITECTURES: Final = {  # aliases, each with Go's name and the variant that it implies; None keeps the given variant
    "i386": ("386", ""),
    "x86_64": ("amd64", None),
    "x86-64": ("amd64", None),
    "aarch64": ("arm64", None),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_VARIANTS: Final = {
    "amd64": {"v1": ""},
    "arm64": {"8": "", "v8": "", "v8.0": "", "9": "v9", "9.0": "v9", "v9.0": "v9"},
    "arm": {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"},
}


def parse(text: str, shown: str) -> ImagePlatform:
    """Parse ``OS/ARCH[/VARIANT][:VERSION]`` or ``OS[(VERSION[+FEATURE…])]/ARCH[/VARIANT]``.

    Raises GeneratorError with *shown* as the subject.
    """
    found = next(filter(None, (form.fullmatch(text) for form in _FORMS)), None)
    if found is None:
        raise GeneratorError(
            f"{shown}: invalid platform {shorten(text)}; hint: OS/ARCH[/VARIANT][:VERSION], such as linux/arm64 or "
            "windows/amd64:10.0.20348.2113"
        )
    features = tuple(dict.fromkeys(found.groupdict().get("features", "").split("+")[1:]))
    return ImagePlatform(found["arch"], found["os"], found["version"], features, found["variant"] or "")


def given(text: str) -> tuple[str, ImagePlatform | None]:
    """Split ``NAME[@PLATFORM]`` into the image's name and the platform, if any; raises GeneratorError."""
    found = _GIVEN.fullmatch(text)
    return (found[1], parse(found[2], found[1])) if found else (text, None)


def architecture(name: str | None) -> str:
    """Return an architecture as Go spells it."""
    lowered = (name or "").lower()
    return _ARCHITECTURES.get(lowered, (lowered, None))[0]


def system(name: str | None) -> str:
    """Return an operating system as Go spells it."""
    lowered = (name or "").lower()
    return {"macos": "darwin"}.get(lowered, lowered)


def normal(platform: ImagePlatform) -> ImagePlatform:
    """Return *platform* normalized as by containerd, so that spellings of the same platform compare equal."""
    own, variant = _ARCHITECTURES.get(platform.architecture.lower(), (platform.architecture.lower(), None))
    if variant is None:
        variant = platform.variant.lower()
        variant = _VARIANTS.get(own, {}).get(variant, variant)
    features = tuple(sorted({*platform.os_features}))
    return ImagePlatform(own, system(platform.os), platform.os_version or None, features, variant)


def spelled(platform: ImagePlatform) -> str:
    """Return *platform* in containerd's spelling, such as ``windows(10.0.20348.2113)/amd64``."""
    options = "+".join((platform.os_version or "", *sorted(filter(None, {*platform.os_features}))))
    parts = (platform.os + f"({options})" * bool(options), platform.architecture, platform.variant)
    return "/".join(filter(None, parts)) if platform.os else "unknown"
