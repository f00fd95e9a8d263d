# SPDX-License-Identifier: Apache-2.0
"""The command `check-image`: a line for each finding, and a verdict for each image."""

from collections.abc import Sequence
from typing import Any, Final

from ..base import console
from ..base.console import Say, json_document
from ..base.errors import EXIT_OK, EXIT_STALE, GeneratorError, counted, shorten, visible
from ..imageread.documents import Config, ImagePlatform
from ..imageread.found import ARTIFACT
from ..imageread.images import images
from ..imageread.references import check_hosts
from .image import Checked, Findings, LayerChecks, check
from .rules import RULES

_MOST_PASSED: Final = 100  # lines for entries that are passed over


def report(
    names: Sequence[str],
    as_json: bool = False,
    *,
    plain_http: Sequence[str] = (),
    say: Say = console.say,
    note: Say = console.note,
) -> int:
    """Print the findings of each image; return 0, or 1 if Windows or a client would refuse or misread one.

    *plain_http* holds registries that may lack TLS. All names are checked even if some cannot be opened. Their errors
    go to *note*, except the last one, which is raised as GeneratorError at the end.
    """
    if not names:
        raise GeneratorError("check-image: an image is required; hint: winscratch check-image oci:DIR")
    check_hosts(plain_http)
    everything: list[Checked] = []
    records: list[dict[str, Any]] = []
    errors: list[GeneratorError] = []
    for name in names:
        try:
            found, passed = _check(name, plain_http)
        except GeneratorError as error:
            errors.append(error)
            records.append({"image": name, "error": str(error)})
            continue
        everything += found
        records += [_record(each, passed) for each in found]
        if not as_json:
            for line in _lines(found, passed):
                say(line)
    if as_json and (everything or len(names) > 1):
        say(json_document(records))
    for each in errors[:-1]:
        note(f"error: {each}")
    if errors:
        raise errors[-1]
    return EXIT_OK if all(image.good for image in everything) else EXIT_STALE


def _check(name: str, plain: Sequence[str]) -> tuple[list[Checked], list[tuple[str, str]]]:
    """Check all images of *name*; return also each entry that was passed over, with the reason.

    Raise GeneratorError if it cannot be opened or has no image.
    """
    findings, layers = Findings(), LayerChecks()
    passed: list[tuple[str, str]] = []
    with images(name, findings.add, lambda where, why: passed.append((where, why)), plain) as found:
        checked = [check(image, layers, findings) for image in found]
    if checked:
        return checked, passed
    systems = list(dict.fromkeys(why for _, why in passed if not why.startswith(ARTIFACT)))
    if systems:
        findings.add(name, "os", f"no image for Windows; there is {shorten(', '.join(systems), 200)}")
    alone = findings.checked(name)
    if alone.good:
        kinds = f", only {passed[0][1]}" if passed else ""
        raise GeneratorError(f"{name}: leads to no image{kinds}; hint: name another")
    return [alone], []


def _lines(images: Sequence[Checked], passed: Sequence[tuple[str, str]]) -> list[str]:
    lines = [f"{where}: passed over: {why}" for where, why in passed[:_MOST_PASSED]]
    if len(passed) > _MOST_PASSED:
        lines.append(f"{len(passed) - _MOST_PASSED:,} more passed over")
    for checked in images:
        parts = ((each.where, visible(each.entry), each.level, each.message) for each in checked.findings)
        lines += [": ".join(filter(None, each)) for each in parts]
        lines += [f"{w}: {RULES[rule].level}: {count:,} more of {rule}" for (w, rule), count in checked.more.items()]
        if checked.image is not None or [each.rule for each in checked.findings] != ["os"]:  # else it says it all
            lines.append(f"{checked.name}: {_verdict(checked)}")
    return lines


def _verdict(checked: Checked) -> str:
    verdict = "image that Windows takes" if checked.findings else "good image"
    if not checked.good:
        verdict = "image that Windows or a client refuses or misreads"
    if checked.image is None or checked.image.config is None:
        return verdict
    platform = _platform(checked.image.platform, checked.image.config)
    entries = sum(len(each.tree) for each in checked.layers if each and each.tree)
    return f"{verdict}, {platform}, {counted(len(checked.layers), 'layer')}, {counted(entries, 'path')}"


def _platform(listed: ImagePlatform | None, config: Config) -> str:
    """Return the platform by which clients choose an image: *listed*, the index's, else the configuration's."""
    found: ImagePlatform | Config = listed if listed and listed.os and listed.architecture else config
    return f"{found.os}/{found.architecture}" + (f":{found.os_version}" if found.os_version else "")


def _record(checked: Checked, passed: list[tuple[str, str]]) -> dict[str, Any]:
    image = checked.image
    config = image.config if image else None
    listed = image.platform if image else None
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
        "platform": listed and {"os": listed.os, "architecture": listed.architecture, "os.version": listed.os_version},
        "layers": layers,
        "findings": found,
        "passed_over": [{"image": where, "what": why} for where, why in passed[:_MOST_PASSED]],
        "more": [{"where": w, "rule": rule, "count": count} for (w, rule), count in checked.more.items()],
    }
