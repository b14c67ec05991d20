package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fcd/fc"
	"fcd/store"
)

// FuzzDecodeService checks that a body either is refused as an invalid argument or leaves something that validates and
// renders without trouble.
func FuzzDecodeService(f *testing.F) {
	for _, s := range []string{``, `null`, `{}`, `[]`, `{"serviceName":"a","logConfig":{"project":null}}`,
		`{"vpcConfig":{"vpcId":"","vSwitchIds":[null]},"nasConfig":{"userId":1e9}}`, `{"tracingConfig":{"type":"x","params":{"a":1}}}`,
		`{"SERVICENAME":"a","servicename":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var b serviceBody
		if err := decode(body, &b, false); err != nil {
			refused(t, err)
			return
		}
		svc := &fc.Service{Name: "x"}
		if err := b.apply(svc); err != nil {
			refused(t, err)
			return
		}
		if err := svc.Validate(); err != nil {
			refused(t, err)
		}
		renders(t, viewService(svc))
	})
}

func FuzzDecodeFunction(f *testing.F) {
	for _, s := range []string{`{}`, `{"code":{"zipFile":"UEsFBg=="}}`, `{"code":{"zipFile":"\u0055Es="}}`, `{"code":{"zipFile":1}}`,
		`{"environmentVariables":{"A":null,"B":"1"}}`, `{"timeout":3.5}`, `{"memorySize":-9223372036854775808}`,
		`{"runtime":"nodejs6","handler":"` + "\u0000" + `"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var b functionBody
		if err := decode(body, &b, false); err != nil {
			refused(t, err)
			return
		}
		fn := newFunction("s", "f")
		b.apply(fn)
		if err := fn.Validate(fc.DefaultLimits()); err != nil {
			refused(t, err)
		}
		if err := b.Code.validate(false); err != nil {
			refused(t, err)
		}
		renders(t, viewFunction(fn))
	})
}

// FuzzDecodeUpload: a body with a long string is read, or refused, exactly as if nothing were lifted out of it.
func FuzzDecodeUpload(f *testing.F) {
	for _, s := range [][2]string{{`{"code":{"zipFile":"`, `"},"timeout":3}`}, {`{"code":{"zipFile":"`, `"},"code":{"zipFile":"UEs="}}`},
		{`{"description":"`, `","code":{"zipFile":"UEs="}}`}, {`{"x\\":"\"`, `"`}, {`{"code":{"zipFile":"`, `\/=="}}`}, {`{"`, `":1}`},
		{`{"CODE":{"zipfile":"`, "\n\"}}"}, {`{"code":{"zipFile":"`, `"},}`}, {`{"code":null,"code":{"zipFile":"A`, `A=="},"timeout":"3"}`}} {
		f.Add([]byte(s[0]), []byte(s[1]), uint8(0), uint16(0))
		f.Add([]byte(s[0]), []byte(s[1]), uint8('='), uint16(longString-1))
	}
	f.Fuzz(func(t *testing.T, head, tail []byte, other uint8, at uint16) {
		long := bytes.Repeat([]byte("QUJD"), 2*longString/4)
		if other != 0 {
			long[at] = other
		}
		body := slices.Concat(head, long, tail)
		var got, want functionBody
		gotErr, wantErr := decodeUpload(body, &got, true), decode(body, &want, true)
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || gotErr == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%.80q…%.80q: %v, want %v", head, tail, gotErr, wantErr)
		}
	})
}

