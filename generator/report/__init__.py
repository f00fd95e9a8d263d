# SPDX-License-Identifier: Apache-2.0
"""The HTML report that shows every byte of layers, images and hives, and the byte map as SVG.

Takes the layers, images and hives of views.resolve, returns the bytes of documents. Begin with report.py.
"""
