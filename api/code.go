package api

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"fcd/fc"
)

// codeBody names a code package: its bytes, or an object that holds them.
type codeBody struct {
	ZipFile       *base64Bytes `json:"zipFile"`
	OSSBucketName *string      `json:"ossBucketName"`
	OSSObjectName *string      `json:"ossObjectName"`

	stream io.Reader // the package itself, still to be read; nil: it is one of the above
}

// given tells whether there is anything in it; empty values count as absent.
func (b *codeBody) given() bool {
	return b != nil && (b.stream != nil || len(value(b.ZipFile)) > 0 || value(b.OSSBucketName) != "" || value(b.OSSObjectName) != "")
}

// validate checks that exactly one of the two forms was sent, or none where that is allowed.
func (b *codeBody) validate(required bool) error {
	switch {
	case !b.given() && required:
		return fc.MissingField("Code")
	case !b.given() || b.stream != nil:
		return nil
	}
	inline, bucket, object := len(value(b.ZipFile)) > 0, value(b.OSSBucketName), value(b.OSSObjectName)
	switch {
	case inline && (bucket != "" || object != ""):
		return fc.InvalidField("Code", "zipFile | ossBucketName and ossObjectName", "both")
	case !inline && bucket == "":
		return fc.MissingField("Code.OssBucketName")
	case !inline && object == "":
		return fc.MissingField("Code.OssObjectName")
	}
	return nil
}

// takeCode puts the package into the package store and names it in f. A checksum that the client sent must be that of
// the package. before is the sum of the package that it replaces.
func (a *API) takeCode(c *call, b *codeBody, f *fc.Function, before string) error {
	r, err := a.openCode(c, b)
	if err != nil {
		return err
	}
	defer r.Close()
	p, err := a.o.Packages.Put(c.Context(), r, before)
	if err != nil {
		return err
	}
	if want := c.Header.Get(headerCodeChecksum); want != "" && want != p.CRC64 {
		return fc.Errorf(fc.InvalidArgument, "the code's checksum is %s, but the header %s says '%s'",
			p.CRC64, headerCodeChecksum, want)
	}
	f.CodeSHA256, f.CodeChecksum, f.CodeSize = p.SHA256, p.CRC64, p.Size
	return nil
}

func (a *API) openCode(c *call, b *codeBody) (io.ReadCloser, error) {
	if b.stream != nil {
		return io.NopCloser(b.stream), nil
	}
	if zip := value(b.ZipFile); len(zip) > 0 {
		return io.NopCloser(bytes.NewReader(zip)), nil
	}
	if a.o.Objects == nil {
		return nil, fc.Errorf(fc.InvalidArgument, "no object storage is configured to read code from")
	}
	r, size, err := a.o.Objects.Open(c.Context(), *b.OSSBucketName, *b.OSSObjectName)
	if err != nil {
		return nil, err
	}
	if size > a.o.Limits.MaxCodeZipBytes {
		r.Close()
		return nil, fc.Errorf(fc.InvalidArgument, "object '%s' in bucket '%s' has %d bytes, a code package at most %d",
			*b.OSSObjectName, *b.OSSBucketName, size, a.o.Limits.MaxCodeZipBytes)
	}
	return r, nil
}

func (a *API) getFunctionCode(c *call) (answer, error) {
	f, _, err := a.readFunction(c)
	if err != nil {
		return answer{}, err
	}
	u := a.codeURL.sign(f.CodeSHA256, f.CodeChecksum, a.o.Now())
	return resource(struct {
		URL      string `json:"url"`
		Checksum string `json:"checksum"`
	}{strings.TrimSuffix(a.o.ExternalURL(), "/") + u, f.CodeChecksum}, "")
}

// codePath is where packages are downloaded, behind it the package's SHA-256.
const codePath = "/fcd/v1/code/"

// codeURL makes and checks download URLs: whoever holds one may read that one package until it expires.
type codeURL struct {
	key      []byte
	lifetime time.Duration
}

// sign is the path and query of a URL for the package.
func (u codeURL) sign(sha256, checksum string, now time.Time) string {
	expires := strconv.FormatInt(now.Add(u.lifetime).Unix(), 10)
	q := url.Values{"Expires": {expires}, "Checksum": {checksum}, "Signature": {u.mac(sha256, checksum, expires)}}
	return codePath + sha256 + "?" + q.Encode()
}

func (u codeURL) mac(sum, checksum, expires string) string {
	m := hmac.New(sha256.New, u.key)
	fmt.Fprintf(m, "code\n%s\n%s\n%s", sum, checksum, expires)
	return hex.EncodeToString(m.Sum(nil))
}

// verify reads a URL back; false if it was not made by sign or has expired.
func (u codeURL) verify(path string, q url.Values, now time.Time) (sha256, checksum string, ok bool) {
	sha256, checksum = strings.TrimPrefix(path, codePath), q.Get("Checksum")
	want := u.mac(sha256, checksum, q.Get("Expires"))
	if !hmac.Equal([]byte(q.Get("Signature")), []byte(want)) {
		return "", "", false
	}
	expires, err := strconv.ParseInt(q.Get("Expires"), 10, 64)
	return sha256, checksum, err == nil && now.Unix() <= expires
}

// serveCode answers a download: no signature of an access key is asked for, the URL is the right.
func (a *API) serveCode(c *call) int {
	if c.Method != http.MethodGet && c.Method != http.MethodHead {
		return a.write(c, errorAnswer(fc.Errorf(fc.PathNotSupported, "'%s' against '%s' is not supported", c.Method, codePath)))
	}
	sum, checksum, ok := a.codeURL.verify(c.URL.Path, c.URL.Query(), a.o.Now())
	if !ok {
		return a.write(c, errorAnswer(fc.Errorf(fc.AccessDenied, "the code URL has expired or is not valid")))
	}
	r, size, err := a.o.Packages.Open(sum)
	if errors.Is(err, fs.ErrNotExist) {
		err = fc.Errorf(fc.FunctionNotFound, "the code package does not exist any more")
	}
	if err != nil {
		return a.write(c, a.refusal(c, err))
	}
	defer r.Close()
	h := c.w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	h.Set(headerOSSChecksum, checksum)
	c.w.WriteHeader(http.StatusOK)
	if c.Method == http.MethodGet {
		_, _ = io.Copy(c.w, r)
	}
	return http.StatusOK
}
