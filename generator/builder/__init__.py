# SPDX-License-Identifier: Apache-2.0
"""Engines that build hives, and the check of their output.

Take a hive's keys and values, return the bytes of a regf file. Begin with choose.py.
"""
