// SPDX-License-Identifier: Apache-2.0

module winscratch.example/hostprocess

go 1.22
