// SPDX-License-Identifier: Apache-2.0

package main

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	// A placeholder: import it from your own module, by the path of the folder that you vendored it into.
	"winscratch.example/layers/scratch"
)

// base returns the vendored layer, whose blob is pushed as it is, under scratch.Digest.
func base() (v1.Layer, error) {
	if err := scratch.Verify(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(scratch.OpenCompressed, tarball.WithMediaType(types.MediaType(scratch.MediaType)))
}
