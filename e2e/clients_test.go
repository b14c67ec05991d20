package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ossv2 "github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	sls "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/aliyun/aliyun-oss-go-sdk/oss"
	fcsdk "github.com/aliyun/fc-go-sdk"
	"google.golang.org/protobuf/proto"

	"fcd/e2e/npm"
)

// TestNodeClients runs testdata/clients.js.
func TestNodeClients(t *testing.T) {
	modules := filepath.Join(npm.Dir(t), "node_modules")
	code := withModule(t, copier, "ali-oss")
	h := boot(t)
	env := append(os.Environ(), "NODE_PATH="+modules, "API="+h.e.API, "OSS_ENDPOINT="+h.e.OSS, "ACCOUNT="+account,
		"KEY="+rootKey, "SECRET="+rootPass)
	// The package is larger than an environment may be: node reads it from a file.
	file := filepath.Join(t.TempDir(), "code.zip")
	if err := os.WriteFile(file, code, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "clients.js"))
	cmd.Env = append(env, "CODE_FILE="+file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestGoClient drives all of the guide's operations that do something through github.com/aliyun/fc-go-sdk.
func TestGoClient(t *testing.T) {
	h := boot(t)
	b := h.makeBucket(bucket)
	c, err := fcsdk.NewClient(h.e.API, "2016-08-15", rootKey, rootPass, fcsdk.WithTransport(h.http.Transport.(*http.Transport)))
	must(t, err)
	_, err = c.CreateService(fcsdk.NewCreateServiceInput().WithServiceName("go").WithRole(functionRole).
		WithLogConfig(fcsdk.NewLogConfig().WithProject(project).WithLogstore(logstore)))
	must(t, err)
	code := zipOf(t, map[string]string{"index.py": `
import json
def handler(event, context):
    print('saw', event.decode())
    if event == b'fail':
        raise Exception('as told')
    return event
`})
	made, err := c.CreateFunction(fcsdk.NewCreateFunctionInput("go").WithFunctionName("f").WithRuntime("python3").
		WithHandler("index.handler").WithMemorySize(128).WithTimeout(10).WithCode(fcsdk.NewCode().WithZipFile(code)))
	must(t, err)
	_, err = c.CreateTrigger(fcsdk.NewCreateTriggerInput("go", "f").WithTriggerName("t").WithTriggerType("oss").
		WithInvocationRole(ossRole).WithSourceARN("acs:oss:" + region + ":" + account + ":" + bucket).
		WithTriggerConfig(fcsdk.NewOSSTriggerConfig().WithEvents([]string{"oss:ObjectCreated:PutObject"}).
			WithFilterKeyPrefix("in/").WithFilterKeySuffix(".txt")))
	must(t, err)

	out, err := c.InvokeFunction(fcsdk.NewInvokeFunctionInput("go", "f").WithPayload([]byte("hello")).WithLogType("Tail"))
	must(t, err)
	if log, err := out.GetLogResult(); string(out.Payload) != "hello" || err != nil || !strings.Contains(log, "saw hello") {
		t.Errorf("%s, log %q, %v", out, log, err)
	}
	out, err = c.InvokeFunction(fcsdk.NewInvokeFunctionInput("go", "f").WithPayload([]byte("fail")))
	must(t, err)
	if out.GetErrorType() != "UnhandledInvocationError" || !strings.Contains(string(out.Payload), "as told") {
		t.Errorf("%s", out)
	}
	_, err = c.InvokeFunction(fcsdk.NewInvokeFunctionInput("go", "f").WithAsyncInvocation().WithPayload([]byte("later")))
	must(t, err)
	h.put(b, "in/x.txt", "x")
	h.logged("go/f", "saw later", `"key":"in/x.txt"`)

	got, err := c.GetFunctionCode(fcsdk.NewGetFunctionCodeInput("go", "f"))
	must(t, err)
	res, err := h.http.Get(got.URL)
	must(t, err)
	if body := readAll(t, res); body != string(code) || res.Header.Get("X-Oss-Hash-Crc64ecma") != *made.CodeChecksum {
		t.Errorf("code of %d bytes, %v", len(body), res.Header)
	}
	listed, err := c.ListTriggers(fcsdk.NewListTriggersInput("go", "f"))
	must(t, err)
	if len(listed.Triggers) != 1 || *listed.Triggers[0].TriggerName != "t" {
		t.Errorf("triggers %s", listed)
	}
	_, err = c.DeleteTrigger(fcsdk.NewDeleteTriggerInput("go", "f", "t"))
	must(t, err)
	_, err = c.DeleteFunction(fcsdk.NewDeleteFunctionInput("go", "f"))
	must(t, err)
	_, err = c.DeleteService(fcsdk.NewDeleteServiceInput("go"))
	must(t, err)
	_, err = c.GetService(fcsdk.NewGetServiceInput("go"))
	var refusal *fcsdk.ServiceError
	if !errors.As(err, &refusal) || refusal.ErrorCode != "ServiceNotFound" {
		t.Errorf("after its deletion: %v", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestObjectClients puts, reads, lists, uploads in parts and deletes with both Go SDKs of OSS; each put of either starts
// the function of a trigger.
func TestObjectClients(t *testing.T) {
	h := boot(t)
	b := h.makeBucket(bucket)
	h.service("svc", "")
	h.python("svc/f", "import json\ndef handler(event, context):\n    e = json.loads(event)['events'][0]\n    print(e['eventName'], e['oss']['object']['key'])\n")
	body := ossTrigger("t", bucket, ossRole, "", "")
	body["triggerConfig"].(m)["events"] = []string{"oss:ObjectCreated:*", "oss:ObjectRemoved:*"}
	h.must("POST", "/services/svc/functions/f/triggers", body)

	big := bytes.Repeat([]byte("0123456789"), 30_000)
	t.Run("version 1", func(t *testing.T) {
		must(t, b.PutObject("v1/put", strings.NewReader("one")))
		init, err := b.InitiateMultipartUpload("v1/parts")
		must(t, err)
		var parts []oss.UploadPart
		for i, chunk := range [][]byte{big[:150_000], big[150_000:]} {
			part, err := b.UploadPart(init, bytes.NewReader(chunk), int64(len(chunk)), i+1)
			must(t, err)
			parts = append(parts, part)
		}
		_, err = b.CompleteMultipartUpload(init, parts)
		must(t, err)
		if content, ok := get(b, "v1/parts"); !ok || content != string(big) {
			t.Errorf("read %d bytes back, %v", len(content), ok)
		}
		_, err = b.CopyObject("v1/put", "v1/copy")
		must(t, err)
		_, err = b.AppendObject("v1/append", strings.NewReader("two"), 0)
		must(t, err)
		must(t, b.DeleteObject("v1/put"))
		h.logged("svc/f", "ObjectCreated:PutObject v1/put", "ObjectCreated:CompleteMultipartUpload v1/parts",
			"ObjectCreated:CopyObject v1/copy", "ObjectCreated:AppendObject v1/append", "ObjectRemoved:DeleteObject v1/put")
	})
	t.Run("version 2", func(t *testing.T) {
		ctx := t.Context()
		c := ossv2.NewClient(ossv2.LoadDefaultConfig().WithRegion(region).WithEndpoint(h.e.OSS).WithUsePathStyle(true).
			WithHttpClient(h.http).WithCredentialsProvider(credentials.NewStaticCredentialsProvider(rootKey, rootPass)))
		name := ossv2.Ptr(bucket)
		_, err := c.PutObject(ctx, &ossv2.PutObjectRequest{Bucket: name, Key: ossv2.Ptr("v2/put"), Body: strings.NewReader("one")})
		must(t, err)
		_, err = c.NewUploader(func(o *ossv2.UploaderOptions) { o.PartSize = 100 << 10 }).
			UploadFrom(ctx, &ossv2.PutObjectRequest{Bucket: name, Key: ossv2.Ptr("v2/parts")}, bytes.NewReader(big))
		must(t, err)
		read, err := c.GetObject(ctx, &ossv2.GetObjectRequest{Bucket: name, Key: ossv2.Ptr("v2/parts"), Range: ossv2.Ptr("bytes=10-19")})
		must(t, err)
		content, err := io.ReadAll(read.Body)
		read.Body.Close()
		if err != nil || string(content) != "0123456789" {
			t.Errorf("a range of ten bytes is %q, %v", content, err)
		}
		page, err := c.ListObjectsV2(ctx, &ossv2.ListObjectsV2Request{Bucket: name, Prefix: ossv2.Ptr("v2/")})
		must(t, err)
		if len(page.Contents) != 2 || *page.Contents[0].Key != "v2/parts" {
			t.Errorf("listed %d objects", len(page.Contents))
		}
		_, err = c.DeleteMultipleObjects(ctx, &ossv2.DeleteMultipleObjectsRequest{Bucket: name,
			Objects: []ossv2.DeleteObject{{Key: ossv2.Ptr("v2/put")}, {Key: ossv2.Ptr("v2/parts")}}})
		must(t, err)
		h.logged("svc/f", "ObjectCreated:PutObject v2/put", "ObjectCreated:CompleteMultipartUpload v2/parts",
			"ObjectRemoved:DeleteObjects v2/put", "ObjectRemoved:DeleteObjects v2/parts")
	})
}

// TestLogClient writes, queries and pulls with the Go SDK of the Log Service, and searches the lines of a function.
func TestLogClient(t *testing.T) {
	h := boot(t)
	c := h.sls()
	_, err := c.CreateProject("own-project", "made by the client")
	must(t, err)
	must(t, c.CreateLogStore("own-project", "own", 7, 1, false, 1))
	must(t, c.CreateIndex("own-project", "own", sls.Index{Line: &sls.IndexLine{Token: []string{" ", ","}}}))
	now := time.Now()
	must(t, c.PutLogs("own-project", "own", &sls.LogGroup{Topic: proto.String("t"), Source: proto.String("here"), Logs: []*sls.Log{{
		Time: proto.Uint32(uint32(now.Unix())), Contents: []*sls.LogContent{{Key: proto.String("message"), Value: proto.String("an apple a day")}}}}}))
	query := func(project, store, what string) []map[string]string {
		got, err := c.GetLogs(project, store, "", now.Unix()-60, now.Unix()+600, what, 100, 0, false)
		must(t, err)
		return got.Logs
	}
	eventually(t, "the line is found", func() bool { return len(query("own-project", "own", "apple")) == 1 })
	if got := query("own-project", "own", "pear"); len(got) != 0 {
		t.Errorf("found %v", got)
	}

	h.service("svc", "")
	h.python("svc/f", "def handler(event, context):\n    print('a needle in', event.decode())\n")
	id := h.invoke("svc/f", "haystack").requestID()
	h.returns("svc/f", "vain")
	h.logged("svc/f", "a needle in haystack", "a needle in vain")
	got := query(project, logstore, "needle and haystack")
	if len(got) != 1 || got[0]["requestId"] != id || got[0]["functionName"] != "f" || got[0]["serviceName"] != "svc" {
		t.Errorf("found %v, want the line of %s", got, id)
	}
}

// TestLogServiceFromInside writes and reads a logstore from a function with the Log Service's JavaScript client.
func TestLogServiceFromInside(t *testing.T) {
	h := boot(t)
	h.service("svc", functionRole)
	h.deploy("svc/f", "nodejs8", nil, m{"memorySize": 512, "code": m{"zipFile": withModule(t, `'use strict';
const Log = require('@alicloud/log');
exports.handler = (event, context, callback) => {
  const c = context.credentials;
  const log = new Log({accessKeyId: c.accessKeyId, accessKeySecret: c.accessKeySecret, securityToken: c.securityToken,
    endpoint: process.env[event.toString()] || event.toString()});
  const now = Math.floor(Date.now() / 1000);
  const group = {logs: [{timestamp: now, content: {message: 'from inside'}}], topic: 't', source: 's'};
  log.postLogStoreLogs('`+project+`', '`+logstore+`', group)
    .then(() => log.listLogStore('`+project+`')).then((got) => callback(null, got.logstores), callback);
};`, "@alicloud/log")}})
	for _, endpoint := range []string{"FCD_SLS_ENDPOINT", "cn-shanghai.log.aliyuncs.com"} {
		if got := h.returns("svc/f", endpoint); got != `["`+logstore+`"]` {
			t.Errorf("by %s: %s", endpoint, got)
		}
	}
}

// TestPresignedURL: a URL signed by the SDK works without keys until it is changed.
func TestPresignedURL(t *testing.T) {
	h := boot(t)
	b := h.makeBucket(bucket)
	h.put(b, "secret", "content")
	signed, err := b.SignURL("secret", oss.HTTPGet, 60)
	must(t, err)
	u, err := url.Parse(signed)
	must(t, err)
	res, err := h.http.Get(u.String())
	must(t, err)
	if body := readAll(t, res); body != "content" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	u.Path += "2"
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, u.String(), nil)
	must(t, err)
	res, err = h.http.Do(req)
	must(t, err)
	if body := readAll(t, res); res.StatusCode != http.StatusForbidden {
		t.Errorf("changed: %d %s", res.StatusCode, body)
	}
}
