// SPDX-License-Identifier: GPL-2.0-or-later

// The documents of a file read and written again, without a change: the least that an injector in Go costs.
package main

import (
	"bytes"
	"encoding/json"
	"os"

	"sigs.k8s.io/yaml"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	must(err)
	for i, document := range bytes.Split(text, []byte("---\n")) {
		var value any
		if document[0] == '{' {
			must(json.Unmarshal(document, &value))
			document, err = json.Marshal(value)
		} else {
			must(yaml.Unmarshal(document, &value))
			document, err = yaml.Marshal(value)
		}
		must(err)
		if i > 0 {
			os.Stdout.WriteString("---\n")
		}
		os.Stdout.Write(document)
	}
}
