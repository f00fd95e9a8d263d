# SPDX-License-Identifier: Apache-2.0
"""Builders of hives: programs outside this process that make a hive's bytes from its records."""
