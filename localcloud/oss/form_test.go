package oss_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"fcd/localcloud/oss"
)

func TestFormUpload(t *testing.T) {
	rec := newRecorder()
	b := bucketOf(t, func(o *oss.Options) { o.Events = rec })
	url := b.Client.Config.Endpoint + "/bucket"
	end := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	policy := base64.StdEncoding.EncodeToString([]byte(`{"expiration":"` + end + `","conditions":[{"bucket":"bucket"},
		["starts-with","$key","up/"],["content-length-range",1,10]]}`))
	post := func(body string, fields ...string) (*http.Response, string) {
		var buf bytes.Buffer
		w := multipart.NewWriter(&buf)
		for i := 0; i < len(fields); i += 2 {
			must(t, w.WriteField(fields[i], fields[i+1]))
		}
		f, err := w.CreateFormFile("file", "cat.jpg")
		must(t, err)
		io.WriteString(f, body)
		must(t, w.Close())
		return send(t, "POST", url, buf.String(), "Content-Type", w.FormDataContentType())
	}
	signed := []string{"OSSAccessKeyId", accessKey, "policy", policy, "Signature", formSign(policy, secretKey), "x-oss-meta-a", "b"}
	res, body := post("bytes", append(signed, "key", "up/${filename}", "success_action_status", "201")...)
	if res.StatusCode != 201 || !strings.Contains(body, "<Key>up/cat.jpg</Key>") {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	h, err := b.GetObjectDetailedMeta("up/cat.jpg")
	must(t, err)
	if read(t, b, "up/cat.jpg") != "bytes" || h.Get("x-oss-meta-a") != "b" {
		t.Errorf("headers %v", h)
	}
	if e := rec.wait(t, 1)[0]; e.Name != "ObjectCreated:PostObject" || e.Size != 5 {
		t.Errorf("event %+v", e)
	}
	for name, c := range map[string]struct {
		body   string
		fields []string
		code   string
	}{
		"a key that the policy does not allow": {"bytes", append(signed, "key", "other"), "AccessDenied"},
		"a file that is too large":             {"12345678901", append(signed, "key", "up/k"), "EntityTooLarge"},
		"a file that is too small":             {"", append(signed, "key", "up/k"), "EntityTooSmall"},
		"a forged signature":                   {"x", []string{"OSSAccessKeyId", accessKey, "policy", policy, "Signature", "no", "key", "up/k"}, "SignatureDoesNotMatch"},
		"no signature":                         {"x", []string{"key", "up/k"}, "AccessDenied"},
	} {
		if res, body := post(c.body, c.fields...); !strings.Contains(body, "<Code>"+c.code+"</Code>") {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
	}
}

func formSign(policy, secret string) string {
	m := hmac.New(sha1.New, []byte(secret))
	m.Write([]byte(policy))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}
