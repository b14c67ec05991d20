package api_test

import (
	"context"
	"encoding/base64"
	"testing"
	"time"

	sdk "github.com/aliyun/fc-go-sdk"
	"github.com/google/go-cmp/cmp"

	"fcd/api"
	"fcd/fc"
	"fcd/store"
)

const (
	toFunction = "acs:fc:" + region + ":" + account + ":services/demo/functions/after"
	toLogstore = "acs:log:" + region + ":" + account + ":project/p/logstore/l"
)

// stopper notes whom it was asked to stop.
type stopper struct {
	asked    []string
	stopping int64
}

func (s *stopper) Stop(_ context.Context, requestID string) error {
	s.asked = append(s.asked, requestID)
	return nil
}
func (s *stopper) Stopping(id int64) bool { return id == s.stopping }

// pair is the demo with a second function, for destinations.
func pair(t *testing.T, change ...func(*api.Options)) (*server, *sdk.Client) {
	s := start(t, change...)
	s.demo()
	s.must("POST", "/services/demo/functions", functionOf(t, "after"))
	return s, s.client(rootKey, rootSecret)
}

func TestGoSDKAsyncConfigs(t *testing.T) {
	s, c := pair(t)
	_, err := c.GetFunctionAsyncInvokeConfig(sdk.NewGetFunctionAsyncInvokeConfigInput("demo", "resize"))
	refusedWith(t, err, 404, "AsyncConfigNotExists")

	in := sdk.NewPutFunctionAsyncInvokeConfigInput("demo", "resize").WithAsyncConfig(sdk.AsyncConfig{
		StatefulInvocation:    new(true),
		DestinationConfig:     &sdk.DestinationConfig{OnSuccess: &sdk.Destination{Destination: new(toFunction)}, OnFailure: &sdk.Destination{Destination: new(toLogstore)}},
		MaxAsyncRetryAttempts: new(int64(5)), MaxAsyncEventAgeInSeconds: new(int64(60))})
	put, err := c.PutFunctionAsyncInvokeConfig(in)
	ok(t, err)
	got, err := c.GetFunctionAsyncInvokeConfig(sdk.NewGetFunctionAsyncInvokeConfigInput("demo", "resize").WithQualifier("LATEST"))
	ok(t, err)
	if diff := cmp.Diff(put.AsyncConfigResponse, got.AsyncConfigResponse); diff != "" {
		t.Error(diff)
	}
	if *got.Service != "demo" || *got.Function != "resize" || *got.Qualifier != "LATEST" || *got.CreatedTime == "" || !*got.StatefulInvocation ||
		*got.DestinationConfig.OnSuccess.Destination != toFunction || *got.MaxAsyncRetryAttempts != 5 || *got.MaxAsyncEventAgeInSeconds != 60 {
		t.Errorf("got %s", got)
	}
	// A PUT replaces all of it, and the guide's names are taken as well.
	s.must("PUT", "/services/demo/functions/resize/async-invoke-config", m{"maximumRetryAttempts": 0, "maximumEventAgeInSeconds": 3600})
	got, err = c.GetFunctionAsyncInvokeConfig(sdk.NewGetFunctionAsyncInvokeConfigInput("demo", "resize"))
	ok(t, err)
	if *got.MaxAsyncRetryAttempts != 0 || *got.MaxAsyncEventAgeInSeconds != 3600 || got.DestinationConfig.OnSuccess != nil || *got.StatefulInvocation ||
		*got.CreatedTime != *put.CreatedTime {
		t.Errorf("replaced: %s", got)
	}
	list, err := c.ListFunctionAsyncInvokeConfigs(sdk.NewListFunctionAsyncInvokeConfigsInput("demo", "resize"))
	ok(t, err)
	if len(list.Configs) != 1 || *list.Configs[0].Qualifier != "LATEST" || list.NextToken != nil {
		t.Errorf("listed: %s", list)
	}
	if config := s.catalog.AsyncConfig(fc.FunctionRef{Service: "demo", Function: "resize"}); config == nil || *config.MaxRetryAttempts != 0 {
		t.Errorf("the dispatcher sees %+v", config)
	}
	_, err = c.DeleteFunctionAsyncInvokeConfig(sdk.NewDeleteFunctionAsyncInvokeConfigInput("demo", "resize"))
	ok(t, err)
	_, err = c.DeleteFunctionAsyncInvokeConfig(sdk.NewDeleteFunctionAsyncInvokeConfigInput("demo", "resize"))
	refusedWith(t, err, 404, "AsyncConfigNotExists")
	_, err = c.PutFunctionAsyncInvokeConfig(in)
	ok(t, err)
	_, err = c.DeleteTrigger(sdk.NewDeleteTriggerInput("demo", "resize", "uploads"))
	ok(t, err)
	_, err = c.DeleteFunction(sdk.NewDeleteFunctionInput("demo", "resize"))
	ok(t, err)
	if config := s.catalog.AsyncConfig(fc.FunctionRef{Service: "demo", Function: "resize"}); config != nil {
		t.Errorf("it outlives its function: %+v", config)
	}
}

