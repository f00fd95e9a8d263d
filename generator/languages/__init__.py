# SPDX-License-Identifier: Apache-2.0
"""Source modules that embed a layer: the table of languages, the templates' filters, the provenance line."""
