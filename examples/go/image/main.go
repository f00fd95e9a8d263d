// SPDX-License-Identifier: Apache-2.0

// Command image makes an image of a folder, for HostProcess containers, as an OCI layout: go run ./image FOLDER LAYOUT
// The image names no program to start: that is up to the pod.
package main

import (
	"cmp"
	"encoding/json"
	"log"
	"os"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"winscratch.example/layers/files" // placeholders: import both from where you vendored them
	"winscratch.example/layers/hostprocess"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: image FOLDER LAYOUT")
	}
	layout, blobs, next := os.Args[2], os.Args[2]+"/blobs/sha256/", os.Args[2]+"/blobs/sha256/new"
	check(os.Mkdir(layout, 0o755))
	check(os.MkdirAll(blobs, 0o755), os.WriteFile(next, []byte(hostprocess.Blob), 0o644))
	base := add(blobs, hostprocess.MediaType)
	out := must(os.Create(next))
	layer := files.NewWriter(out, files.Options{})
	check(layer.AddFS("", os.DirFS(os.Args[1]), files.Tree{}), layer.Close(), out.Close())
	top := add(blobs, v1.MediaTypeImageLayer)
	platform, version := v1.Platform{Architecture: "amd64", OS: "windows"}, specs.Versioned{SchemaVersion: 2}
	rootFS := v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{hostprocess.DiffID, top.Digest}}
	write(next, v1.Image{Platform: platform, RootFS: rootFS})
	config, layers := add(blobs, v1.MediaTypeImageConfig), []v1.Descriptor{base, top}
	write(next, v1.Manifest{Versioned: version, MediaType: v1.MediaTypeImageManifest, Config: config, Layers: layers})
	image := []v1.Descriptor{add(blobs, v1.MediaTypeImageManifest)}
	image[0].Platform, image[0].Annotations = &platform, map[string]string{v1.AnnotationRefName: "latest"}
	write(layout+"/oci-layout", v1.ImageLayout{Version: v1.ImageLayoutVersion})
	write(layout+"/index.json", v1.Index{Versioned: version, MediaType: v1.MediaTypeImageIndex, Manifests: image})
}

// write writes a value as JSON, in the form that docs/layer-format.md asks for.
func write(path string, value any) { check(os.WriteFile(path, must(json.Marshal(value)), 0o644)) }

// add makes the file new a blob, whose name is its digest, and returns what points to it.
func add(blobs, mediaType string) v1.Descriptor {
	file := must(os.Open(blobs + "new"))
	blob := v1.Descriptor{MediaType: mediaType, Digest: must(digest.FromReader(file)), Size: must(file.Stat()).Size()}
	check(file.Close(), os.Rename(blobs+"new", blobs+blob.Digest.Encoded()))
	return blob
}

func must[T any](value T, err error) T { check(err); return value }

func check(errs ...error) {
	if err := cmp.Or(errs...); err != nil {
		log.Fatal(err)
	}
}