func TestAsyncConfigsAreChecked(t *testing.T) {
	s, _ := pair(t)
	to := func(arn string) m { return m{"destinationConfig": m{"onSuccess": m{"destination": arn}}} }
	self := "acs:fc:" + region + ":" + account + ":services/demo.LATEST/functions/resize"
	for _, tt := range []struct {
		name, path string
		body       any
		status     int
		code       fc.Code
	}{
		{"too many retries", "demo/functions/resize", m{"maxAsyncRetryAttempts": 9}, 400, fc.InvalidArgument},
		{"less than none", "demo/functions/resize", m{"maxAsyncRetryAttempts": -1}, 400, fc.InvalidArgument},
		{"no time", "demo/functions/resize", m{"maxAsyncEventAgeInSeconds": 0}, 400, fc.InvalidArgument},
		{"too much time", "demo/functions/resize", m{"maxAsyncEventAgeInSeconds": 604801}, 400, fc.InvalidArgument},
		{"not a name", "demo/functions/resize", to("after"), 400, fc.InvalidArgument},
		{"another service", "demo/functions/resize", to("acs:eventbridge:" + region + ":" + account + ":eventbus/x"), 400, fc.InvalidArgument},
		{"another account", "demo/functions/resize", to("acs:fc:" + region + ":9:services/demo/functions/after"), 400, fc.InvalidArgument},
		{"itself", "demo/functions/resize", to(self), 400, fc.InvalidArgument},
		{"a function that is not there", "demo/functions/resize", to(toFunction + "x"), 400, fc.InvalidArgument},
		{"no such function", "demo/functions/none", m{}, 404, fc.FunctionNotFound},
		{"no such service", "none/functions/none", m{}, 404, fc.ServiceNotFound},
		{"no such version", "demo.7/functions/resize", m{}, 404, fc.VersionNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, s.do("PUT", "/services/"+tt.path+"/async-invoke-config", tt.body), tt.status, tt.code)
		})
	}
}

func TestACallersIDMakesARepeatedRequestTheSameInvocation(t *testing.T) {
	s, c := pair(t)
	in := func(event string) *sdk.InvokeFunctionInput {
		return sdk.NewInvokeFunctionInput("demo", "resize").WithPayload([]byte(event)).WithStatefulAsyncInvocationID("order-7")
	}
	first, err := c.InvokeFunction(in("one"))
	ok(t, err)
	again, err := c.InvokeFunction(in("two"))
	ok(t, err)
	if again.GetRequestID() != first.GetRequestID() {
		t.Errorf("requests %s and %s", first.GetRequestID(), again.GetRequestID())
	}
	if _, messages := s.contents(); messages != 1 {
		t.Errorf("%d messages wait", messages)
	}
	if msg, found := s.queued(first.GetRequestID()); !found || string(msg.Payload) != "one" {
		t.Errorf("queued %+v", msg)
	}
	// The same name of another function is another invocation.
	_, err = c.InvokeFunction(sdk.NewInvokeFunctionInput("demo", "after").WithStatefulAsyncInvocationID("order-7"))
	ok(t, err)
	if _, messages := s.contents(); messages != 2 {
		t.Errorf("%d messages wait", messages)
	}
	_, err = c.InvokeFunction(sdk.NewInvokeFunctionInput("demo", "after").WithStatefulAsyncInvocationID("a b"))
	refusedWith(t, err, 400, "InvalidArgument")
}

