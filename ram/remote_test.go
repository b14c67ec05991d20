package ram

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fcd/fc"
)

// stsFunc is STS as the test wants it.
type stsFunc func(ctx context.Context, arn, session string, life time.Duration) (fc.Credentials, error)

func (f stsFunc) AssumeRole(ctx context.Context, arn, session string, life time.Duration) (fc.Credentials, error) {
	return f(ctx, arn, session, life)
}

const realRole = "acs:ram::999:role/real"

func TestCredentialsOfARealRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		var calls atomic.Int32
		var down atomic.Bool
		gate := make(chan struct{}, 100)
		d := testDirectory(t, func(o *Options) {
			o.Roles[0].Remote, o.Clock, o.Log = realRole, time.Now, zap.New(core)
			o.STS = stsFunc(func(_ context.Context, arn, session string, life time.Duration) (fc.Credentials, error) {
				n := calls.Add(1)
				<-gate
				if arn != realRole || session == "" || life != time.Hour {
					t.Errorf("asked for %s, %q, %v", arn, session, life)
				}
				if down.Load() {
					return fc.Credentials{}, errors.New("down")
				}
				return fc.Credentials{AccessKeyID: fmt.Sprint("STS.", n), Expiration: time.Now().Add(life)}, nil
			})
		})
		get := func() string {
			t.Helper()
			c, err := d.Credentials(context.Background(), "acs:ram::123456:role/invoke", "s/f")
			if err != nil {
				t.Error(err)
			}
			return c.AccessKeyID
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if got := get(); got != "STS.1" {
					t.Errorf("got %q", got)
				}
			})
		}
		synctest.Wait()
		gate <- struct{}{}
		wg.Wait()
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls for twenty at once", n)
		}
		time.Sleep(40 * time.Minute) // 20 minutes left: still fresh
		if got := get(); got != "STS.1" {
			t.Errorf("got %q", got)
		}
		time.Sleep(time.Second)
		// One asks, the others have the old ones meanwhile.
		renewed := make(chan string)
		go func() { renewed <- get() }()
		synctest.Wait()
		if got := get(); got != "STS.1" {
			t.Errorf("during the renewal: %q", got)
		}
		gate <- struct{}{}
		if got := <-renewed; got != "STS.2" {
			t.Errorf("renewed: %q", got)
		}
		// While STS is down the old ones serve to their end, and it is asked each ten seconds at most.
		down.Store(true)
		close(gate)
		time.Sleep(45 * time.Minute)
		before := calls.Load()
		for range 60 {
			if got := get(); got != "STS.2" {
				t.Errorf("while it is down: %q", got)
			}
			time.Sleep(time.Second)
		}
		if n := calls.Load() - before; n < 5 || n > 7 {
			t.Errorf("%d calls in a minute", n)
		}
		time.Sleep(15 * time.Minute)
		if got := get(); got != "" {
			t.Errorf("after their end: %q", got)
		}
		down.Store(false)
		time.Sleep(11 * time.Second)
		if got := get(); !strings.HasPrefix(got, "STS.") || got == "STS.2" {
			t.Errorf("when it is up again: %q", got)
		}
		if logs.FilterMessage("STS gave no credentials").Len() == 0 {
			t.Error("nothing was logged")
		}
	})
}

func TestARealRoleNeedsSTS(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no STS":            func(o *Options) {},
		"no role":           func(o *Options) { o.Roles[0].Remote = "real"; o.STS = stsFunc(nil) },
		"static and remote": func(o *Options) { o.Roles[0].Static = &fc.Credentials{}; o.STS = stsFunc(nil) },
	} {
		o := testOptions()
		o.Roles[0].Remote = realRole
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestADenialNamesItsStatement(t *testing.T) {
	d := testDirectory(t, func(o *Options) {
		o.Roles[0].Policies = append(o.Roles[0].Policies, Policy{Name: "own", Document: []byte(`{"Version":"1","Statement":[
			{"Effect":"Allow","Action":"oss:*","Resource":"*"},
			{"Effect":"Deny","Action":"fc:*","Resource":"*/functions/resize"}]}`)})
	})
	for role, want := range map[string]string{
		"invoke":    "statement 2 of policy 'own' denies it",
		"no-policy": "it has no policies",
	} {
		err := d.Authorize("acs:ram::123456:role/"+role, "oss.aliyuncs.com", "fc:InvokeFunction", resizeARN)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", role, err)
		}
	}
	err := d.Authorize("acs:ram::123456:role/invoke", "oss.aliyuncs.com", "log:GetLogs", resizeARN)
	if err == nil || !strings.HasSuffix(err.Error(), "no statement of its policies allows it (AliyunFCInvocationAccess, own)") {
		t.Errorf("nothing allows it: %v", err)
	}
}
