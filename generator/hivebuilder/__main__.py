# SPDX-License-Identifier: Apache-2.0
"""Read a JSON document from stdin, build its hives, write a JSON document to stdout.

Request::

    {"format": 1, "hives": {ID: {"keys": [{"path": [NAME, …], "values": [
        {"name": NAME, "type": NUMBER, "data": BASE64}]}]}}}

Parents come before their children; the root key's path is empty. Response::

    {"format": 1, "hivex": VERSION, "hives": {ID: {"sha256": HEX, "data": BASE64}}}

Errors are one line on stderr. Exit status: 0 built, 1 failed, 3 hivex cannot be imported, 4 the module named hivex
belongs to another project.
"""

import base64
import hashlib
import json
import os
import re
import sys
from typing import Any

from .emptyhive import empty_hive

FORMAT = 1
NO_HIVEX = 3
FOREIGN_HIVEX = 4


class RequestError(Exception):
    """The request failed; *status* is the exit status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def load_hivex() -> Any:
    """Return the hivex module; raise RequestError if it is missing or unrelated to the registry."""
    try:
        import hivex
    except ImportError as error:
        raise RequestError(NO_HIVEX, f"hivex cannot be imported by {sys.executable}: {error}") from error
    if not hasattr(hivex, "Hivex"):
        raise RequestError(FOREIGN_HIVEX, f"the module {hivex.__file__} is not the registry library; use python3-hivex")
    return hivex


def hivex_version() -> str:
    """Return the version of the hivex library as its package manager knows it, or "unknown"."""
    # hivex does not export its version.
    try:
        with open("/var/lib/dpkg/status", encoding="utf-8", errors="replace") as status:
            found = re.search(r"^Package: python3-hivex\n(?:.+\n)*?Version: ([^-\n]+)", status.read(), re.MULTILINE)
    except OSError:
        return "unknown"
    return found[1] if found else "unknown"


def build(hivex: Any, keys: "list[dict[str, Any]]") -> bytes:
    """Return the empty hive with *keys* and their values added in order."""
    # hivex opens files by name only. A memory file has a name and needs no writable file system.
    with open(os.memfd_create("hive"), "r+b") as file:
        file.write(empty_hive())
        file.flush()
        name = f"/proc/self/fd/{file.fileno()}"
        hive = hivex.Hivex(name, write=True)
        nodes: "dict[tuple[str, ...], int]" = {(): hive.root()}
        for key in keys:
            path = tuple(key["path"])
            if path:
                nodes[path] = hive.node_add_child(nodes[path[:-1]], path[-1])
            values = [
                {"key": v["name"], "t": v["type"], "value": base64.b64decode(v["data"], validate=True)}
                for v in key["values"]
            ]
            if values:
                hive.node_set_values(nodes[path], values)
        hive.commit(None)
        file.seek(0)
        return file.read()


def respond(request: Any) -> "dict[str, Any]":
    """Return the response to a request document."""
    if request["format"] != FORMAT:
        raise RequestError(1, f"request format {request['format']!r} is not {FORMAT}")
    hivex = load_hivex()
    hives = {}
    for name, hive in request["hives"].items():
        try:
            data = build(hivex, hive["keys"])
        except (RuntimeError, OSError) as error:  # what hivex raises
            raise RequestError(1, f"hive {name}: {error}") from error
        hives[name] = {"sha256": hashlib.sha256(data).hexdigest(), "data": base64.b64encode(data).decode("ascii")}
    return {"format": FORMAT, "hivex": hivex_version(), "hives": hives}


def main() -> int:
    """Answer the request on standard input; return the exit status."""
    try:
        response = respond(json.load(sys.stdin.buffer))
    except RequestError as failure:
        print(f"hivebuilder: {failure}", file=sys.stderr)
        return failure.status
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        print(f"hivebuilder: invalid request: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    json.dump(response, sys.stdout)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
