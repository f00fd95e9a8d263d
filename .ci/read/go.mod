// SPDX-License-Identifier: Apache-2.0

module winscratch.example/read

go 1.22
