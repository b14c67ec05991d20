package e2e

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fcsdk "github.com/aliyun/fc-go-sdk"
	"github.com/google/go-cmp/cmp"

	"fcd/e2e/npm"
)

// nodeMirror and pythonMirror answer an HTTP request with what they were told of it; ?fail=1 makes them fail.
const nodeMirror = `
exports.handler = function (request, response, context) {
  if (request.queries.fail) throw new Error('as told');
  const parts = [];
  request.on('data', function (part) { parts.push(part); });
  request.on('end', function () {
    response.setStatusCode(201);
    response.setHeader('Content-Type', 'text/plain');
    response.setHeader('X-Gone', 'x');
    response.deleteHeader('x-gone');
    response.setHeader('X-Fc-Request-Id', 'mine');
    response.setHeader('Set-Cookie', ['a=1', 'b=2']);
    response.send([request.method, request.path, request.url, JSON.stringify(request.queries), request.headers['x-own'],
      request.headers.authorization || 'no signature', Buffer.concat(parts).toString(), request.body.length,
      context.function.name, request.clientIP].join('|'));
    response.send('again');
  });
};
`

const pythonMirror = `
import json
try:
    from urllib.parse import parse_qs
except ImportError:
    from urlparse import parse_qs

def handler(environ, start_response):
    q = parse_qs(environ['QUERY_STRING'])
    if 'fail' in q:
        raise Exception('as told')
    body = environ['wsgi.input'].read(int(environ['CONTENT_LENGTH'])).decode()
    shown = dict((k, v[0] if len(v) == 1 else v) for k, v in q.items())
    start_response('201 Created', [('Content-Type', 'text/plain'), ('X-Fc-Request-Id', 'mine'), ('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2')])
    path = environ['PATH_INFO']
    if not isinstance(path, bytes):
        path = path.encode('latin-1').decode('utf-8')
    parts = [environ['REQUEST_METHOD'], path, environ['fc.request_uri'], json.dumps(shown, sort_keys=True, separators=(',', ':')),
             environ['HTTP_X_OWN'], environ.get('HTTP_AUTHORIZATION', 'no signature'), body, str(len(body)),
             environ['fc.context'].function.name, environ['REMOTE_ADDR']]
    return ['|'.join(parts).encode('utf-8') if not isinstance('|'.join(parts), bytes) else '|'.join(parts)]
`

func (h *house) httpTrigger(ref, authType string, methods ...string) {
	h.t.Helper()
	service, function, _ := strings.Cut(ref, "/")
	h.must("POST", "/services/"+service+"/functions/"+function+"/triggers", m{"triggerName": "web", "triggerType": "http",
		"triggerConfig": m{"authType": authType, "methods": methods}})
}

// ask sends a plain HTTP request to the API's address.
func (h *house) ask(method, target, body string, headers ...string) (*http.Response, string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.e.API+target, strings.NewReader(body))
	must(h.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := h.http.Do(req)
	must(h.t, err)
	return res, readAll(h.t, res)
}

func TestAnHTTPTriggerIsItsFunctionsOnlyTrigger(t *testing.T) {
	h := boot(t)
	h.makeBucket("pictures")
	h.service("web", "")
	h.python("web/page", "def handler(environ, start_response): pass\n")
	role := ossRole
	object := ossTrigger("object", "pictures", role, "", "")
	object["sourceArn"] = "acs:oss:" + region + ":" + h.e.AccountID + ":pictures"
	others := []m{object, {"triggerName": "hourly", "triggerType": "timer", "triggerConfig": m{"cronExpression": "@every 60m", "enable": true}}}
	triggers := "/services/web/functions/page/triggers"
	h.httpTrigger("web/page", "anonymous", "GET")
	for _, o := range others {
		if a := h.do("POST", triggers, o); a.status != 400 || !strings.Contains(a.body, "'web'") {
			t.Errorf("%s beside http: %d %s", o["triggerType"], a.status, a.body)
		}
	}
	h.must("DELETE", triggers+"/web", nil)
	for _, o := range others {
		h.must("POST", triggers, o)
		a := h.do("POST", triggers, m{"triggerName": "web", "triggerType": "http", "triggerConfig": m{"authType": "anonymous", "methods": []string{"GET"}}})
		if a.status != 400 || !strings.Contains(a.body, "must be the only one") {
			t.Errorf("http beside %s: %d %s", o["triggerType"], a.status, a.body)
		}
		h.must("DELETE", triggers+"/"+o["triggerName"].(string), nil)
	}
}

