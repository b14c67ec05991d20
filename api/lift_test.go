package api

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
)

// long is base64 of the length from which it is lifted.
var long = base64.StdEncoding.EncodeToString(make([]byte, liftedFrom))

// TestALiftedBodyIsReadLikeAnyOther reads bodies with and without lifting: what comes of them is the same.
func TestALiftedBodyIsReadLikeAnyOther(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		lifted bool
	}{
		"plain":                   {`{"functionName":"f","code":{"zipFile":"` + long + `"},"timeout":7}`, true},
		"any case, spaces":        {"{\"Code\" : {\n \"ZIPFILE\" \t:\n \"" + long + `" } }`, true},
		"escapes before":          {`{"description":"\\\"zipFile\\","code":{"zipFile":"` + long + `"}}`, true},
		"elsewhere":               {`{"other":{"zipFile":"` + long + `"},"code":{"zipFile":"UEs="}}`, true},
		"elsewhere alone":         {`{"other":{"zipFile":"` + long + `"},"code":{}}`, true},
		"the last one counts":     {`{"code":{"zipFile":"` + long + `","zipFile":"UEs="}}`, true},
		"the last one is null":    {`{"code":{"zipFile":"` + long + `","zipFile":null}}`, true},
		"another key":             {`{"description":"` + long + `"}`, false},
		"a value named like it":   {`{"description":"zipFile","handler":"` + long + `"}`, false},
		"a list":                  {`{"code":["zipFile","` + long + `"]}`, false},
		"not base64":              {`{"code":{"zipFile":"` + long + `?"}}`, false},
		"an escaped slash":        {`{"code":{"zipFile":"\/` + long[1:] + `"}}`, false},
		"a line break":            {`{"code":{"zipFile":"` + long[:76] + "\n" + long[76:] + `"}}`, false},
		"escaped line breaks":     {`{"code":{"zipFile":"` + long[:76] + `\r\n` + long[76:] + `"}}`, false},
		"no end":                  {`{"code":{"zipFile":"` + long, false},
		"broken behind":           {`{"code":{"zipFile":"` + long + `"`, true},
		"broken before":           {`{"code"{"zipFile":"` + long + `"}}`, true},
		"short":                   {`{"code":{"zipFile":"UEs="}}`, false},
		"empty":                   {``, false},
		"a number":                {strings.Repeat("1", liftedFrom), false},
		"the stand-in's likeness": {`{"code":{"zipFile":"lifted: ` + strings.Repeat("A", liftedFrom) + `"}}`, false},
	} {
		if _, zip := lift([]byte(c.body)); (zip != nil) != c.lifted {
			t.Errorf("%s: lifted is %t", name, zip != nil)
		}
		sameWithout(t, name, []byte(c.body))
	}
}

// sameWithout fails unless lifting changes nothing.
func sameWithout(t *testing.T, name string, body []byte) {
	t.Helper()
	var with, without functionBody
	err, plain := with.decode(body, true), decode(body, &without, true)
	if (err == nil) != (plain == nil) || err != nil && err.Error() != plain.Error() {
		t.Errorf("%s: lifted: %v, plain: %v", name, err, plain)
	}
	if err == nil && !reflect.DeepEqual(with, without) {
		t.Errorf("%s: the function differs when its code is lifted", name)
	}
}

// FuzzLift puts a long package between strange bytes.
func FuzzLift(f *testing.F) {
	f.Add(`{"code":{"zipFile":"`, `"}}`)
	f.Add(`{"description":"\\","code":{"ZipFile" :"`, `","zipFile":"UEs="}}`)
	f.Add(`["zipFile":"`, `"]`)
	f.Add(`{"code":{"zipFile":"\`, `\"`)
	f.Fuzz(func(t *testing.T, before, after string) {
		sameWithout(t, "", []byte(before+long+after))
	})
}
