package ways_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/sign"
	"fcd/store"
	"fcd/store/catalog"
	"fcd/store/sqlite"
	"fcd/triggers"
	"fcd/triggers/oss"
	"fcd/triggers/ways"
	"fcd/triggers/ways/push"
	"fcd/triggers/ways/queue"
	"fcd/triggers/ways/waystest"
)

const (
	dirEnv   = "FCD_TEST_WAYS_DIR" // set in the process that is killed: its data directory
	queueEnv = "FCD_TEST_WAYS_QUEUE"
	keyEnv   = "FCD_TEST_WAYS_KEY"  // modulus of the fake topic's key, hexadecimal
	certEnv  = "FCD_TEST_WAYS_CERT" // the fake EventBridge's certificate
	killsEnv = "FCD_KILLS"          // rounds of TestKillBetweenDispatchAndAcknowledgement; default 3

	region, account = "cn-shanghai", "123456"
	source          = "acs:oss:cn-shanghai:123456:photos"
	token           = "0123456789abcdef0123456789abcdef"
	batch           = 16
	pushers         = 4
	perRound        = 12 // events of each way
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(dirEnv); dir != "" {
		work(dir)
	}
	os.Exit(m.Run())
}

// anyone may be anything: what is tested here is not who.
type anyone struct{}

func (anyone) Authorize(string, string, string, string) error { return nil }

// work is the process that is killed: everything from the ways in to the queue on disk. Nothing takes from the queue.
func work(dir string) {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: dir, MinFreeBytes: -1})
	check(err)
	view := catalog.New(db, catalog.Options{})
	kinds, err := triggers.NewKinds(oss.Kind(oss.Options{Region: region, Account: account}))
	check(err)
	bridge, err := triggers.NewBridge(triggers.BridgeOptions{Store: db, Triggers: view, Functions: view, Authorizer: anyone{}, Kinds: kinds, Region: region, Account: account})
	check(err)
	manager, err := triggers.NewManager(triggers.ManagerOptions{Kinds: kinds, Bridge: bridge, Watch: view, Checkpoints: db, Region: region, Account: account})
	check(err)
	furnish(db)
	check(view.Load(ctx))
	go func() { check(view.Run(ctx)) }()
	go func() { check(manager.Run(ctx)) }()
	bound := ways.Binding{Type: fc.TriggerOSS, Source: source}
	puller, err := queue.New(queue.Options{Name: "q", Endpoint: os.Getenv(queueEnv), Queue: "q", Binding: bound, Receiver: manager, Dead: manager, Batch: batch, Log: zap.NewNop(),
		Keys: func(context.Context) (fc.Credentials, error) {
			return fc.Credentials{AccessKeyID: waystest.AccessKeyID, AccessKeySecret: waystest.AccessKeySecret}, nil
		}})
	check(err)
	key := sign.MNSKey()
	key.N.SetString(os.Getenv(keyEnv), 16)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	handler, err := push.New(push.Options{Receiver: manager, Dead: manager, MNSKey: key, Region: region, PublicURL: "http://" + l.Addr().String(),
		Transport: certificate(os.Getenv(certEnv)), Bindings: []push.Binding{
			{Name: "b", From: push.FromMNS, Token: token, Binding: bound}, {Name: "e", From: push.FromEventBridge, Token: token, Binding: bound}}})
	check(err)
	fmt.Printf("http://%s/push/\n", l.Addr())
	go func() { check(puller.Run(ctx)) }()
	check(http.Serve(l, handler))
}

// certificate is what EventBridge's host answers.
type certificate string

