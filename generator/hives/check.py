# SPDX-License-Identifier: Apache-2.0
"""The check of any registry hive: one line for a good one, one for each broken rule of another."""

import json
from collections.abc import Iterable
from pathlib import Path

from .. import console
from ..console import Say, Verbatim
from ..errors import EXIT_ERROR, EXIT_OK, EXIT_STALE, one_line
from .reader import walked


def report(
    paths: Iterable[str | Path], as_json: bool = False, *, say: Say = console.say, note: Say = console.note
) -> int:
    """Say a line for each sound hive and one for each finding; return 0, 1 for findings, 2 for unreadable files."""
    status = EXIT_OK
    records: list[dict[str, object]] = []
    for path in paths:
        try:
            data = Path(path).read_bytes()
        except (OSError, ValueError) as error:
            reason = one_line(getattr(error, "strerror", None) or str(error))
            status = EXIT_ERROR
            records.append({"path": str(path), "good": False, "error": reason})
            if not as_json:
                note(f"{path}: cannot be read: {reason}")
            continue
        judge = walked(data)
        findings = judge.findings or []
        if findings:
            status = max(status, EXIT_STALE)
        counts = {"keys": judge.key_count, "values": judge.value_count, "bytes": len(data)}
        found = [{"offset": f.offset, "rule": f.rule, "message": f.message} for f in findings]
        records.append({"path": str(path), "good": not findings, **counts, "findings": found})
        if not as_json:
            good = f"good hive, {judge.key_count:,} keys, {judge.value_count:,} values, {len(data):,} bytes"
            for line in [finding.message for finding in findings] or [good]:
                say(f"{path}: {line}")
    if as_json:
        say(Verbatim(json.dumps(records, indent=2)))
    return status
