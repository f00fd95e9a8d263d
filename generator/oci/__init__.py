# SPDX-License-Identifier: Apache-2.0
"""What an OCI image stores: the layer's tar and its gzip blob."""
