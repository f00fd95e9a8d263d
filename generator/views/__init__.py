# SPDX-License-Identifier: Apache-2.0
"""Views of what is in layers, hives and images: everything is read by hives, oci and security, and only shown here."""
