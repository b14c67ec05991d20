// Package client speaks the REST API for the command line and for tests: one method that signs a request, sends it and
// turns an error answer back into the *fc.Error that it was.
//
//	c := client.New("http://127.0.0.1:8080", accessKeyID, accessKeySecret)
//	ans, err := c.Do(ctx, http.MethodGet, "/services/demo", nil, nil)
//
// It retries nothing and follows no pages.
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fcd/fc"
	"fcd/sign"
)

const basePath = "/2016-08-15"

// Extensions is the Base of fcd's own operations.
const Extensions = "/fcd/v1"

// maxAnswer bounds how much of an answer is read, in bytes.
const maxAnswer = 64 << 20

// Client holds an endpoint and an access key. The zero Token and HTTP are usable; a Client may be used concurrently.
type Client struct {
	Endpoint                     string // scheme, host and port
	AccessKeyID, AccessKeySecret string
	Token                        string       // of temporary keys; "" if none
	Base                         string       // in front of every path; "" = the API version, "/2016-08-15"
	HTTP                         *http.Client // nil = http.DefaultClient
	Header                       http.Header  // sent with every request, for example X-Fc-Log-Type
}

// Zip is a body that is a function's new code package, for UpdateFunction.
type Zip []byte

// Answer is a successful answer (status below 300).
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// New makes a Client for an endpoint like "http://127.0.0.1:8080".
func New(endpoint, accessKeyID, accessKeySecret string) *Client {
	return &Client{Endpoint: strings.TrimSuffix(endpoint, "/"), AccessKeyID: accessKeyID, AccessKeySecret: accessKeySecret}
}

// With is a copy of c that also sends the header.
func (c *Client) With(key, value string) *Client {
	d := *c
	d.Header = c.Header.Clone()
	if d.Header == nil {
		d.Header = http.Header{}
	}
	d.Header.Set(key, value)
	return &d
}

// Do sends a request to path, which stands behind the API version and is escaped where it must be, like
// "/services/demo". A nil body sends none, []byte, Zip and json.RawMessage go as they stand, anything else as JSON. A refusal is the *fc.Error
// of the daemon; any other error means that the answer is not known.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body any) (*Answer, error) {
	req, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	sign.SignFC(req, c.AccessKeyID, c.AccessKeySecret, c.Token, time.Now())
	hc := c.HTTP
	if hc == nil {
		hc = http.DefaultClient
	}
	res, err := hc.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return nil, refusal(res, b)
	}
	return &Answer{Status: res.StatusCode, Header: res.Header, Body: b}, nil
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Request, error) {
	var content io.Reader
	kind := ""
	switch b := body.(type) {
	case nil:
	case []byte:
		content, kind = bytes.NewReader(b), "application/octet-stream"
	case Zip:
		content, kind = bytes.NewReader(b), "application/zip"
	case json.RawMessage:
		content, kind = bytes.NewReader(b), "application/json"
	default:
		j, err := json.Marshal(b)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		content, kind = bytes.NewReader(j), "application/json"
	}
	target := c.Endpoint + cmp.Or(c.Base, basePath) + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return nil, err
	}
	for k, v := range c.Header {
		req.Header[k] = v
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	return req, nil
}

// refusal reads an error answer; one that is not the daemon's own becomes InternalServerError with its status.
func refusal(res *http.Response, body []byte) error {
	var e struct{ ErrorCode, ErrorMessage string }
	if json.Unmarshal(body, &e) != nil || e.ErrorCode == "" {
		return fc.Errorf(fc.InternalServerError, "unexpected answer %s", res.Status)
	}
	return fc.Errorf(fc.Code(e.ErrorCode), "%s", e.ErrorMessage)
}
