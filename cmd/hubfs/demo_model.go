package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// The demo's model: a GPT-2 of four small layers over single bytes, with
// random weights. Small, but complete: transformers loads and runs it.
const (
	demoLayers  = 4
	demoWidth   = 128
	demoHeads   = 4
	demoContext = 256
	demoVocab   = 257 // every byte, and the end of the text
	demoEnd     = "<|endoftext|>"
)

func demoModel() map[string]string {
	return map[string]string{
		"README.md": `---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
---
# A tiny GPT-2

Four layers, random weights, one token per byte. It writes nonsense, quickly.
`,
		"config.json": asJSON(map[string]any{
			"architectures": []string{"GPT2LMHeadModel"}, "model_type": "gpt2",
			"n_layer": demoLayers, "n_embd": demoWidth, "n_head": demoHeads,
			"n_positions": demoContext, "n_ctx": demoContext, "vocab_size": demoVocab,
			"activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "initializer_range": 0.02,
			"bos_token_id": demoVocab - 1, "eos_token_id": demoVocab - 1, "torch_dtype": "float32",
		}),
		"generation_config.json": asJSON(map[string]any{
			"bos_token_id": demoVocab - 1, "eos_token_id": demoVocab - 1,
		}),
		"tokenizer.json": demoTokenizer(),
		"tokenizer_config.json": asJSON(map[string]any{
			"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": demoContext,
			"bos_token": demoEnd, "eos_token": demoEnd, "unk_token": demoEnd,
		}),
		"special_tokens_map.json": asJSON(map[string]any{
			"bos_token": demoEnd, "eos_token": demoEnd, "unk_token": demoEnd,
		}),
		"model.safetensors": string(writeTensors(demoTensors())),
	}
}

// demoTensors are the same in every run.
func demoTensors() []namedTensor {
	random := rand.New(rand.NewPCG(1, 2))
	normal := func(int) float32 { return float32(random.NormFloat64() * 0.02) }
	zero := func(int) float32 { return 0 }
	one := func(int) float32 { return 1 }

	const w = demoWidth
	out := []namedTensor{
		{"transformer.wte.weight", []int{demoVocab, w}, normal},
		{"transformer.wpe.weight", []int{demoContext, w}, normal},
	}
	for layer := range demoLayers {
		p := fmt.Sprintf("transformer.h.%d.", layer)
		out = append(out,
			namedTensor{p + "ln_1.weight", []int{w}, one},
			namedTensor{p + "ln_1.bias", []int{w}, zero},
			namedTensor{p + "attn.c_attn.weight", []int{w, 3 * w}, normal},
			namedTensor{p + "attn.c_attn.bias", []int{3 * w}, zero},
			namedTensor{p + "attn.c_proj.weight", []int{w, w}, normal},
			namedTensor{p + "attn.c_proj.bias", []int{w}, zero},
			namedTensor{p + "ln_2.weight", []int{w}, one},
			namedTensor{p + "ln_2.bias", []int{w}, zero},
			namedTensor{p + "mlp.c_fc.weight", []int{w, 4 * w}, normal},
			namedTensor{p + "mlp.c_fc.bias", []int{4 * w}, zero},
			namedTensor{p + "mlp.c_proj.weight", []int{4 * w, w}, normal},
			namedTensor{p + "mlp.c_proj.bias", []int{w}, zero},
		)
	}
	return append(out,
		namedTensor{"transformer.ln_f.weight", []int{w}, one},
		namedTensor{"transformer.ln_f.bias", []int{w}, zero},
	)
}

// demoTokenizer is a byte-level BPE without merges.
func demoTokenizer() string {
	vocab := map[string]int{demoEnd: demoVocab - 1}
	for id, letter := range byteLetters() {
		vocab[string(letter)] = id
	}
	level := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	return asJSON(map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil, "normalizer": nil,
		"added_tokens": []any{map[string]any{
			"id": demoVocab - 1, "content": demoEnd, "special": true,
			"single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
		}},
		"pre_tokenizer": level, "post_processor": level, "decoder": level,
		"model": map[string]any{
			"type": "BPE", "dropout": nil, "unk_token": nil,
			"continuing_subword_prefix": "", "end_of_word_suffix": "",
			"fuse_unk": false, "byte_fallback": false,
			"vocab": vocab, "merges": []string{},
		},
	})
}

// byteLetters are the letters that byte-level tokenizers write bytes as:
// printable Latin-1 stands for itself, the rest starts at U+0100.
func byteLetters() []rune {
	var out []rune
	next := rune(0x100)
	for b := range rune(256) {
		if '!' <= b && b <= '~' || 0xA1 <= b && b <= 0xAC || 0xAE <= b && b <= 0xFF {
			out = append(out, b)
			continue
		}
		out = append(out, next)
		next++
	}
	return out
}

func asJSON(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // literals of this file
	}
	return string(b) + "\n"
}
