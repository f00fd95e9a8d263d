# SPDX-License-Identifier: Apache-2.0
"""Copies of modules in other projects: written, found, checked and updated."""
