// Package frame reads and writes the messages of the engine pipe (docs/formats.md, "Engine pipe"):
// 4 bytes big-endian length, then JSON.
package frame

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Max is the length of the longest frame.
const Max = 64 << 20

// step bounds how much memory a frame that only announces a length can cost.
const step = 1 << 20

// ErrTooLong is returned for a frame longer than Max, in either direction.
var ErrTooLong = errors.New("frame of more than 64 MiB")

// Read returns the JSON of the next frame. io.EOF: the other side closed between two frames.
func Read(from io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("frame cut in its length: %w", err)
		}
		return nil, err
	}
	left := int(binary.BigEndian.Uint32(head[:]))
	if left > Max {
		return nil, ErrTooLong
	}
	body := make([]byte, 0, min(left, step))
	for left > 0 {
		more := min(left, step)
		body = append(body, make([]byte, more)...)
		if _, err := io.ReadFull(from, body[len(body)-more:]); err != nil {
			return nil, fmt.Errorf("frame cut in its body: %w", io.ErrUnexpectedEOF)
		}
		left -= more
	}
	return body, nil
}

// Write sends one value as a frame, in one call of Write.
func Write(to io.Writer, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if len(body) > Max {
		return ErrTooLong
	}
	bytes := make([]byte, 4, 4+len(body))
	binary.BigEndian.PutUint32(bytes, uint32(len(body)))
	_, err = to.Write(append(bytes, body...))
	return err
}