func TestHTTPTriggersCallFunctionsAsTheyExpect(t *testing.T) {
	h := boot(t)
	h.service("web", "")
	h.deploy("web/nodejs8", "nodejs8", map[string]string{"index.js": nodeMirror})
	h.deploy("web/python3", "python3", map[string]string{"index.py": pythonMirror})
	for _, function := range []string{"nodejs8", "python3"} {
		t.Run(function, func(t *testing.T) {
			h.httpTrigger("web/"+function, "anonymous", "GET", "POST")
			at := base + "/proxy/web.LATEST/" + function
			target := at + "/a%20b//c/%C3%A9?x=1&x=2&y=%2F"
			res, body := h.ask("POST", target, "body", "X-Own", "mine", "X-Fc-Own", "no")
			want := "POST|/a b//c/é|" + target + `|{"x":["1","2"],"y":"/"}|mine|no signature|body|4|` + function + "|127.0.0.1"
			if diff := cmp.Diff(want, body); diff != "" {
				t.Errorf("body: %s", diff)
			}
			if res.StatusCode != 201 || res.Header.Get("Content-Type") != "text/plain" || res.Header.Get("X-Gone") != "" ||
				len(res.Header.Get("X-Fc-Request-Id")) != 36 || res.Header.Get("X-Fc-Invocation-Duration") == "" ||
				!cmp.Equal([]string{"a=1", "b=2"}, res.Header["Set-Cookie"]) {
				t.Errorf("%d %v", res.StatusCode, res.Header)
			}
			res, body = h.ask("GET", at+"/?fail=1", "", "X-Own", "mine")
			if res.StatusCode != 502 || res.Header.Get("X-Fc-Error-Type") != "UnhandledInvocationError" || !strings.Contains(body, `as told`) {
				t.Errorf("a failure: %d %v %s", res.StatusCode, res.Header, body)
			}
			res, body = h.ask("PUT", at, "")
			if res.StatusCode != 405 || !strings.Contains(body, "MethodNotAllowed") {
				t.Errorf("a method that is not listed: %d %s", res.StatusCode, body)
			}
		})
	}
}

func TestHTTPTriggersOfTypeFunctionWantASignature(t *testing.T) {
	h := boot(t)
	h.service("web", "")
	h.deploy("web/f", "nodejs8", map[string]string{"index.js": nodeMirror})
	h.python("web/none", "def handler(event, context):\n    return event\n")
	h.httpTrigger("web/f", "function", "GET", "POST")
	at := base + "/proxy/web/f"

	for _, target := range []string{at, at + "/x", base + "/proxy/web/none/", base + "/proxy/no/such/", base + "/proxy/"} {
		if res, body := h.ask("GET", target, ""); res.StatusCode != 403 && res.StatusCode != 400 || strings.Contains(body, "exist") {
			t.Errorf("unsigned %s: %d %s", target, res.StatusCode, body)
		}
	}
	for _, c := range []struct{ path, code string }{
		{"/proxy/web/none/", "TriggerNotFound"}, {"/proxy/no/such/", "ServiceNotFound"}, {"/proxy/web/no/", "FunctionNotFound"},
		{"/proxy/web.1/f/", "VersionNotFound"}, {"/proxy/9/f/", "InvalidArgument"},
	} {
		if a := h.do("GET", c.path, nil); a.code() != c.code {
			t.Errorf("%s: %d %s", c.path, a.status, a.body)
		}
	}
	if a := h.do("GET", "/proxy/web/f/x%20y?b=2&a=1&bare", nil, header("X-Own", "o")); a.status != 201 || !strings.HasPrefix(a.body, "GET|/x y|"+at+"/x%20y?b=2&a=1&bare|") || !strings.Contains(a.body, "no signature") {
		t.Errorf("signed: %d %s", a.status, a.body)
	}
	if a := h.do("GET", "/proxy/web/f/", nil, as(rootKey, "wrong", "")); a.code() != "SignatureNotMatch" {
		t.Errorf("signed with another secret: %d %s", a.status, a.body)
	}

	c, err := fcsdk.NewClient(h.e.API, "2016-08-15", rootKey, rootPass)
	must(t, err)
	sign := func(expires time.Time) string {
		u, err := c.SignURL(fcsdk.NewSignURLInput("GET", "web", "f", expires).WithQueries(url.Values{"q": {"a b", "c"}}))
		must(t, err)
		return strings.TrimPrefix(u, h.e.API)
	}
	if res, body := h.ask("GET", sign(time.Now().Add(time.Minute)), "", "X-Own", "o"); res.StatusCode != 201 || !strings.Contains(body, `{"q":["a b","c"]}`) {
		t.Errorf("a signed URL: %d %s", res.StatusCode, body)
	}
	if res, body := h.ask("GET", sign(time.Now().Add(-time.Minute)), ""); res.StatusCode != 403 || !strings.Contains(body, "expired") {
		t.Errorf("a signed URL that has expired: %d %s", res.StatusCode, body)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", h.e.API+at+"/go?x=1", strings.NewReader("from go"))
	must(t, err)
	req.Header.Set("X-Own", "o")
	req.Header.Set("Content-Type", "text/plain") // what the SDK sends if there is none, it does not sign
	res, err := c.DoHttpRequest(req)
	must(t, err)
	if body := readAll(t, res); res.StatusCode != 201 || !strings.Contains(body, "|from go|") {
		t.Errorf("through the Go SDK: %d %s", res.StatusCode, body)
	}
}

// TestHTTPTriggersThroughTheNodeClient calls as @alicloud/fc2 does.
func TestHTTPTriggersThroughTheNodeClient(t *testing.T) {
	modules := filepath.Join(npm.Dir(t), "node_modules")
	h := boot(t)
	h.service("web", "")
	h.deploy("web/f", "nodejs8", map[string]string{"index.js": nodeMirror})
	h.httpTrigger("web/f", "function", "GET", "POST")
	script := `
const FC = require('@alicloud/fc2');
const fc = new FC(process.env.ACCOUNT, {accessKeyID: process.env.KEY, accessKeySecret: process.env.SECRET, region: 'cn-shanghai', endpoint: process.env.API});
fc.get('/proxy/web/f/some path', {b: '2', a: '1'}, {'x-own': 'node'}).then(r => fc.post('/proxy/web/f/', Buffer.from('hi'), {'x-own': 'node'}, {}).then(s =>
  console.log(String(r.data) + '\n' + String(s.data)))).catch(e => { console.error(e); process.exit(1) });
`
	cmd := exec.CommandContext(t.Context(), "node", "-e", script)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules, "API="+h.e.API, "ACCOUNT="+account, "KEY="+rootKey, "SECRET="+rootPass)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `GET|/some path|`) || !strings.Contains(string(out), "|node|no signature|hi|2|f|") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A program that serves HTTP gets requests as they were sent, and both bodies go through while they come.