func FuzzDecodeTrigger(f *testing.F) {
	for _, s := range []string{`{}`, `{"triggerType":"logs","triggerConfig":null}`, `{"triggerConfig":{"events":[]}}`, `{"triggerConfig":7}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var b triggerBody
		if err := decode(body, &b, false); err != nil {
			refused(t, err)
			return
		}
		trg := &fc.Trigger{Name: "t", Type: b.kind(), Config: b.config()}
		b.apply(trg)
		if err := trg.Validate(); err != nil {
			refused(t, err)
		}
		renders(t, viewTrigger(trg))
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"/2016-08-15/services", "/2016-08-15/services/a%2Fb", "/2016-08-15/services/a.LATEST/functions/f/code",
		"/2016-08-15//services", "/2016-08-15/services/%zz", "/2016-08-15/services/a.b.c/functions/%00", "/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		parts, ok := splitPath(nil, path, basePath)
		if !ok {
			return
		}
		for i := range operations {
			op := &operations[i]
			if !matches(op.path, parts) {
				continue
			}
			var p params
			if err := p.read(op.path, parts); err != nil {
				refused(t, err)
				continue
			}
			for _, name := range []string{p.service, p.function, p.trigger, p.qualifier} {
				if strings.ContainsAny(name, "/.\x00 ") {
					t.Fatalf("%q gives the name %q", path, name)
				}
			}
		}
	})
}

func FuzzProxyPath(f *testing.F) {
	for _, s := range []string{"s/f", "s.LATEST/f/a%20b?c=d", "s/f//..//%2e%2e/%2F", "s", "/", "s/%zz", "s.a.b/f/x?x-fc-a=1&b;c&%", "9/f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		u, err := url.Parse("http://h" + proxyPath + rest)
		if err != nil || !Streams(u.EscapedPath()) {
			return
		}
		c := &call{Request: &http.Request{Method: "GET", URL: u, Header: http.Header{"X-Fc-A": {"1"}, "Te": {"x"}}}}
		path, err := c.readProxyPath()
		if err != nil {
			refused(t, err)
			return
		}
		r := c.httpRequest(path, false)
		if !strings.HasPrefix(r.Path, "/") || strings.ContainsAny(c.params.service+c.params.function, "/. ") || len(r.Headers) != 1 {
			t.Fatalf("%q gives %+v of %+v", rest, r, c.params)
		}
		for name := range r.Queries {
			if strings.HasPrefix(strings.ToLower(name), "x-fc-") {
				t.Fatalf("%q shows the query %q", rest, name)
			}
		}
	})
}

func FuzzPage(f *testing.F) {
	f.Add("limit=3&startKey=a&prefix=b&nextToken=c", "abc")
	f.Add("limit=&startKey=%00", "-")
	f.Fuzz(func(t *testing.T, query, name string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		p, err := readPage(q)
		if err != nil {
			refused(t, err)
			return
		}
		if p.limit < 1 || p.limit > maxPage {
			t.Fatalf("limit %d", p.limit)
		}
		if fc.ValidateName("Name", name, fc.MaxNameLength) != nil {
			return
		}
		// A name is listed from a start on exactly if it is not smaller.
		if listed := "svc/"+name > justBefore("svc/", p.start); listed != (name >= p.start) {
			t.Fatalf("start %q, name %q: listed %v", p.start, name, listed)
		}
	})
}

func refused(t *testing.T, err error) {
	t.Helper()
	if fc.CodeOf(err) != fc.InvalidArgument {
		t.Fatalf("refused with %v", err)
	}
}

func renders(t *testing.T, view any) {
	t.Helper()
	b, err := encode(view)
	if err != nil || !json.Valid(b) {
		t.Fatalf("%s: %v", b, err)
	}
}

// FuzzInvocationQuery: whatever the parameters of a listing are, they are refused or mean what they say.
func FuzzInvocationQuery(f *testing.F) {
	for _, s := range []string{"", "limit=3&status=Expired&sortOrderByTime=asc", "startedTimeBegin=1&startedTimeEnd=-1", "includePayload=true&nextToken=MTIzL2lk"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		v, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		q, err := readInvocationQuery(v)
		if err != nil {
			if fc.CodeOf(err) != fc.InvalidArgument {
				t.Errorf("%q: %v", raw, err)
			}
			return
		}
		if q.Limit < 1 || q.Limit > maxPage {
			t.Errorf("%q: a limit of %d", raw, q.Limit)
		}
		if token := v.Get("nextToken"); token != "" {
			inv := store.Invocation{Msg: store.Msg{Enqueued: q.After.Enqueued, RequestID: q.After.RequestID}}
			if again, err := readPlace(placeToken(inv)); err != nil || again != q.After {
				t.Errorf("%q: the place %+v became %+v, %v", raw, q.After, again, err)
			}
		}
	})
}
