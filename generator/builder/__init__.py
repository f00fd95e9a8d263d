# SPDX-License-Identifier: Apache-2.0
"""Builders of hives: engines that make a hive's bytes from its records, and the check of what they made."""
