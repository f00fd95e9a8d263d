// SPDX-License-Identifier: Apache-2.0

// Command documents says of each document of an image whether clients can decode it, and what they decode of it.
//
// It reads lines of a kind, a space and the document in base64 from standard input, and writes a line for each: "ok" and
// the operating system, architecture, digests or the like as JSON, or "refused" and the reason.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	crane "github.com/google/go-containerregistry/pkg/v1"
	docker "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	oci "github.com/opencontainers/image-spec/specs-go/v1"
)

// dockerConfig has the fields that Docker's daemon decodes of a configuration, and the image specification lacks.
type dockerConfig struct {
	ID              string            `json:"id"`
	Parent          string            `json:"parent"`
	Comment         string            `json:"comment"`
	Container       string            `json:"container"`
	ContainerConfig dockerContainer   `json:"container_config"`
	DockerVersion   string            `json:"docker_version"`
	Config          dockerContainer   `json:"config"`
	History         []json.RawMessage `json:"history"`
}

// dockerContainer is github.com/moby/moby api/types/container Config: crane has a copy of it, of an older release.
type dockerContainer struct {
	crane.Config
	Healthcheck *docker.HealthcheckConfig `json:",omitempty"`
	StopTimeout *int                      `json:",omitempty"`
}

// dockerList is github.com/distribution/distribution manifest/manifestlist, as far as it has fields of its own.
type dockerList struct {
	Manifests []struct {
		Platform struct {
			Features []string `json:"features,omitempty"`
		} `json:"platform"`
	} `json:"manifests"`
}

// saved is github.com/moby/moby image/tarexport manifestItem.
type saved struct {
	Config       string
	RepoTags     []string
	Layers       []string
	Parent       string                           `json:",omitempty"`
	LayerSources map[digest.Digest]oci.Descriptor `json:",omitempty"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	for in.Scan() {
		kind, text, _ := strings.Cut(in.Text(), " ")
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			log.Fatal(err)
		}
		told, err := decode(kind, data)
		if err != nil {
			fmt.Fprintf(out, "refused %q\n", err)
			continue
		}
		encoded, err := json.Marshal(told)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprintf(out, "ok %s\n", encoded)
	}
	if err := in.Err(); err != nil {
		log.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

// decode decodes a document into each client's types, and returns some of what one has then.
func decode(kind string, data []byte) (any, error) {
	switch kind {
	case "layout":
		var layout oci.ImageLayout
		return &layout, unmarshal(data, &layout)
	case "index":
		var index oci.Index
		err := unmarshal(data, &index, new(dockerList))
		return []any{index.SchemaVersion, index.MediaType, digests(index.Manifests)}, err
	case "manifest":
		var manifest oci.Manifest
		err := unmarshal(data, &manifest)
		return []any{manifest.MediaType, manifest.Config.Digest, manifest.Config.Size, digests(manifest.Layers)}, err
	case "config":
		var image oci.Image
		err := unmarshal(data, &image, new(docker.DockerOCIImage), new(dockerConfig))
		return []any{image.OS, image.Architecture, image.OSVersion, image.RootFS.Type, image.RootFS.DiffIDs}, err
	case "saved":
		var images []saved
		err := unmarshal(data, &images)
		paths := []any{}
		for _, image := range images {
			paths = append(paths, []any{image.Config, image.Layers})
		}
		return paths, err
	}
	return nil, fmt.Errorf("no such kind as %s", kind)
}

func unmarshal(data []byte, into ...any) error {
	for _, each := range into {
		if err := json.Unmarshal(data, each); err != nil {
			return err
		}
	}
	return nil
}

func digests(descriptors []oci.Descriptor) []any {
	found := []any{}
	for _, each := range descriptors {
		found = append(found, []any{each.Digest, each.Size, each.MediaType})
	}
	return found
}
