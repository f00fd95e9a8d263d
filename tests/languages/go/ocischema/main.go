// SPDX-License-Identifier: Apache-2.0

// Command ocischema checks each document of an OCI layout with the JSON schemas of the image specification.
package main

import (
	"bytes"
	"encoding/json"
	"log"
	"os"
	"path/filepath"

	"github.com/opencontainers/image-spec/schema"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func main() {
	folder := os.Args[1]
	check(filepath.Join(folder, v1.ImageLayoutFile), schema.ValidatorMediaTypeLayoutHeader)
	walk(folder, check(filepath.Join(folder, v1.ImageIndexFile), schema.ValidatorMediaTypeImageIndex))
}

// walk checks all that a document, which is an index or a manifest, points at.
func walk(folder string, document []byte) {
	var found struct {
		Manifests []v1.Descriptor
		Config    *v1.Descriptor
	}
	if err := json.Unmarshal(document, &found); err != nil {
		log.Fatal(err)
	}
	if found.Config != nil {
		found.Manifests = append(found.Manifests, *found.Config)
	}
	for _, each := range found.Manifests {
		path := filepath.Join(folder, v1.ImageBlobsDir, each.Digest.Algorithm().String(), each.Digest.Encoded())
		data := check(path, schema.Validator(each.MediaType))
		if each.MediaType != v1.MediaTypeImageConfig {
			walk(folder, data)
		}
	}
}

// check returns a document that its schema finds right.
func check(path string, validator schema.Validator) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	if err := validator.Validate(bytes.NewReader(data)); err != nil {
		log.Fatalf("%s: %s: %v", path, validator, err)
	}
	return data
}
