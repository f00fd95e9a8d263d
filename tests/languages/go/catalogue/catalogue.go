// SPDX-License-Identifier: Apache-2.0

// Package catalogue lists the generated layers, so that each test runs over all of them.
package catalogue

import (
	"io"

	"winscratch.example/layers/hostprocess"
	"winscratch.example/layers/legacy"
	"winscratch.example/layers/scratch"
)

// Layer is what one generated package exports; BCD is nil where the layer has no BCD store.
type Layer struct {
	Name, MediaType, DiffID, Digest string
	LayerSize, BlobSize             int64
	Tar, Blob                       string
	BCD                             func() string
	Open, OpenCompressed            func() (io.ReadCloser, error)
	Verify                          func() error
}

// Layers are all the generated layers.
var Layers = []Layer{
	{
		hostprocess.Name,
		hostprocess.MediaType,
		hostprocess.DiffID,
		hostprocess.Digest,
		hostprocess.LayerSize,
		hostprocess.BlobSize,
		hostprocess.Layer,
		hostprocess.Blob,
		nil,
		hostprocess.Open,
		hostprocess.OpenCompressed,
		hostprocess.Verify,
	},
	{
		legacy.Name,
		legacy.MediaType,
		legacy.DiffID,
		legacy.Digest,
		legacy.LayerSize,
		legacy.BlobSize,
		legacy.Layer,
		legacy.Blob,
		legacy.BCD,
		legacy.Open,
		legacy.OpenCompressed,
		legacy.Verify,
	},
	{
		scratch.Name,
		scratch.MediaType,
		scratch.DiffID,
		scratch.Digest,
		scratch.LayerSize,
		scratch.BlobSize,
		scratch.Layer,
		scratch.Blob,
		scratch.BCD,
		scratch.Open,
		scratch.OpenCompressed,
		scratch.Verify,
	},
}
