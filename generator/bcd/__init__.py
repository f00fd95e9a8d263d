# SPDX-License-Identifier: Apache-2.0
"""BCD stores in bcdedit's words: encode objects and elements as registry keys, decode them, and find problems.

Takes words or a hive's keys, returns registry keys or words. Begin with words.py (names) and formats.py (bytes), then
encoding.py.
"""
