package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
)

func demoDataset() map[string]string {
	var lines strings.Builder
	var table strings.Builder
	w := csv.NewWriter(&table)
	w.Write([]string{"id", "language", "text"})
	greetings := []struct{ Language, Word string }{
		{"en", "Hello"}, {"fr", "Bonjour"}, {"de", "Guten Tag"}, {"es", "Hola"}, {"sw", "Habari"}, {"ja", "こんにちは"},
	}
	for i := range 600 {
		g := greetings[i%len(greetings)]
		text := fmt.Sprintf("%s, reader %d!", g.Word, i)
		row, _ := json.Marshal(map[string]any{"id": i, "language": g.Language, "text": text})
		lines.Write(append(row, '\n'))
		w.Write([]string{fmt.Sprint(i), g.Language, text})
	}
	w.Flush()
	return map[string]string{
		"README.md": `---
license: apache-2.0
task_categories: [text-classification]
language: [en, fr, de, es, sw, ja]
---
# Greetings

600 greetings in six languages, as JSON lines and as a table.
`,
		"data/train.jsonl": lines.String(),
		"data/train.csv":   table.String(),
	}
}

func demoSpace() map[string]string {
	return map[string]string{
		"README.md": `---
title: Hello
emoji: 👋
sdk: static
---
A page that greets.
`,
		"index.html": `<!doctype html>
<html>
<head><meta charset="utf-8"><title>Hello</title><link rel="stylesheet" href="style.css"></head>
<body><h1>Hello from a Space</h1></body>
</html>
`,
		"style.css": "body { font-family: sans-serif; margin: 4em; }\n",
	}
}
