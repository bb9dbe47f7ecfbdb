package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A tensor is one entry of a safetensors header. Offsets are in bytes from the
// end of the header.
type tensor struct {
	Dtype   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// maxTensorHeader is the limit that the format's own library has.
const maxTensorHeader = 100 << 20

// readTensors reads the header of a safetensors file of size bytes and checks
// that its tensors fill the rest of the file exactly.
func readTensors(r io.Reader, size int64) (map[string]tensor, error) {
	var n uint64
	if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	if n > maxTensorHeader || int64(n) > size-8 {
		return nil, fmt.Errorf("safetensors header of %d bytes in a file of %d", n, size)
	}
	raw := make([]byte, n)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	delete(entries, "__metadata__")
	tensors := make(map[string]tensor, len(entries))
	for name, e := range entries {
		var t tensor
		if err := json.Unmarshal(e, &t); err != nil {
			return nil, fmt.Errorf("safetensors header, %s: %w", name, err)
		}
		tensors[name] = t
	}
	return tensors, checkTensors(tensors, size-8-int64(n))
}

func checkTensors(tensors map[string]tensor, data int64) error {
	all := make([]tensor, 0, len(tensors))
	for _, t := range tensors {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b tensor) int { return int(a.Offsets[0] - b.Offsets[0]) })
	var end int64
	for _, t := range all {
		if t.Offsets[0] != end || t.Offsets[1] < end {
			return errors.New("safetensors: the tensors leave a gap or overlap")
		}
		end = t.Offsets[1]
	}
	if end != data {
		return fmt.Errorf("safetensors: %d bytes of tensors in %d bytes of data", end, data)
	}
	return nil
}

// A namedTensor is written by writeTensors: 32-bit floats, Shape of them.
type namedTensor struct {
	Name  string
	Shape []int
	Data  func(i int) float32
}

func (t namedTensor) len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// writeTensors makes a safetensors file.
func writeTensors(tensors []namedTensor) []byte {
	var header, data bytes.Buffer
	header.WriteString(`{"__metadata__":{"format":"pt"}`)
	for _, t := range tensors {
		begin := int64(data.Len())
		for i := range t.len() {
			binary.Write(&data, binary.LittleEndian, t.Data(i))
		}
		entry, _ := json.Marshal(tensor{"F32", t.Shape, [2]int64{begin, int64(data.Len())}})
		fmt.Fprintf(&header, ",%q:%s", t.Name, entry)
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 {
		header.WriteByte(' ') // data starts aligned
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(header.Len()))
	return append(append(out, header.Bytes()...), data.Bytes()...)
}
