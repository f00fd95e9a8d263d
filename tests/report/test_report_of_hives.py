# SPDX-License-Identifier: Apache-2.0
"""Reports of hostile, large and damaged hives and tars in a browser."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING

from helpers.browser import COMMITTED, SCRIPTS, details, report_of, until, visit
from helpers.counts import thorough
from helpers.hive_maker import Node, make, sample

from generator.builder.wire import ROOT
from generator.hives.model import REG_BINARY, REG_DWORD, REG_SZ, Value
from generator.report import page_data
from generator.views.regions import Regions

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

TAR = gzip.decompress((ROOT / "output/layers/scratch.tar.gz").read_bytes())
HOSTILE = (
    "<script>window.harm=1</script><img src=x onerror=window.harm=1>",
    "\"'><svg/onload=window.harm=1>",
    "]]></script><!--",
    "\x1b[31m\x07\r\n\t",
    "\u202eesrever\u202c\u2066\u200b\ufeff",
    "{{ 7*7 }}{% raw %}",
)


@thorough("makes many reports")
def test_the_page_formats_fields_like_the_reader(browser: Browser) -> None:
    hive = sample()
    hive.poke("key Alpha", 4, "<Q", 0x01D6_3C12_3456_789A)
    regions = Regions(bytes(hive.seal()))
    made = {"format": page_data.structures(), "subject": page_data.subject("", regions)}
    source = (SCRIPTS / "read.js").read_text("utf-8")
    script = f"""({{format, subject}}) => {{ {source}
        const read = new Subject(format, subject);
        return subject.kinds.map((_, region) =>
            read.parts(region).map(part => [part.field.name, part.offset, part.size, read.text(part)]));
    }}"""
    with visit(browser, COMMITTED) as shown:
        found = shown.evaluate(script, made)
    assert found == [
        [[part.field.name, part.offset, part.size, part.text] for part in regions.parts(region)] for region in regions
    ]


def test_hostile_names_and_values_are_text(browser: Browser, tmp_path: Path) -> None:
    keys = [
        Node(name.replace("\\", "/"), values=[Value(name, REG_SZ, f"{name}\0".encode("utf-16-le"))]) for name in HOSTILE
    ]
    long = Value("long", REG_SZ, ("<b>" * 350_000).encode("utf-16-le"))
    hive = bytes(make(Node("root", subkeys=keys, values=[long])).data)
    path = report_of(tmp_path, **{"<b onclick=window.harm=1>\u202ename</b>": hive, "other": hive[:9000]})
    text = path.read_text("utf-8")
    assert "\u202e" not in text
    assert "\x1b" not in text
    with visit(browser, path) as shown:
        elements = shown.evaluate("document.querySelectorAll('script, img, b').length")
        tree = shown.locator(".tree").first
        for button in tree.locator(".line").all():
            button.click()
        shown.fill("input[name=text]", "harm")
        shown.click("form button")
        assert shown.locator(".found li").count() >= 2
        assert shown.evaluate("window.harm") is None
        assert shown.evaluate("document.querySelectorAll('script, img, b').length") == elements
        text = shown.inner_text("body")
        assert "\\u{202e}esrever" in text
        assert "\\u{1b}[31m" in text
        assert "1,050,000 characters" in text
        assert not {char for char in text if not char.isprintable()} - set("\n\t\xa0")


def large() -> bytes:
    """Return a hive of 5 MB."""
    chance = random.Random(5)  # noqa: S311

    def values(key: int) -> list[Value]:
        return [
            Value("Number", REG_DWORD, bytes(4)),
            Value("Text", REG_SZ, f"text of {key}\0".encode("utf-16-le")),
            Value("Bytes", REG_BINARY, chance.randbytes(600)),
        ]

    groups = [
        Node(f"Group{i:02}", subkeys=[Node(f"Key{i}-{j:03}", values=values(j)) for j in range(200)]) for i in range(26)
    ]
    return bytes(make(Node("root", subkeys=groups)).data)


@thorough("makes many reports")
def test_a_hive_of_5_mb_is_usable(browser: Browser, tmp_path: Path) -> None:
    hive = large()
    assert 4_500_000 < len(hive) < 6_000_000
    path = report_of(tmp_path, large=hive)
    with visit(browser, path, viewport={"width": 1600, "height": 1000}) as shown:
        tree = shown.locator(".tree").first
        shown.fill("input[name=text]", "Key25-199")
        shown.click("form button")
        shown.locator(".found li button").first.click()
        assert tree.locator("[aria-current]").inner_text() == "Key25-199"
        assert details(shown)["name"] == "Key25-199"
        box = shown.locator(".map").first
        box.press("Control+End")
        until(
            shown,
            "(m => m.scrollTop + m.clientHeight >= parseInt(m.querySelector('.room').style.height))"
            "(document.querySelector('.map'))",
        )
        shown.evaluate(
            "() => new Promise(done => { document.querySelector('.map').scrollTop /= 2;"
            " requestAnimationFrame(() => setTimeout(done)); })"
        )
        shown.locator(".listing summary").click()
        assert "page 1 of" in shown.inner_text(".listing [role=status]")


@thorough("makes many reports")
def test_findings_of_check_hive_lead_to_their_bytes(browser: Browser, tmp_path: Path) -> None:
    hive = sample()
    hive.poke("key Alpha", 0, "<2s", b"xx")
    with visit(browser, report_of(tmp_path, damaged=bytes(hive.seal()))) as shown:
        finding = shown.locator(".findings li").filter(has_text="key-signature").first
        assert "a key begins with" in finding.inner_text()
        finding.get_by_role("button").click()
        assert "key-signature" in shown.inner_text(".details .wrong")


@thorough("makes many reports")
def test_a_truncated_tar_is_shown_up_to_its_end(browser: Browser, tmp_path: Path) -> None:
    with visit(browser, report_of(tmp_path, cut=TAR[:13000])) as shown:
        shown.get_by_role("button", name="(root key)").click()
        assert details(shown)[""] == "key"
        assert "unread" in shown.locator(".legend").inner_text()
