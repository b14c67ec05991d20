package api_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	sdk "github.com/aliyun/fc-go-sdk"
)

// client is the Go SDK, pointed at the server.
func (s *server) client(key, secret string) *sdk.Client {
	s.t.Helper()
	c, err := sdk.NewClient(s.url, "2016-08-15", key, secret)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refusedWith checks the code and the status of an error of the SDK.
func refusedWith(t *testing.T, err error, status int, code string) {
	t.Helper()
	var e *sdk.ServiceError
	if !errors.As(err, &e) || e.HTTPStatus != status || e.ErrorCode != code || len(e.RequestID) != 36 || e.ErrorMessage == "" {
		t.Errorf("got %v, want %d %s", err, status, code)
	}
}

func TestGoSDKServices(t *testing.T) {
	s := start(t)
	c := s.client(rootKey, rootSecret)
	in := sdk.NewCreateServiceInput().WithServiceName("demo").WithDescription("d").WithRole(role).WithInternetAccess(false).
		WithLogConfig(sdk.NewLogConfig().WithProject("logs").WithLogstore("store")).
		WithVPCConfig(sdk.NewVPCConfig().WithVPCID("v").WithVSwitchIDs([]string{"s"}).WithSecurityGroupID("g")).
		WithNASConfig(sdk.NewNASConfig().WithUserID(1).WithGroupID(2).
			WithMountPoints([]sdk.NASMountConfig{sdk.NewNASMountConfig("n:/", "/mnt")})).
		WithTracingConfig(sdk.NewTracingConfig().WithJaegerConfig(sdk.NewJaegerConfig().WithEndpoint("http://j")))
	created, err := c.CreateService(in)
	ok(t, err)
	if *created.ServiceName != "demo" || *created.Role != role || *created.LogConfig.Logstore != "store" || *created.InternetAccess ||
		*created.VPCConfig.VPCID != "v" || *created.NASConfig.UserID != 1 || *created.TracingConfig.Type != "Jaeger" ||
		*created.ServiceID == "" || len(created.GetEtag()) != 32 || len(created.GetRequestID()) != 36 {
		t.Errorf("created %s", created)
	}
	_, err = c.CreateService(in)
	refusedWith(t, err, 409, "ServiceAlreadyExists")

	updated, err := c.UpdateService(sdk.NewUpdateServiceInput("demo").WithDescription("new").WithIfMatch(created.GetEtag()))
	ok(t, err)
	if *updated.Description != "new" || *updated.Role != role || updated.GetEtag() == created.GetEtag() {
		t.Errorf("updated %s", updated)
	}
	_, err = c.UpdateService(sdk.NewUpdateServiceInput("demo").WithIfMatch(created.GetEtag()))
	refusedWith(t, err, 412, "PreconditionFailed")

	got, err := c.GetService(sdk.NewGetServiceInput("demo"))
	ok(t, err)
	if got.GetEtag() != updated.GetEtag() || *got.LastModifiedTime != *updated.LastModifiedTime {
		t.Errorf("got %s", got)
	}
	_, err = c.GetService(sdk.NewGetServiceInput("demo").WithQualifier("LATEST"))
	ok(t, err)
	_, err = c.GetService(sdk.NewGetServiceInput("demo").WithQualifier("3"))
	refusedWith(t, err, 404, "VersionNotFound")
	_, err = c.DeleteService(sdk.NewDeleteServiceInput("demo").WithIfMatch("x"))
	refusedWith(t, err, 412, "PreconditionFailed")
	_, err = c.DeleteService(sdk.NewDeleteServiceInput("demo").WithIfMatch(updated.GetEtag()))
	ok(t, err)
	_, err = c.GetService(sdk.NewGetServiceInput("demo"))
	refusedWith(t, err, 404, "ServiceNotFound")
}

func TestGoSDKPages(t *testing.T) {
	s := start(t)
	c := s.client(rootKey, rootSecret)
	for i := range 10 {
		_, err := c.CreateService(sdk.NewCreateServiceInput().WithServiceName(fmt.Sprint("s", i)))
		ok(t, err)
	}
	in, seen, calls := sdk.NewListServicesInput().WithLimit(3).WithPrefix("s"), 0, 0
	for {
		out, err := c.ListServices(in)
		ok(t, err)
		for _, v := range out.Services {
			if *v.ServiceName != fmt.Sprint("s", seen) {
				t.Errorf("item %d is %s", seen, *v.ServiceName)
			}
			seen++
		}
		calls++
		if out.NextToken == nil {
			break
		}
		in = in.WithNextToken(*out.NextToken)
	}
	if seen != 10 || calls != 4 {
		t.Errorf("%d items in %d calls", seen, calls)
	}
	out, err := c.ListServices(sdk.NewListServicesInput().WithStartKey("s8"))
	ok(t, err)
	if len(out.Services) != 2 || *out.Services[0].ServiceName != "s8" {
		t.Errorf("from s8: %s", out)
	}
	_, err = c.ListServices(sdk.NewListServicesInput().WithLimit(101))
	refusedWith(t, err, 400, "InvalidArgument")
}

func TestGoSDKFunctions(t *testing.T) {
	s := start(t)
	c := s.client(rootKey, rootSecret)
	_, err := c.CreateService(sdk.NewCreateServiceInput().WithServiceName("demo"))
	ok(t, err)
	in := sdk.NewCreateFunctionInput("demo").WithFunctionName("echo").WithRuntime("python3").WithHandler("index.handler").
		WithMemorySize(256).WithTimeout(10).WithInitializer("index.init").WithInitializationTimeout(5).
		WithEnvironmentVariables(map[string]string{"A": "1"}).WithInstanceConcurrency(2).
		WithCode(sdk.NewCode().WithZipFile(zipFile(t, "index.py")))
	created, err := c.CreateFunction(in)
	ok(t, err)
	if *created.FunctionName != "echo" || *created.MemorySize != 256 || *created.Timeout != 10 || *created.FunctionID == "" ||
		*created.CodeSize == 0 || *created.CodeChecksum == "" || created.EnvironmentVariables["A"] != "1" || created.GetEtag() == "" {
		t.Errorf("created %s", created)
	}
	_, err = c.CreateFunction(in)
	refusedWith(t, err, 409, "FunctionAlreadyExists")
	bad := sdk.NewCreateFunctionInput("demo").WithFunctionName("bad").WithRuntime("cobol").WithHandler("a.b").
		WithCode(sdk.NewCode().WithZipFile(zipFile(t, "a.py")))
	_, err = c.CreateFunction(bad)
	refusedWith(t, err, 400, "InvalidArgument")
	if !strings.Contains(err.Error(), "Runtime is set to an invalid value") {
		t.Errorf("error %v", err)
	}

	updated, err := c.UpdateFunction(sdk.NewUpdateFunctionInput("demo", "echo").WithTimeout(20).WithIfMatch(created.GetEtag()))
	ok(t, err)
	if *updated.Timeout != 20 || *updated.CodeChecksum != *created.CodeChecksum || updated.EnvironmentVariables["A"] != "1" {
		t.Errorf("updated %s", updated)
	}
	fromBucket, err := c.UpdateFunction(sdk.NewUpdateFunctionInput("demo", "echo").
		WithCode(sdk.NewCode().WithOSSBucketName("b").WithOSSObjectName("code.zip")))
	ok(t, err)
	code, err := c.GetFunctionCode(sdk.NewGetFunctionCodeInput("demo", "echo"))
	ok(t, err)
	if sum := s.get("GET", code.URL).header.Get("X-Oss-Hash-Crc64ecma"); sum != *fromBucket.CodeChecksum {
		t.Errorf("%s has checksum %q, want %s", code, sum, *fromBucket.CodeChecksum)
	}
	listed, err := c.ListFunctions(sdk.NewListFunctionsInput("demo").WithQualifier("LATEST"))
	ok(t, err)
	if len(listed.Functions) != 1 || *listed.Functions[0].FunctionName != "echo" || listed.NextToken != nil {
		t.Errorf("listed %s", listed)
	}
	_, err = c.DeleteService(sdk.NewDeleteServiceInput("demo"))
	refusedWith(t, err, 409, "ServiceNotEmpty")
	_, err = c.DeleteFunction(sdk.NewDeleteFunctionInput("demo", "echo"))
	ok(t, err)
	_, err = c.GetFunction(sdk.NewGetFunctionInput("demo", "echo"))
	refusedWith(t, err, 404, "FunctionNotFound")
}

func TestGoSDKInvokes(t *testing.T) {
	s := start(t)
	s.demo()
	c := s.client(rootKey, rootSecret)
	out, err := c.InvokeFunction(sdk.NewInvokeFunctionInput("demo", "resize").WithPayload([]byte("hello")).WithLogType("Tail"))
	ok(t, err)
	log, err := out.GetLogResult()
	if err != nil || string(out.Payload) != "hello" || out.GetErrorType() != "" || !strings.Contains(log, out.GetRequestID()) {
		t.Errorf("%s, log %q, %v", out, log, err)
	}
	out, err = c.InvokeFunction(sdk.NewInvokeFunctionInput("demo", "resize").WithQualifier("LATEST"))
	ok(t, err)
	if len(out.Payload) != 0 {
		t.Errorf("no payload gave %q", out.Payload)
	}
	out, err = c.InvokeFunction(sdk.NewInvokeFunctionInput("demo", "resize").WithPayload([]byte("handled")))
	ok(t, err)
	if out.GetErrorType() != "HandledInvocationError" || !strings.Contains(string(out.Payload), "oops") {
		t.Errorf("%s", out)
	}
	out, err = c.InvokeFunction(sdk.NewInvokeFunctionInput("demo", "resize").WithAsyncInvocation().WithPayload([]byte("later")))
	ok(t, err)
	if _, there := s.queued(out.GetRequestID()); !there || out.Header.Get("Content-Type") != "" {
		t.Errorf("%s", out)
	}
	_, err = c.InvokeFunction(sdk.NewInvokeFunctionInput("demo", "resize").WithLogType("Invalid"))
	refusedWith(t, err, 400, "InvalidArgument")
	_, err = c.InvokeFunction(sdk.NewInvokeFunctionInput("demo", "absent").WithAsyncInvocation())
	refusedWith(t, err, 404, "FunctionNotFound")
	_, err = s.client("nobody", "x").InvokeFunction(sdk.NewInvokeFunctionInput("demo", "resize"))
	refusedWith(t, err, 403, "InvalidAccessKeyId")
	_, err = s.client(rootKey, "x").InvokeFunction(sdk.NewInvokeFunctionInput("demo", "resize"))
	refusedWith(t, err, 403, "SignatureNotMatch")
}

func TestGoSDKTriggers(t *testing.T) {
	s := start(t)
	s.must("POST", "/services", m{"serviceName": "demo"})
	s.must("POST", "/services/demo/functions", functionOf(t, "resize"))
	c := s.client(rootKey, rootSecret)
	created, err := c.CreateTrigger(sdk.NewCreateTriggerInput("demo", "resize").WithTriggerName("uploads").WithTriggerType("oss").
		WithSourceARN(bucket).WithInvocationRole(role).
		WithTriggerConfig(sdk.NewOSSTriggerConfig().WithEvents([]string{"oss:ObjectCreated:*"}).WithFilterKeyPrefix("src/")))
	ok(t, err)
	if *created.TriggerName != "uploads" || *created.SourceARN != bucket || *created.InvocationRole != role || created.GetEtag() == "" {
		t.Errorf("created %s", created)
	}
	if cfg := created.TriggerConfig.(*sdk.OSSTriggerConfig); cfg.Events[0] != "oss:ObjectCreated:*" {
		t.Errorf("config %v", cfg)
	}
	_, err = c.CreateTrigger(sdk.NewCreateTriggerInput("demo", "resize").WithTriggerName("tick").WithTriggerType("timer").
		WithTriggerConfig(sdk.NewTimeTriggerConfig().WithCronExpression("@every 1m").WithPayload("p").WithEnable(true)))
	ok(t, err)
	listed, err := c.ListTriggers(sdk.NewListTriggersInput("demo", "resize").WithLimit(1))
	ok(t, err)
	if len(listed.Triggers) != 1 || listed.Triggers[0].SourceARN != nil || listed.NextToken == nil {
		t.Errorf("listed %s", listed)
	}
	updated, err := c.UpdateTrigger(sdk.NewUpdateTriggerInput("demo", "resize", "uploads").WithDescription("new").WithIfMatch(created.GetEtag()))
	ok(t, err)
	if *updated.Description != "new" || *updated.InvocationRole != role {
		t.Errorf("updated %s", updated)
	}
	_, err = c.DeleteFunction(sdk.NewDeleteFunctionInput("demo", "resize"))
	refusedWith(t, err, 409, "FunctionNotEmpty")
	_, err = c.DeleteTrigger(sdk.NewDeleteTriggerInput("demo", "resize", "uploads"))
	ok(t, err)
	_, err = c.GetTrigger(sdk.NewGetTriggerInput("demo", "resize", "uploads"))
	refusedWith(t, err, 404, "TriggerNotFound")
}
