package api

import (
	"encoding/base64"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func TestALongPackageIsReadAsAShortOneIs(t *testing.T) {
	noise := rand.NewChaCha8([32]byte{})
	for _, size := range []int{1, longString, longString * 3 / 4, longString*2 + 1, longString*2 + 2, longString*4 + 3, 1 << 20} {
		code := make([]byte, size)
		_, _ = noise.Read(code)
		body := `{"timeout": 7, "handler": "a\"b", "code": {"zipFile": "` + base64.StdEncoding.EncodeToString(code) + `"}, "x": ["}"]}`
		var got, want functionBody
		if err := decodeUpload([]byte(body), &got, true); err != nil {
			t.Fatal(err)
		}
		if err := decode([]byte(body), &want, true); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) || string(*got.Code.ZipFile) != string(code) || *got.Handler != `a"b` {
			t.Errorf("a package of %d bytes is not what was sent", size)
		}
	}
}

func TestPaddingBetweenTheHalvesOfALongPackageIsRefused(t *testing.T) {
	text := []byte(strings.Repeat("QUJD", longString))
	half := len(text) / 8 * 4
	copy(text[half-1:], "=")
	if _, err := decodeBase64(text); err == nil || !strings.Contains(err.Error(), base64.CorruptInputError(half).Error()) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkDecodeUpload(b *testing.B) {
	code := make([]byte, 8<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(code)
	body := []byte(`{"code":{"zipFile":"` + base64.StdEncoding.EncodeToString(code) + `"},"timeout":3}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		var f functionBody
		if err := decodeUpload(body, &f, true); err != nil {
			b.Fatal(err)
		}
	}
}
