package runtimes

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// httpCode answers by what the path says: /echo tells of the request, /stream sends a stream, /bytes sends bytes that are
// no text, /throw fails, /twice answers twice, /none sends nothing.
var httpCode = map[string]string{
	"nodejs": `const Readable = require('stream').Readable;
exports.handler = function (request, response, context) {
  const paths = {
    '/echo': function () {
      response.setStatusCode(201);
      response.setHeader('X-Many', ['a', 'b']);
      response.setHeader('x-gone', '1');
      response.deleteHeader('X-Gone');
      response.send(JSON.stringify([request.method, request.url, request.queries, request.headers, request.clientIP, request.body.toString()]));
    },
    '/stream': function () {
      const body = new Readable({ read: function () {} });
      body.push('one ');
      response.send(body);
      setImmediate(function () { body.push(Buffer.from('two')); body.push(null); });
    },
    '/bytes': function () { response.send(Buffer.from([0, 255, 10])); },
    '/throw': function () { throw new Error('as told'); },
    '/twice': function () { response.send('first'); response.setStatusCode(500); response.send('second'); },
    '/none': function () { response.send(); }
  };
  paths[request.path]();
};
`,
	"python": `import json


class Stream(object):
    closed = False

    def __iter__(self):
        yield b'one '
        yield b'two'

    def close(self):
        Stream.closed = True


def handler(environ, start_response):
    path = environ['PATH_INFO']
    if path == '/echo':
        start_response('201 Created', [('X-Many', 'a'), ('X-Many', 'b')])
        q = environ['QUERY_STRING'].split('&')
        queries = {'a': [part[2:] for part in q if part[:2] == 'a='], 'b': [part[2:] for part in q if part[:2] == 'b='][0]}
        headers = {'x-one': environ['HTTP_X_ONE'], 'content-type': environ['CONTENT_TYPE']}
        return [json.dumps([environ['REQUEST_METHOD'], environ['fc.request_uri'], queries, headers, environ['REMOTE_ADDR'],
                            environ['wsgi.input'].read().decode()]).encode()]
    if path == '/throw':
        raise Exception('as told')
    write = start_response('200 OK', [])
    if path == '/stream':
        return Stream()
    if path == '/bytes':
        return [b'\x00\xff\n']
    if path == '/twice':
        write(b'fir')
        return [u'st']
    if path == '/none' and Stream.closed:
        return []
`,
}

