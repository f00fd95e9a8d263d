# SPDX-License-Identifier: Apache-2.0
"""Microsoft's own code for hives as a witness: offreg.dll, which WINSCRATCH_OFFREG names, run by wine.

It is milder than the kernel: a hive that it refuses is proven bad, one that it opens is not proven good.
"""

import os
import random
from pathlib import Path

import pytest
from helpers.counts import count
from helpers.damage import live_parts, mutate
from helpers.hive_maker import SEGMENT, STORE, make, sample, seal
from helpers.mutations import MUTATIONS
from helpers.offreg import (
    BITS,
    PLANS,
    Driver,
    Found,
    Tally,
    all_bits,
    check_alike,
    check_committed,
    check_created,
    check_flipped,
    differences,
    ours,
    some_bits,
)
from helpers.random_hives import committed_hives
from helpers.sample_hives import EXPECTED, sample_hive

from generator.hives.rules import RULES, Level

LIBRARY = os.environ.get("WINSCRATCH_OFFREG", "")
DAMAGED = count(300, 2000)
MINOR_UNKNOWN = 6  # a hive's minor version that offreg 6.2 refuses


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """Return what asks offreg.dll; without the file skip the test, in CI too, for it may not be passed on."""
    if not LIBRARY:
        pytest.skip("WINSCRATCH_OFFREG names no offreg.dll of Windows")
    return Driver(Path(LIBRARY), tmp_path_factory.mktemp("offreg"))


def test_each_committed_hive_is_read_as_specified(driver: Driver) -> None:
    assert check_committed(driver) == []


def test_flipped_bits_that_our_check_lets_pass_hurt_nothing(driver: Driver) -> None:
    every = os.environ.get("WINSCRATCH_OFFREG_BITS") == "all"
    tally = check_flipped(driver, all_bits() if every else some_bits(BITS))
    assert tally.failures == []
    assert tally.good > tally.hives // 3
    assert tally.unusual > 0


def test_hives_that_it_creates_are_good_and_read_alike(driver: Driver) -> None:
    tally = check_created(driver, range(PLANS))
    assert (tally.failures, tally.good) == ([], PLANS)


def test_every_kind_of_record_is_read_as_it_was_made(driver: Driver) -> None:
    data = bytes(sample().data)
    (theirs,) = driver.read([data])
    assert differences(ours(data)[0], theirs) == []


def test_damage_that_our_check_lets_pass_hurts_nothing(driver: Driver) -> None:
    tally = Tally()
    check_alike(driver, ((f"{mutation.rule}: {mutation.what}", mutation.hive()) for mutation in MUTATIONS), tally)
    chance = random.Random(3)  # noqa: S311
    bases = [(data, live_parts(data)) for data in (bytes(sample().data), bytes(make(STORE).data))]
    hives = (bytearray(mutate(chance, *chance.choice(bases))) for _ in range(DAMAGED))
    sealed = (seal(data) for data in hives if len(data) >= 512)
    labelled = ((f"damage {number}", data) for number, data in enumerate(sealed))
    check_alike(driver, ((label, data) for label, data in labelled if data[24] != MINOR_UNKNOWN), tally)
    assert tally.failures == []
    assert tally.good > DAMAGED // 10


def test_hives_that_windows_wrote_are_read_alike(driver: Driver) -> None:
    hives = [(name, sample_hive(name)) for name in EXPECTED]
    tally = Tally()
    check_alike(driver, ((name, data) for name, data in hives if data[24] != MINOR_UNKNOWN), tally)
    assert tally.failures == []
    assert tally.good + tally.unusual > len(hives) // 2


RULES_OF_OFFREG = {name for name, rule in RULES.items() if rule.level == Level.REFUSED and "offreg" in rule.source}


def test_damage_that_breaks_a_rule_whose_source_it_is_hurts_it(driver: Driver) -> None:
    assert len(RULES_OF_OFFREG) > 5
    mutations = [mutation for mutation in MUTATIONS if mutation.rule in RULES_OF_OFFREG]
    hives = [mutation.hive() for mutation in mutations]
    whole = {name: ours(bytes(made.data))[0] for name, made in (("sample", sample()), ("store", make(STORE)))}
    for mutation, data, theirs in zip(mutations, hives, driver.read(hives), strict=True):
        assert theirs not in whole.values()
        assert lost(data, theirs), f"{mutation.rule}: {mutation.what}"


def lost(data: bytes, theirs: Found) -> bool:
    """Return whether a key or value that our reader finds, or big data that it was made from, is missing."""
    found = ours(data)[0]
    keys = {key.path: {value.name for value in key.values} for key in theirs.hive}
    return any(key.path not in keys or {value.name for value in key.values} - keys[key.path] for key in found.hive)


def test_failures_are_reported(driver: Driver, tmp_path: Path) -> None:
    rubbish, missing = driver.read([b"regf" * 4096])[0], driver.ask([f"read {driver.name(tmp_path / 'missing')}"])[0]
    assert rubbish.keys == ()
    assert [failure.split()[0] for failure in rubbish.failures] == ["hive"]
    assert missing == ["! hive 2"]
    assert driver.ask(["nonsense", "value 1 61"]) == [["! nonsense 1"], ["! value 1 87"]]


def test_the_kernel_is_asked_by_its_own_function(driver: Driver) -> None:
    """Wine's RegLoadAppKey may return a handle that leads nowhere; then the check fails for every hive."""
    failures = check_committed(driver, "load")
    assert {":".join(line.split(":")[:2]) for line in failures} in (set(), set(committed_hives()))
    (rubbish,) = driver.read([b"regf" * 4096], "load")
    assert rubbish.failures


def test_a_difference_is_found(driver: Driver) -> None:
    made = sample()
    (theirs,) = driver.read([bytes(made.data)])
    made.poke("data Alpha\\Text", 0, "<B", 0x41)
    made.poke("sk 1", 20 + 20 + 20, "<B", 1)
    made.poke("segment Alpha\\Big 0", SEGMENT - 1, "<B", 0)
    assert differences(ours(made.seal())[0], theirs) != []
    assert differences(theirs, Found(theirs.keys[:-1])) == [f"{'Ωmega'!a}: key not found"]
    assert differences(Found(theirs.keys[:-1]), theirs) == [f"{('Ωmega',)!a}: key not expected"]
