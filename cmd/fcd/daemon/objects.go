package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/fc"
)

// objects reads code packages from OSS, the embedded one or a real one, by the real SDK.
type objects struct{ client *oss.Client }

// Open opens an object. A bucket or object that is not there, or may not be read, is the caller's mistake.
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
	return body, size, nil
}

func refused(bucket, object string, err error) error {
	var e oss.ServiceError
	if errors.As(err, &e) && e.StatusCode < 500 {
		return fc.Errorf(fc.InvalidArgument, "code package oss://%s/%s cannot be read: %s: %s", bucket, object, e.Code, e.Message)
	}
	return fc.Internal("daemon.objects", fmt.Errorf("oss://%s/%s: %w", bucket, object, err))
}
