// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"winscratch.example/tests/catalogue"
)

// ready is a layer as the client pushes it, with nothing left to compute: all that it asks is a constant.
type ready struct{ layer catalogue.Layer }

var _ v1.Layer = ready{}

func (r ready) Digest() (v1.Hash, error)             { return hash(r.layer.Digest), nil }
func (r ready) DiffID() (v1.Hash, error)             { return hash(r.layer.DiffID), nil }
func (r ready) Size() (int64, error)                 { return r.layer.BlobSize, nil }
func (r ready) MediaType() (types.MediaType, error)  { return types.MediaType(r.layer.MediaType), nil }
func (r ready) Compressed() (io.ReadCloser, error)   { return r.layer.OpenCompressed() }
func (r ready) Uncompressed() (io.ReadCloser, error) { return r.layer.Open() }

func hash(digest string) v1.Hash {
	algorithm, hex, _ := strings.Cut(digest, ":")
	return v1.Hash{Algorithm: algorithm, Hex: hex}
}
