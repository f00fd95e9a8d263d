// SPDX-License-Identifier: Apache-2.0

// Command kubernetes reads a manifest of a DaemonSet from standard input as strictly as the API does, which refuses
// what it does not know, and says in JSON what it comes to.
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"

	apps "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	var set apps.DaemonSet
	if err := yaml.UnmarshalStrict(data, &set); err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(set); err != nil {
		log.Fatal(err)
	}
}