func TestHTTPTriggersOfCustomFunctionsStream(t *testing.T) {
	h := boot(t)
	h.service("web", "")
	h.deploy("web/own", "custom", map[string]string{"server.py": `
import base64, http.server, json, os
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_POST(self):
        if self.headers['x-fc-control-path'] != '/http-invoke':
            self.send_response(200); self.send_header('Content-Length', '0'); self.end_headers(); return
        params = json.loads(base64.b64decode(self.headers['x-fc-http-params']))
        self.send_response(202)
        self.send_header('X-Seen', ' '.join([self.path, self.headers['x-own'], self.headers['Host'], params['path'], self.headers['x-fc-function-name']]))
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        while True:
            size = int(self.rfile.readline().strip(), 16)
            part = self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                break
            if part == b'die\n':
                os._exit(3)
            self.wfile.write(b'%x\r\n%s\r\n' % (len(part), part.upper())); self.wfile.flush()
        self.wfile.write(b'0\r\n\r\n'); self.wfile.flush()
    def log_message(self, *a): pass
http.server.HTTPServer(('0.0.0.0', int(os.environ['FC_SERVER_PORT'])), H).serve_forever()
`}, m{"timeout": 60, "memorySize": 256,
		"customRuntimeConfig": m{"command": []string{"/usr/bin/python3"}, "args": []string{"/code/server.py"}}})
	h.httpTrigger("web/own", "anonymous", "POST")

	talk := func(lines ...string) (*http.Response, []string, error) {
		r, w := io.Pipe()
		defer w.Close()
		req, err := http.NewRequestWithContext(t.Context(), "POST", h.e.API+base+"/proxy/web/own/p?q=1", r)
		must(t, err)
		req.Header.Set("X-Own", "mine")
		res, err := h.http.Do(req)
		must(t, err)
		defer res.Body.Close()
		in := bufio.NewReader(res.Body)
		var got []string
		for _, line := range lines { // each is answered before the next is sent
			if _, err := io.WriteString(w, line+"\n"); err != nil {
				return res, got, err
			}
			answer, err := in.ReadString('\n')
			if err != nil {
				return res, got, err
			}
			got = append(got, strings.TrimSpace(answer))
		}
		w.Close()
		rest, err := io.ReadAll(in)
		if len(bytes.TrimSpace(rest)) > 0 {
			got = append(got, string(rest))
		}
		return res, got, err
	}
	res, got, err := talk("one", "two")
	if diff := cmp.Diff([]string{"ONE", "TWO"}, got); err != nil || res.StatusCode != 202 || diff != "" {
		t.Errorf("%v %d %s", err, res.StatusCode, diff)
	}
	if want := base + "/proxy/web/own/p?q=1 mine " + strings.TrimPrefix(h.e.API, "http://") + " /p own"; res.Header.Get("X-Seen") != want {
		t.Errorf("the program saw %q, want %q", res.Header.Get("X-Seen"), want)
	}
	if _, got, err = talk("one", "die"); err == nil || len(got) != 1 {
		t.Errorf("an answer that was cut short looks whole: %q %v", got, err)
	}
	if _, got, err = talk("after"); err != nil || !cmp.Equal(got, []string{"AFTER"}) {
		t.Errorf("the next call: %q %v", got, err)
	}
}
