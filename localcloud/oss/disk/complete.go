package disk

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
)

// Chosen is a part as the completing client names it.
type Chosen struct {
	Number int
	ETag   string // unquoted, any case
}

// CompleteUpload makes the chosen parts, in rising order, the object's bytes; the parts' files become its chunks and
// parts not chosen are removed. Nil chooses all parts there are. Refusals: ErrNoUpload, *PartError, w.Guard's.
func (d *Disk) CompleteUpload(ctx context.Context, bucket, key, id string, chosen []Chosen, w Write) (Object, error) {
	var o Object
	var gone []removed
	err := d.index.apply(ctx, func(t *txn) (err error) {
		o, gone, err = t.complete(d, bucket, key, id, chosen, w)
		return err
	})
	if err != nil {
		return Object{}, wrap(err, "complete upload to", key)
	}
	for _, r := range gone {
		d.discard(r)
	}
	return o, nil
}

func (t *txn) complete(d *Disk, bucket, key, id string, chosen []Chosen, w Write) (Object, []removed, error) {
	u, err := t.upload(bucket, key, id)
	if err != nil {
		return Object{}, nil, err
	}
	have, err := t.parts(id)
	if err != nil {
		return Object{}, nil, err
	}
	used, spare, err := choose(have, chosen)
	if err != nil {
		return Object{}, nil, refuse(err)
	}
	o, x := assemble(u, used)
	old, err := t.replace(d, &o, x, w) // refuses before it writes
	if err != nil {
		return Object{}, nil, err
	}
	return o, append(partFiles(spare), old), t.endUpload(u)
}

// choose sorts the parts into those that make the object and the rest.
func choose(have []Part, chosen []Chosen) (used, spare []Part, err error) {
	if chosen == nil {
		return have, nil, checkSizes(have)
	}
	byNumber := map[int]Part{}
	for _, p := range have {
		byNumber[p.Number] = p
	}
	last := 0
	for _, c := range chosen {
		p, ok := byNumber[c.Number]
		switch {
		case c.Number <= last:
			return nil, nil, &PartError{PartOutOfOrder, c.Number}
		case !ok || !strings.EqualFold(p.ETag, c.ETag):
			return nil, nil, &PartError{PartMissing, c.Number}
		}
		last = c.Number
		used = append(used, p)
		delete(byNumber, c.Number)
	}
	for _, p := range byNumber {
		spare = append(spare, p)
	}
	return used, spare, checkSizes(used)
}

func checkSizes(parts []Part) error {
	if len(parts) == 0 {
		return &PartError{PartMissing, 1}
	}
	for _, p := range parts[:len(parts)-1] {
		if p.Size < MinPart {
			return &PartError{PartTooSmall, p.Number}
		}
	}
	return nil
}

// assemble is the object that the parts make.
func assemble(u Upload, parts []Part) (Object, []extent) {
	o := Object{Bucket: u.Bucket, Key: u.Key, Type: Multipart, Attrs: u.Attrs}
	sum := md5.New()
	var x []extent
	for _, p := range parts {
		o.CRC = combineCRC(o.CRC, p.CRC, p.Size)
		o.Size += p.Size
		raw, _ := hex.DecodeString(p.ETag) // our own MD5 in hex
		sum.Write(raw)
		if p.file != "" {
			x = append(x, extent{file: p.file, size: p.Size})
		}
	}
	o.ETag = fmt.Sprintf("%s-%d", upperHex(sum.Sum(nil)), len(parts))
	return o, x
}
