package daemon

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/fc"
)

// objects reads code packages from OSS, the embedded one or a real one, by the real SDK.
type objects struct{ client *oss.Client }

// Open opens an object. A bucket or object that is not there, or may not be read, is the caller's mistake; a service that
// does not answer, or fails, is not, and may be better at the next try. What is read is held against the length and the
// checksum that came with it: half an object, or another one, is an error in place of the end.
func (o objects) Open(ctx context.Context, bucket, object string) (io.ReadCloser, int64, error) {
	b, err := o.client.Bucket(bucket)
	if err != nil {
		return nil, 0, fc.Errorf(fc.InvalidArgument, "OssBucketName is set to an invalid value: %v", err)
	}
	var header http.Header
	body, err := b.GetObject(object, oss.WithContext(ctx), oss.GetResponseHeader(&header))
	if err != nil {
		return nil, 0, refused(bucket, object, err)
	}
	size, err := strconv.ParseInt(header.Get(oss.HTTPHeaderContentLength), 10, 64)
	if err != nil {
		size = -1
	}
	return &checked{ReadCloser: body, name: "oss://" + bucket + "/" + object, size: size,
		want: header.Get(oss.HTTPHeaderOssCRC64), sum: crc64.New(crc64.MakeTable(crc64.ECMA))}, size, nil
}

func refused(bucket, object string, err error) error {
	var e oss.ServiceError
	if errors.As(err, &e) && e.StatusCode < http.StatusInternalServerError && e.StatusCode != http.StatusTooManyRequests {
		return fc.Errorf(fc.InvalidArgument, "code package oss://%s/%s cannot be read: %s: %s", bucket, object, e.Code, e.Message)
	}
	return notNow("oss://"+bucket+"/"+object, err)
}

// notNow is the answer where the object storage is at fault.
func notNow(name string, err error) error {
	return &fc.Error{Code: fc.ResourceThrottled, Op: "daemon.objects",
		Message: fmt.Sprintf("code package %s cannot be read now: the object storage does not give it. Please retry.", name), Err: fmt.Errorf("%s: %w", name, err)}
}

// checked is the body of an object.
type checked struct {
	io.ReadCloser
	name string
	size int64  // -1: not told
	want string // CRC-64 in decimal, "" where it was not told
	sum  hash.Hash64
	read int64
}

func (c *checked) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.sum.Write(b[:n])
	c.read += int64(n)
	switch got := strconv.FormatUint(c.sum.Sum64(), 10); {
	case err == nil:
	case err != io.EOF:
		err = notNow(c.name, err)
	case c.size >= 0 && c.read != c.size:
		err = notNow(c.name, fmt.Errorf("%d of %d bytes: %w", c.read, c.size, io.ErrUnexpectedEOF))
	case c.want != "" && c.want != got:
		err = notNow(c.name, fmt.Errorf("its checksum is %s, not %s", got, c.want))
	}
	return n, err
}
