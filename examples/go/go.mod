// SPDX-License-Identifier: Apache-2.0

module winscratch.example/examples

go 1.25.0

require winscratch.example/layers v0.0.0

require (
	github.com/google/go-containerregistry v0.22.1
	github.com/klauspost/compress v1.19.2 // indirect
	github.com/opencontainers/go-digest v1.0.0
	github.com/opencontainers/image-spec v1.1.1
	golang.org/x/sync v0.22.0 // indirect
)

replace winscratch.example/layers => ../../output/go
