package listing

import (
	"context"
	"fmt"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

// maxPage is the most keys that one answer holds.
const maxPage = 1000

// SDK lists by the client of Object Storage, version 2 of the request.
type SDK struct {
	Bucket *oss.Bucket
	Page   int // keys of an answer; 0: the most there can be
}

// List asks for one page.
func (s SDK) List(ctx context.Context, prefix, after, next string) (Page, error) {
	size := s.Page
	if size == 0 {
		size = maxPage
	}
	options := []oss.Option{oss.WithContext(ctx), oss.MaxKeys(size), oss.Prefix(prefix)}
	if after != "" {
		options = append(options, oss.StartAfter(after))
	}
	if next != "" {
		options = append(options, oss.ContinuationToken(next))
	}
	res, err := s.Bucket.ListObjectsV2(options...)
	if err != nil {
		return Page{}, err
	}
	if res.Prefix != prefix || res.IsTruncated && (res.NextContinuationToken == "" || res.NextContinuationToken == next) {
		// What it leaves out would count as removed.
		return Page{}, fmt.Errorf("the answer is no listing of '%s', or does not say where it goes on", prefix)
	}
	page := Page{Objects: make([]Object, len(res.Objects))}
	for i, o := range res.Objects {
		page.Objects[i] = Object{Key: o.Key, ETag: trimQuotes(o.ETag), Size: o.Size, Modified: o.LastModified, Type: o.Type}
	}
	if res.IsTruncated {
		page.Next = res.NextContinuationToken
	}
	return page, nil
}

func trimQuotes(s string) string {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}
