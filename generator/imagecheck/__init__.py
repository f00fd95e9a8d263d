# SPDX-License-Identifier: Apache-2.0
"""The check of a Windows image, whatever made it: would Windows take it, and does it keep to its own digests?"""
