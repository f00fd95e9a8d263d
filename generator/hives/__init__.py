# SPDX-License-Identifier: Apache-2.0
"""Registry hives: their content as records, the layout, the reader, the rules it checks, and the check of any hive."""
