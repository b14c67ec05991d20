package sign

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSignMNS holds the string to sign of the Message Service documentation: verb, MD5 (base64 of its hex form), type,
// date, the x-mns- headers in order and the resource with its query.
func TestSignMNS(t *testing.T) {
	body := []byte("<Message/>")
	r, err := http.NewRequest("POST", "http://1.mns.cn-shanghai.aliyuncs.com/queues/q/messages?x=1", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/xml")
	at := time.Date(2018, 7, 8, 9, 10, 11, 0, time.UTC)
	SignMNS(r, body, "key", "secret", "token", at)
	want := "MNS key:2Ws7F9rtrd7yatd2kGE8JTkku7M=" // by openssl
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("got %q with MD5 %q, want %q", got, r.Header.Get("Content-MD5"), want)
	}
	if r.Header.Get("Security-Token") != "token" {
		t.Error("no token")
	}
}
