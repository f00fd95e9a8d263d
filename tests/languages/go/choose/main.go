// SPDX-License-Identifier: Apache-2.0

// Command choose prints, for each host, the entries of an image's index that containerd takes there: choose INDEX HOST…
// An entry is printed by its platform, normalized. Without hosts, all are printed.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

func main() {
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var index ocispecs.Index
	if err := json.Unmarshal(data, &index); err != nil {
		log.Fatal(err)
	}
	if len(os.Args) == 2 {
		for _, entry := range index.Manifests {
			fmt.Println(platforms.FormatAll(platforms.Normalize(*entry.Platform)))
		}
	}
	for _, host := range os.Args[2:] {
		platform, err := platforms.Parse(host)
		if err != nil {
			log.Fatal(err)
		}
		matcher := platforms.NewMatcher(platform)
		taken := []string{}
		for _, entry := range index.Manifests {
			if entry.Platform != nil && matcher.Match(*entry.Platform) {
				taken = append(taken, platforms.FormatAll(platforms.Normalize(*entry.Platform)))
			}
		}
		fmt.Println(strings.Join(append([]string{host}, taken...), " "))
	}
}
