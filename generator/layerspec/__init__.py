# SPDX-License-Identifier: Apache-2.0
"""Specifications: a layer's TOML file, read into typed records and checked."""