// finish ends the invocation with that request id.
func (s *server) finish(requestID, state, cause string, attempts int) {
	s.t.Helper()
	inv, err := s.store.Find(s.t.Context(), requestID)
	if err == nil {
		_, err = s.store.Apply(s.t.Context(), store.Batch{Done: []store.Outcome{
			{ID: inv.ID, State: state, Cause: cause, Keep: state == store.StateDead, Attempts: attempts}}})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestGoSDKStatefulInvocations(t *testing.T) {
	stop := &stopper{}
	s, c := pair(t, func(o *api.Options) { o.Stopper = stop })
	at := time.Now().Add(-5 * time.Minute).Truncate(time.Millisecond)
	s.now = func() time.Time { return at }
	requests := map[string]string{}
	for i, id := range []string{"waits", "runs", "good", "bad", "old", "ended"} {
		s.now = func() time.Time { return at.Add(time.Duration(i) * time.Second) }
		in := sdk.NewInvokeFunctionInput("demo", "resize").WithPayload([]byte("event of " + id)).WithStatefulAsyncInvocationID(id)
		if i%2 == 1 {
			in = in.WithQualifier("LATEST") // the same function by another name
		}
		out, err := c.InvokeFunction(in)
		ok(t, err)
		requests[id] = out.GetRequestID()
	}
	s.finish(requests["good"], store.StateSucceeded, "", 2)
	s.finish(requests["bad"], store.StateDead, "it failed", 4)
	s.finish(requests["old"], store.StateDead, store.CauseTooOld+"1m0s", 1)
	s.finish(requests["ended"], store.StateStopped, "stopped by the caller", 1)
	if _, err := s.store.Claim(t.Context(), "w", map[string]int{"demo/LATEST/resize": 1}, time.Hour); err != nil {
		t.Fatal(err)
	}

	got, err := c.GetStatefulAsyncInvocation(sdk.NewGetStatefulAsyncInvocationInput("demo", "resize", "bad"))
	ok(t, err)
	if *got.Status != "Failed" || *got.InvocationErrorMessage != "it failed" || *got.InvocationPayload != "event of bad" || *got.AlreadyRetriedTimes != 3 ||
		*got.RequestID != requests["bad"] || *got.StartedTime != at.Add(3*time.Second).UnixMilli() || *got.EndTime == 0 || *got.ServiceName != "demo" {
		t.Errorf("got %s", got)
	}
	_, err = c.GetStatefulAsyncInvocation(sdk.NewGetStatefulAsyncInvocationInput("demo", "after", "bad"))
	refusedWith(t, err, 404, "StatefulAsyncInvocationNotFound")

	list := func(in *sdk.ListStatefulAsyncInvocationsInput) (all []string) {
		t.Helper()
		for {
			out, err := c.ListStatefulAsyncInvocations(in)
			ok(t, err)
			for _, i := range out.Invocations {
				all = append(all, *i.InvocationID+" "+*i.Status)
			}
			if out.NextToken == nil {
				return all
			}
			in = in.WithNextToken(*out.NextToken)
		}
	}
	query := func() *sdk.ListStatefulAsyncInvocationsInput {
		return sdk.NewListStatefulAsyncInvocationsInput("demo", "resize")
	}
	latestFirst := []string{"ended Stopped", "old Expired", "bad Failed", "good Succeeded", "runs Running", "waits Enqueued"}
	for _, tt := range []struct {
		name string
		in   *sdk.ListStatefulAsyncInvocationsInput
		want []string
	}{
		{"all", query(), latestFirst},
		{"by pages", query().WithLimit(2), latestFirst},
		{"earliest first", query().WithSortOrderByTime("asc").WithLimit(4), []string{"waits Enqueued", "runs Running", "good Succeeded", "bad Failed", "old Expired", "ended Stopped"}},
		{"one status of two that are dead", query().WithStatus("Expired").WithLimit(1), latestFirst[1:2]},
		{"running", query().WithStatus("Running"), latestFirst[4:5]},
		{"a time", query().WithStartedTimeBegin(at.Add(time.Second).UnixMilli()).WithStartedTimeEnd(at.Add(3 * time.Second).UnixMilli()), latestFirst[3:5]},
		{"a prefix", query().WithInvocationIDPrefix("o"), latestFirst[1:2]},
	} {
		if diff := cmp.Diff(tt.want, list(tt.in)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	out, err := c.ListStatefulAsyncInvocations(query().WithIncludePayload(true).WithStatus("Enqueued"))
	ok(t, err)
	if *out.Invocations[0].InvocationPayload != "event of waits" {
		t.Errorf("with its payload: %s", out)
	}
	_, err = c.ListStatefulAsyncInvocations(query().WithStatus("Odd"))
	refusedWith(t, err, 400, "InvalidArgument")

	_, err = c.StopStatefulAsyncInvocation(sdk.NewStopStatefulAsyncInvocationInput("demo", "resize", "runs"))
	ok(t, err)
	if diff := cmp.Diff([]string{requests["runs"]}, stop.asked); diff != "" {
		t.Error(diff)
	}
	inv, err := s.store.Find(t.Context(), requests["runs"])
	ok(t, err)
	stop.stopping = inv.ID
	got, err = c.GetStatefulAsyncInvocation(sdk.NewGetStatefulAsyncInvocationInput("demo", "resize", "runs"))
	ok(t, err)
	if *got.Status != "Stopping" {
		t.Errorf("it is %s", *got.Status)
	}
}

func TestDeadLetters(t *testing.T) {
	s, _ := pair(t)
	die := func(service, function, event string) string {
		t.Helper()
		a := s.must("POST", "/services/"+service+"/functions/"+function+"/invocations", event, header("X-Fc-Invocation-Type", "Async"))
		id := a.header.Get("X-Fc-Request-Id")
		s.finish(id, store.StateDead, "no luck with "+event, 4)
		return id
	}
	list := func(query string) (ids []string) {
		t.Helper()
		for _, l := range s.must("GET", "!/fcd/v1/deadletters"+query, nil).object(t)["deadLetters"].([]any) {
			ids = append(ids, l.(m)["cause"].(string))
		}
		return ids
	}
	one := die("demo", "resize", "one")
	die("demo", "after", "two")
	s.must("POST", "/services/demo/functions/resize/invocations", "alive", header("X-Fc-Invocation-Type", "Async"))
	if got := list(""); len(got) != 2 {
		t.Errorf("all: %q", got)
	}
	if diff := cmp.Diff([]string{"no luck with two"}, list("?function=demo/after")); diff != "" {
		t.Error(diff)
	}
	letter := s.must("GET", "!/fcd/v1/deadletters/"+one, nil).object(t)
	if letter["function"] != "demo/resize" || letter["attempts"] != 4.0 || letter["payload"] != base64.StdEncoding.EncodeToString([]byte("one")) {
		t.Errorf("got %v", letter)
	}
	wantError(t, s.do("GET", "!/fcd/v1/deadletters/none", nil), 404, fc.DeadLetterNotFound)
	wantError(t, s.do("POST", "!/fcd/v1/deadletters/redrive", nil), 400, fc.InvalidArgument)

	s.must("POST", "!/fcd/v1/deadletters/"+one+"/redrive", nil)
	msg, found := s.queued(one)
	if !found || string(msg.Payload) != "one" || msg.Attempt != 0 {
		t.Errorf("redriven: %v %+v", found, msg)
	}
	wantError(t, s.do("POST", "!/fcd/v1/deadletters/"+one+"/redrive", nil), 404, fc.DeadLetterNotFound)
	s.finish(one, store.StateDead, "no luck with one", 4)
	if a := s.must("POST", "!/fcd/v1/deadletters/redrive?all=true", nil).object(t); a["redriven"] != 2.0 {
		t.Errorf("redrive of all: %v", a)
	}
	s.finish(one, store.StateDead, "no luck with one", 4)
	s.must("DELETE", "!/fcd/v1/deadletters?function=demo/after", nil)
	s.must("DELETE", "!/fcd/v1/deadletters/"+one, nil)
	if got := list(""); len(got) != 0 {
		t.Errorf("after the purge: %q", got)
	}
	for range 3 {
		die("demo", "after", "more")
	}
	s.must("DELETE", "!/fcd/v1/deadletters?all=true", nil)
	if got := list(""); len(got) != 0 {
		t.Errorf("after the purge of all: %q", got)
	}
}

func TestARedriveMakesTheChecksOfDeliveryAgain(t *testing.T) {
	s, _ := pair(t)
	tr := s.must("POST", "/services/demo/functions/resize/triggers", ossTrigger("t", "in/")).object(t)
	die := func(trigger, cause string) string {
		id := fc.NewRequestID()
		a, err := s.store.Apply(t.Context(), store.Batch{Enqueue: []store.Msg{{RequestID: id, Fn: "demo//resize", Trigger: trigger}}})
		ok(t, err)
		_, err = s.store.Apply(t.Context(), store.Batch{Done: []store.Outcome{{ID: a.IDs[0], State: store.StateDead, Cause: cause, Keep: true}}})
		ok(t, err)
		return id
	}
	id := tr["triggerId"].(string)
	s.must("POST", "!/fcd/v1/deadletters/"+die(id, "policy: the role did not allow it")+"/redrive", nil)
	wantError(t, s.do("POST", "!/fcd/v1/deadletters/"+die(id, "arn-mismatch: another bucket")+"/redrive", nil), 403, fc.AccessDenied)
	wantError(t, s.do("POST", "!/fcd/v1/deadletters/"+die("gone", "policy")+"/redrive", nil), 404, fc.TriggerNotFound)
	a := s.must("POST", "!/fcd/v1/deadletters/redrive?all=true", nil).object(t)
	if a["redriven"] != 0.0 || len(a["refused"].([]any)) != 2 {
		t.Errorf("all: %v", a)
	}
}
