// SPDX-License-Identifier: Apache-2.0

// Program patterns says which paths a .dockerignore leaves out, by the code that Docker and BuildKit share.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

type question struct {
	File  string   `json:"file"`
	Paths []string `json:"paths"`
}

// answer returns whether each path is left out, or nil where the file is refused.
func (q question) answer() []bool {
	patterns, err := ignorefile.ReadAll(strings.NewReader(q.File))
	if err != nil {
		return nil
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return nil
	}
	out := []bool{}
	for _, path := range q.Paths {
		matched, err := matcher.MatchesOrParentMatches(path)
		if err != nil {
			return nil
		}
		out = append(out, matched)
	}
	return out
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		log.Fatal(err)
	}
	answers := make([][]bool, len(questions))
	for i, q := range questions {
		answers[i] = q.answer()
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}