func (c certificate) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(c))), Request: r}, nil
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// furnish makes the function and the trigger, once.
func furnish(db store.Store) {
	now := time.Now()
	tr := &fc.Trigger{ServiceName: "s", FunctionName: "f", Name: "t", ID: "t1", Type: fc.TriggerOSS, Enabled: true, SourceARN: source,
		InvocationRole: "acs:ram::123456:role/r", Config: json.RawMessage(`{"events":["oss:ObjectCreated:*"]}`), CreatedTime: now}
	_, err := db.Apply(context.Background(), store.Batch{Puts: []store.Put{
		{Key: catalog.ServiceKey("s"), Value: catalog.Encode(&fc.Service{Name: "s", ID: "1"}), If: store.IfAny},
		{Key: catalog.FunctionKey("s", "f"), Value: catalog.Encode(&fc.Function{Name: "f", ID: "2", Runtime: "python3", Handler: "a.b"}), If: store.IfAny},
		{Key: catalog.TriggerKey("s", "f", "t"), Value: catalog.Encode(tr), If: store.IfAny},
	}})
	check(err)
}

// life is one run of the process.
type life struct {
	cmd *exec.Cmd
	url string // of pushes
}

func (r *rounds) start() *life {
	r.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), dirEnv+"="+r.dir, queueEnv+"="+r.server.URL, keyEnv+"="+fmt.Sprintf("%x", r.topic.N), certEnv+"="+r.cert)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		r.t.Fatal("the process did not begin to work")
	}
	return &life{cmd, lines.Text()}
}

func (l *life) kill() {
	_ = l.cmd.Process.Kill()
	_ = l.cmd.Wait()
}

// rounds is the world outside the process: a queue, and a topic and an EventBridge that push to it, life after life.
type rounds struct {
	t      *testing.T
	dir    string
	queue  *waystest.FakeMNS
	server *httptest.Server
	topic  *waystest.FakeTopic
	bridge *waystest.FakeEventBridge
	cert   string // the bridge's
	sent   int
	acks   atomic.Int64    // until the kill: acknowledgements that are lost from this one on
	lost   chan struct{}   // has a value when one was
	taken  [2]atomic.Int64 // pushes of the topic and of EventBridge that were acknowledged
	again  atomic.Int64    // acknowledgements that were lost: events that come again
}

// document is an event of its own.
func document(n int) string {
	return fmt.Sprintf(`{"events":[{"eventName":"ObjectCreated:PutObject","oss":{"bucket":{"arn":%q},"object":{"key":"k%06d"}},"responseElements":{"requestId":"%024X"}}]}`, source, n, n)
}

// cloudEvent is the same as EventBridge sends it.
func cloudEvent(n int) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":"%024X","source":"acs.oss","type":"oss:ObjectCreated:PutObject","subject":"%s/k%06[1]d","data":{"eventName":"ObjectCreated:PutObject","oss":{"bucket":{"arn":"%[2]s"},"object":{"key":"k%06[1]d"}},"responseElements":{"requestId":"%024[1]X"}}}`, n, source)
}

// TestKillBetweenDispatchAndAcknowledgement ends the process with kill -9 when an event is on disk and its acknowledgement
// on the way, over and over, while events come by a queue and by pushes of both kinds. No event is lost and none is queued twice.
func TestKillBetweenDispatchAndAcknowledgement(t *testing.T) {
	kills := 3
	if n, err := strconv.Atoi(os.Getenv(killsEnv)); err == nil {
		kills = n
	}
	r := &rounds{t: t, dir: t.TempDir(), topic: waystest.NewFakeTopic(t), bridge: waystest.NewFakeEventBridge(t, region), lost: make(chan struct{}, 1)}
	answer := httptest.NewRecorder()
	r.bridge.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, r.bridge.KeyURL, nil))
	r.cert = answer.Body.String()
	r.queue = &waystest.FakeMNS{LoseAck: func() bool {
		if r.acks.Add(-1) > 0 {
			return false
		}
		r.again.Add(1)
		select {
		case r.lost <- struct{}{}:
		default:
		}
		return true
	}}
	r.server = httptest.NewServer(r.queue)
	defer r.server.Close()
	for range kills {
		r.acks.Store(int64(1 + rand.IntN(perRound)))
		r.round(true)
	}
	r.acks.Store(1 << 40)
	r.round(false)
	r.verdict(kills)
}

