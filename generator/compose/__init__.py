# SPDX-License-Identifier: Apache-2.0
"""Make images of images that exist: rebase them, index them, and look for newer bases.

Takes references; returns the documents of the new image and where its blobs are. No layer is changed.
"""
