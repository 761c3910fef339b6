package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	var pipe bytes.Buffer
	for _, value := range []string{"", "one", strings.Repeat("x", 3<<20)} {
		if err := Write(&pipe, value); err != nil {
			t.Fatal(err)
		}
		body, err := Read(&pipe)
		if err != nil || string(body) != `"`+value+`"` {
			t.Fatalf("%d bytes came back as %d, %v", len(value), len(body), err)
		}
	}
	if _, err := Read(&pipe); err != io.EOF {
		t.Fatalf("the end is %v, want io.EOF", err)
	}
}

func TestABadFrameIsAnError(t *testing.T) {
	long := binary.BigEndian.AppendUint32(nil, Max+1)
	if _, err := Read(bytes.NewReader(long)); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
	for _, cut := range []string{"\x00", "\x00\x00\x00", "\x00\x00\x00\x02", "\x00\x00\x00\x02{"} {
		if _, err := Read(strings.NewReader(cut)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v", cut, err)
		}
	}
	if err := Write(io.Discard, strings.Repeat("x", Max)); !errors.Is(err, ErrTooLong) {
		t.Errorf("writing too much: %v", err)
	}
}

// An announced length must not cost its memory before the bytes are there.
func TestALengthAloneCostsLittle(t *testing.T) {
	head := binary.BigEndian.AppendUint32(nil, Max)
	result := testing.Benchmark(func(b *testing.B) {
		for range b.N {
			_, _ = Read(bytes.NewReader(head))
		}
	})
	if perCall := result.AllocedBytesPerOp(); perCall > 4<<20 {
		t.Errorf("%d bytes for a frame that never came", perCall)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x00\x02{}"))
	f.Add([]byte("\x00\x00\x00\x02{}\x00\x00\x00\x00"))
	f.Add([]byte("\xff\xff\xff\xff{}"))
	f.Add([]byte("\x00\x00\x00\x09{\"v\":1}"))
	f.Add([]byte("\x00\x10\x00\x01" + strings.Repeat("a", 100)))
	f.Fuzz(func(t *testing.T, input []byte) {
		from := bytes.NewReader(input)
		taken := 0
		for {
			body, err := Read(from)
			if err != nil {
				break
			}
			taken += 4 + len(body)
			if taken != len(input)-from.Len() {
				t.Fatalf("took %d bytes, said %d", len(input)-from.Len(), taken)
			}
		}
		if taken > len(input) {
			t.Fatalf("made %d bytes of %d", taken, len(input))
		}
	})
}
