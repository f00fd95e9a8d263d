# SPDX-License-Identifier: Apache-2.0
"""The command `check-image`: a line for each finding, and one that says what would become of the image."""

from collections.abc import Sequence
from typing import Any

from .. import console
from ..console import Say, json_document
from ..errors import EXIT_OK, EXIT_STALE, GeneratorError, counted, visible
from ..image.opened import images
from .image import Checked, Findings, Layers, check
from .rules import RULES


def report(names: Sequence[str], as_json: bool = False, *, say: Say = console.say) -> int:
    """Say what is found in each image; return 0, or 1 where Windows or a client would refuse or misread one.

    Raises GeneratorError for what cannot be opened.
    """
    if not names:
        raise GeneratorError("check-image: name the images to check, such as oci:DIR")
    everything: list[Checked] = []
    for name in names:
        findings, layers = Findings(), Layers()
        with images(name, findings.add) as found:
            checked = [check(image, layers, findings) for image in found] or [findings.checked(name)]
        if not found and checked[0].good:
            raise GeneratorError(f"{name}: leads to no image; name another")
        everything += checked
        if not as_json:
            for each in checked:
                for line in _lines(each):
                    say(line)
    if as_json:
        say(json_document([_record(each) for each in everything]))
    return EXIT_OK if all(each.good for each in everything) else EXIT_STALE


def _lines(checked: Checked) -> list[str]:
    lines = [
        ": ".join(filter(None, (finding.where, visible(finding.entry), finding.level, finding.message)))
        for finding in checked.findings
    ]
    lines += [
        f"{where}: {RULES[rule].level}: {count:,} more of {rule}" for (where, rule), count in checked.more.items()
    ]
    return [*lines, f"{checked.name}: {_verdict(checked)}"]


def _verdict(checked: Checked) -> str:
    if not checked.good:
        verdict = "image that Windows or a client refuses or misreads"
    else:
        verdict = "image that Windows takes" if checked.findings else "good image"
    config = checked.image.config if checked.image else None
    if config is None:
        return verdict
    platform = f"{config.os}/{config.architecture}" + (f":{config.os_version}" if config.os_version else "")
    entries = sum(len(each.tree) for each in checked.layers if each and each.tree)
    return f"{verdict}, {platform}, {counted(len(checked.layers), 'layer')}, {counted(entries, 'path')}"


def _record(checked: Checked) -> dict[str, Any]:
    image = checked.image
    config = image.config if image else None
    layers = [
        {"name": layer.name, "diff_id": layer.diff_id, "bytes": seen and seen.size, "unpacked": seen and seen.unpacked}
        for layer, seen in zip(image.layers if image else (), checked.layers, strict=True)
    ]
    found = [
        {"where": f.where, "entry": f.entry, "rule": f.rule, "level": f.level, "found": f.found, "message": f.message}
        for f in checked.findings
    ]
    return {
        "image": checked.name,
        "digest": image.descriptor.digest if image and image.descriptor else None,
        "good": checked.good,
        "os": config.os if config else None,
        "architecture": config.architecture if config else None,
        "os.version": config.os_version if config else None,
        "layers": layers,
        "findings": found,
        "more": [{"where": w, "rule": rule, "count": count} for (w, rule), count in checked.more.items()],
    }
