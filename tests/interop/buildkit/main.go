// SPDX-License-Identifier: Apache-2.0

// Command buildkit unpacks a layer for Windows as BuildKit does on Linux, with containerd's code: buildkit LAYER FOLDER.
// What is below Files lands in a directory in FOLDER, of which there must be none before.
package main

import (
	"context"
	_ "crypto/sha256" // for the digest
	"log"
	"os"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/buildkit/util/winlayers"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// file is the content store, with one blob.
type file struct{ path string }

type reader struct {
	*os.File
	size int64
}

func (r reader) Size() int64 { return r.size }

// ReaderAt opens the blob, whichever is asked for.
func (f file) ReaderAt(context.Context, ocispecs.Descriptor) (content.ReaderAt, error) {
	opened, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	info, err := opened.Stat()
	return reader{opened, info.Size()}, err
}

func main() {
	// Without mounts, the directory that they would be mounted on is unpacked into, and stays, for it is not empty.
	mount.SetTempMountLocation(os.Args[2])
	ctx := winlayers.UseWindowsLayerMode(context.Background())
	applier := winlayers.NewFileSystemApplierWithWindows(file{os.Args[1]}, nil)
	applied, err := applier.Apply(ctx, ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageLayer}, []mount.Mount{})
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.WriteString(applied.Digest.String() + "\n")
}
