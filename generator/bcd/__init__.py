# SPDX-License-Identifier: Apache-2.0
"""BCD stores in bcdedit's words: encode objects and elements into a hive, and decode them.

Takes words or a hive's keys, returns registry keys or words. Begin with words.py (the table), then encoding.py.
"""
