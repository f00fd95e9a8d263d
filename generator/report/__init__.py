# SPDX-License-Identifier: Apache-2.0
"""The HTML report that shows every byte of layers, images and hives, and the byte map as SVG.

Takes what views.resolve opens, returns bytes of documents. Begin with report.py. No other room but cli imports it.
"""
