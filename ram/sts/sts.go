// Package sts asks the cloud's Security Token Service for temporary credentials of a real role, so that functions can use
// the real cloud. It is a client of one call, AssumeRole of the version 2015-04-01, signed by version 1.0.
//
//	c, err := sts.New(sts.Options{Endpoint: "https://sts.cn-shanghai.aliyuncs.com", AccessKeyID: id, AccessKeySecret: secret})
//	keys, err := c.AssumeRole(ctx, "acs:ram::123456:role/resize", "fcd", time.Hour)
//
// The key is a RAM user's of the operator, who must make the real role trust it: roles of functions in the cloud trust
// fc.aliyuncs.com alone. Nothing is cached or retried here; package ram does that.
package sts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"fcd/fc"
	"fcd/sign"
)

const (
	version = "2015-04-01"
	// minLife and maxLife bound DurationSeconds; more than an hour only where the role itself allows it.
	minLife, maxLife = 15 * time.Minute, 12 * time.Hour
	maxAnswer        = 64 << 10 // bytes
)

// Options say where STS is and who asks. All but HTTP and Now are required.
type Options struct {
	Endpoint                     string // scheme and host
	AccessKeyID, AccessKeySecret string
	HTTP                         *http.Client     // nil: one that follows no redirects
	Now                          func() time.Time // nil: time.Now
}

// Client calls STS. It is safe for concurrent use.
type Client struct{ o Options }

// New checks the options.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.Endpoint)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "":
		return nil, fmt.Errorf("sts: endpoint %q is not a URL of scheme and host", o.Endpoint)
	case o.AccessKeyID == "" || o.AccessKeySecret == "":
		return nil, errors.New("sts: an access key and its secret are required")
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 30 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Endpoint = strings.TrimSuffix(o.Endpoint, "/") + "/"
	return &Client{o}, nil
}

// Error is a refusal of STS.
type Error struct{ Code, Message, RequestID string }

func (e *Error) Error() string {
	return fmt.Sprintf("sts: %s: %s (request %s)", e.Code, e.Message, e.RequestID)
}

// AssumeRole gets credentials of a role that hold for life, rounded to seconds and brought into 15 minutes to 12 hours. A
// refusal is an *Error.
func (c *Client) AssumeRole(ctx context.Context, roleARN, session string, life time.Duration) (fc.Credentials, error) {
	form := c.form(url.Values{"RoleArn": {roleARN}, "RoleSessionName": {session},
		"DurationSeconds": {strconv.Itoa(int(min(max(life, minLife), maxLife).Seconds()))}})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.o.Endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return fc.Credentials{}, fmt.Errorf("sts: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.o.HTTP.Do(req)
	if err != nil {
		return fc.Credentials{}, fmt.Errorf("sts: %w", err) // names the endpoint; the form is in the body
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fc.Credentials{}, fmt.Errorf("sts: read the answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fc.Credentials{}, refusal(res.Status, body)
	}
	return parse(body)
}

// form completes the parameters of a call and signs them.
func (c *Client) form(f url.Values) url.Values {
	for k, v := range map[string]string{
		"Action": "AssumeRole", "Version": version, "Format": "JSON", "AccessKeyId": c.o.AccessKeyID,
		"SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "SignatureNonce": uuid.NewString(),
		"Timestamp": c.o.Now().UTC().Format("2006-01-02T15:04:05Z"),
	} {
		f.Set(k, v)
	}
	f.Set("Signature", sign.SignRPC(http.MethodPost, f, c.o.AccessKeySecret))
	return f
}

// refusal reads an error answer. What is no JSON of STS is told by its status alone: it may be anybody's.
func refusal(status string, body []byte) error {
	var e struct {
		Code, Message string
		RequestID     string `json:"RequestId"`
	}
	if json.Unmarshal(body, &e) != nil || e.Code == "" {
		return fmt.Errorf("sts: answered %s", status)
	}
	return &Error{e.Code, e.Message, e.RequestID}
}

// parse reads the credentials of an answer, all of which must be there. Its errors show nothing of it.
func parse(body []byte) (fc.Credentials, error) {
	var a struct {
		Credentials struct {
			AccessKeyID     string `json:"AccessKeyId"`
			AccessKeySecret string
			SecurityToken   string
			Expiration      time.Time
		}
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&a); err != nil {
		return fc.Credentials{}, errors.New("sts: the answer is not JSON of the documented form")
	}
	got := a.Credentials
	if got.AccessKeyID == "" || got.AccessKeySecret == "" || got.SecurityToken == "" || got.Expiration.IsZero() {
		return fc.Credentials{}, errors.New("sts: the answer lacks a key, its secret, the token or their expiration")
	}
	return fc.Credentials{AccessKeyID: got.AccessKeyID, AccessKeySecret: got.AccessKeySecret, SecurityToken: got.SecurityToken,
		Expiration: got.Expiration.UTC()}, nil
}
