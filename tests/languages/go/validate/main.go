// SPDX-License-Identifier: Apache-2.0

// Command validate checks an OCI layout as crane validate --fast does, and each layer's bytes against its diff ID.
// Without --fast, crane takes every layer for gzip.
package main

import (
	"log"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func main() {
	index := must(layout.ImageIndexFromPath(os.Args[1]))
	if err := validate.Index(index, validate.Fast); err != nil {
		log.Fatal(err)
	}
	for _, descriptor := range must(index.IndexManifest()).Manifests {
		image := must(index.Image(descriptor.Digest))
		config := must(image.ConfigFile())
		for i, layer := range must(image.Layers()) {
			reader := must(layer.Uncompressed())
			found, _, err := v1.SHA256(reader)
			if err != nil {
				log.Fatal(err)
			}
			if wanted := config.RootFS.DiffIDs[i]; found != wanted {
				log.Fatalf("layer %d: diff ID is %s, not %s", i, found, wanted)
			}
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