// round sends events by both ways to one life of the process, which is killed in the midst of it or lives to see its end.
func (r *rounds) round(kill bool) {
	l := r.start()
	ctx, cancel := context.WithCancel(context.Background())
	var senders sync.WaitGroup
	first := r.sent
	r.sent += 2 * perRound
	for n := range perRound {
		r.queue.Send(document(first + n))
	}
	r.queue.Show()
	left := make(chan int, perRound)
	for n := range perRound {
		left <- first + perRound + n
	}
	close(left)
	for range pushers {
		senders.Go(func() {
			for n := range left {
				if !r.push(ctx, l, n) {
					r.queue.Send(document(n)) // what could not be pushed comes by the queue, in the next life
				}
			}
		})
	}
	if kill {
		select {
		case <-r.lost:
		case <-time.After(2 * time.Minute):
			r.t.Error("no acknowledgement came")
		}
		l.kill()
		cancel()
		senders.Wait()
		r.server.CloseClientConnections()
		for len(r.lost) > 0 {
			<-r.lost
		}
		return
	}
	senders.Wait()
	for deadline := time.Now().Add(2 * time.Minute); r.queue.Left() > 0 && time.Now().Before(deadline); {
		r.queue.Show()
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	l.kill()
}

// push sends one event and tells whether it was acknowledged.
func (r *rounds) push(ctx context.Context, l *life, n int) bool {
	req, want := r.topic.Push(r.t, l.url+"b/"+token, document(n), nil), http.StatusNoContent
	if n%2 == 1 {
		req, want = r.bridge.Push(r.t, l.url+"e/"+token, cloudEvent(n), time.Now()), http.StatusOK
	}
	res, err := http.DefaultClient.Do(req.WithContext(ctx))
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	if res.StatusCode == want {
		r.taken[n%2].Add(1)
	}
	return res.StatusCode == want
}

// verdict counts what is in the queue on disk.
func (r *rounds) verdict(kills int) {
	t := r.t
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: r.dir, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	queued := map[string]int{}
	fn := fc.FunctionRef{Service: "s", Function: "f"}.String()
	for {
		messages, err := db.Claim(t.Context(), "test", map[string]int{fn: 500}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if len(messages) == 0 {
			break
		}
		for _, m := range messages {
			queued[keyOf(t, m.Payload)]++
		}
	}
	lost, twice := 0, 0
	for n := range r.sent {
		switch c := queued[fmt.Sprintf("k%06d", n)]; {
		case c == 0:
			lost++
		case c > 1:
			twice++
		}
	}
	bound := kills * (batch + pushers)
	t.Logf("kills=%d events=%d lost=%d queued twice=%d acknowledgements lost=%d (at most %d in flight); pushes taken: %d of the topic, %d of EventBridge",
		kills, r.sent, lost, twice, r.again.Load(), bound, r.taken[0].Load(), r.taken[1].Load())
	if r.taken[0].Load() == 0 || r.taken[1].Load() == 0 {
		t.Error("one way of pushing brought nothing")
	}
	if lost > 0 || twice > 0 || len(queued) != r.sent || r.again.Load() > int64(bound) || r.queue.Left() > 0 {
		t.Errorf("%d messages are left in the queue, %d events are queued", r.queue.Left(), len(queued))
	}
	if r.again.Load() < int64(kills) {
		t.Errorf("only %d acknowledgements were lost in %d kills", r.again.Load(), kills)
	}
}

func keyOf(t *testing.T, payload []byte) string {
	t.Helper()
	var d struct {
		Events []struct {
			OSS struct{ Object struct{ Key string } }
		}
	}
	if err := json.NewDecoder(bytes.NewReader(payload)).Decode(&d); err != nil || len(d.Events) != 1 {
		t.Fatal(errors.Join(err, fmt.Errorf("payload %s", payload)))
	}
	return strings.Clone(d.Events[0].OSS.Object.Key)
}