func TestHTTPRequests(t *testing.T) {
	languages(t, httpCode, func(t *testing.T, p *process) {
		call := func(path, body string) frame.Answer {
			t.Helper()
			return p.request(frame.TypeInvoke, frame.Request{ID: strings.Trim(path, "/"), HTTP: &fc.HTTPRequest{
				Method: "POST", Path: path, URI: "/p" + path + "?a=1&a=2&b=3", Host: "h:80", ClientIP: "1.2.3.4",
				Headers: map[string][]string{"x-one": {"1", "2"}, "content-type": {"text/plain"}},
				Queries: map[string][]string{"a": {"1", "2"}, "b": {"3"}},
			}}, []byte(body))
		}
		got := call("/echo", "body")
		if diff := cmp.Diff(map[string][]string{"X-Many": {"a", "b"}}, got.Headers); got.Type != frame.TypeResult || got.Status != 201 || diff != "" {
			t.Errorf("%+v %s", got, diff)
		}
		text := strings.ReplaceAll(string(got.Body), ", ", ",")
		want := `["POST","/p/echo?a=1&a=2&b=3",{"a":["1","2"],"b":"3"},{"x-one":"1,2","content-type":"text/plain"},"1.2.3.4","body"]`
		if sorted := strings.ReplaceAll(strings.ReplaceAll(text, `": `, `":`), `{"content-type":"text/plain","x-one":"1,2"}`, `{"x-one":"1,2","content-type":"text/plain"}`); strings.ReplaceAll(sorted, `{"b":"3","a":["1","2"]}`, `{"a":["1","2"],"b":"3"}`) != want {
			t.Errorf("the function saw %s, want %s", sorted, want)
		}
		for _, c := range [][2]string{{"/stream", "one two"}, {"/bytes", "\x00\xff\n"}, {"/twice", "first"}, {"/none", ""}} {
			path, want := c[0], c[1]
			if got := call(path, ""); got.Type != frame.TypeResult || got.Status != http.StatusOK || string(got.Body) != want {
				t.Errorf("%s: %+v", path, got)
			}
		}
		if got := call("/throw", ""); got.Type != frame.TypeUnhandled || !strings.Contains(string(got.Body), `as told`) || got.Status != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// The handler, its interface and the servlet interfaces are the package's own, as with the library that users compile
// against.
func TestJavaHTTPRequests(t *testing.T) {
	onEach(t, "java", func(t *testing.T, in interpreter) {
		p := start(t, in, nil)
		const servlets = "/usr/share/java/servlet-api.jar"
		compileInto(t, p.code, "testdata/java-http/com/aliyun/fc/runtime/HttpRequestHandler.java", "java/bootstrap.jar:"+servlets)
		compileInto(t, p.code, "testdata/java-http/example/Web.java", "java/bootstrap.jar:"+servlets+":"+p.code)
		jar, err := os.ReadFile(servlets)
		if err == nil {
			err = os.WriteFile(filepath.Join(p.code, "servlet-api.jar"), jar, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		p.hello.Handler = "example.Web::handleRequest"
		call := func(path, body string) frame.Answer {
			t.Helper()
			return p.request(frame.TypeInvoke, frame.Request{ID: strings.Trim(path, "/"), HTTP: &fc.HTTPRequest{
				Method: "POST", Path: path, URI: "/p" + path + "?a=1&a=2", Host: "h:81", ClientIP: "1.2.3.4",
				Headers: map[string][]string{"x-one": {"1", "2"}, "content-type": {"application/x-www-form-urlencoded"}, "cookie": {"c=1; d=2"}},
				Queries: map[string][]string{"a": {"1", "2"}},
			}}, []byte(body))
		}
		got := call("/echo", "f=x+y&g")
		want := "POST|/p/echo|a=1&a=2|1|1+2|x y|[1, 2]|1.2.3.4|2|/echo|1.2.3.4|f=x+y&g|echo|\xe9"
		if got.Type != frame.TypeResult || got.Status != 201 || string(got.Body) != want {
			t.Errorf("%+v\n%s", got, got.Body)
		}
		headers := map[string][]string{"Content-Type": {"text/plain; charset=iso-8859-1"}, "X-Many": {"a", "b"}, "Set-Cookie": {"k=v"}}
		if diff := cmp.Diff(headers, got.Headers); diff != "" {
			t.Errorf("headers: %s", diff)
		}
		if got := call("/bytes", ""); got.Status != 200 || string(got.Body) != "\x00\xff\n" {
			t.Errorf("bytes: %+v", got)
		}
		if got := call("/error", ""); got.Status != 418 || string(got.Body) != "a teapot" {
			t.Errorf("sendError: %+v", got)
		}
		if got := call("/throw", ""); got.Type != frame.TypeUnhandled || !strings.Contains(string(got.Body), `"as told"`) || !strings.Contains(string(got.Body), "javax.servlet.ServletException") {
			t.Errorf("throws: %s", got.Body)
		}
		if got := call("/session", ""); got.Type != frame.TypeUnhandled || !strings.Contains(string(got.Body), "getSession is not offered") {
			t.Errorf("a session: %s", got.Body)
		}
		if got := p.invoke("event", "x"); got.Type != frame.TypeUnhandled || !strings.Contains(string(got.Body), "HTTP trigger") {
			t.Errorf("an event: %s", got.Body)
		}
	})
}
