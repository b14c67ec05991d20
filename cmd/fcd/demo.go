package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
	"github.com/spf13/cobra"

	"fcd/api/client"
	"fcd/cmd/fcd/daemon"
	"fcd/cmd/fcd/local"
)

// Names of what the demo makes.
const (
	demoService  = "demo"
	demoBucket   = "demo-photos"
	demoProject  = "demo-logs"
	demoLogstore = "functions"
	demoPhoto    = "photos/landscape.jpg"
	demoThumb    = "thumbnails/landscape.jpg"
)

// demo is one run: a daemon of its own, two functions, a picture and a minute.
type demo struct {
	examples, dir string
	steps         *steps

	child *exec.Cmd
	exit  chan error // of the child
	e     daemon.Endpoint
	api   *client.Client
	photo []byte
	thumb []byte
	fires time.Time // when the timer shall fire
	lines []logLine
}

func newDemo() *cobra.Command {
	d := &demo{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: a picture is put, a thumbnail is made and logged, a timer fires",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilEnded(cmd.Context())
			defer stop()
			ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
			defer cancel()
			d.steps = &steps{out: cmd.OutOrStdout(), total: 9}
			return d.run(ctx, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&d.examples, "examples", "examples", "folder with image-resize and heartbeat")
	cmd.Flags().StringVar(&d.dir, "out", filepath.Join(os.TempDir(), "fcd-demo"), "folder for the daemon's data and the thumbnail; emptied first")
	return cmd
}

func (d *demo) run(ctx context.Context, out io.Writer) (err error) {
	defer func() { err = errors.Join(err, d.stop()) }()
	for _, s := range []struct {
		what string
		do   func(context.Context) (string, error)
	}{
		{"start a daemon on its embedded defaults", d.start},
		{"make a bucket and a service", d.makeService},
		{"deploy image-resize with an oss trigger", d.deployResize},
		{"deploy heartbeat with a timer trigger", d.deployHeartbeat},
		{"render a photo", d.render},
		{"put it into the bucket", d.put},
		{"wait for the thumbnail", d.awaitThumb},
		{"wait for the timer", d.awaitTimer},
		{"read the functions' log from the logstore", d.readLog},
	} {
		if err := d.steps.do(s.what, func() (string, error) { return s.do(ctx) }); err != nil {
			return fmt.Errorf("%w (the daemon's log: %s)", err, d.path("daemon.log"))
		}
	}
	fmt.Fprintf(out, "\nlog of service %s, from logstore %s/%s:\n", demoService, demoProject, demoLogstore)
	for _, l := range d.lines {
		fmt.Fprintf(out, "  %-12s  %s\n", l.Function, l)
	}
	fmt.Fprintf(out, "\nthe thumbnail, %d bytes of %d: %s\n", len(d.thumb), len(d.photo), d.path("thumbnail.jpg"))
	return nil
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

// start runs `fcd serve` as anybody would and waits until it says that it is ready.
func (d *demo) start(ctx context.Context) (string, error) {
	if err := d.prepare(); err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	log, err := os.Create(d.path("daemon.log"))
	if err != nil {
		return "", err
	}
	defer log.Close()
	d.child = exec.Command(self, "serve", "--data-dir", d.path("data"), "--ports", "any")
	d.child.Stderr = log
	stdout, err := d.child.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := d.child.Start(); err != nil {
		return "", err
	}
	d.exit = make(chan error, 1)
	ready := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		ready <- lines.Scan() && lines.Text() == "ready"
		for lines.Scan() {
		}
		d.exit <- d.child.Wait()
	}()
	select {
	case ok := <-ready:
		if !ok {
			return "", errors.New("the daemon did not start")
		}
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if d.e, err = daemon.ReadEndpoint(d.path("data")); err != nil {
		return "", err
	}
	d.api = client.New(d.e.API, d.e.AccessKeyID, d.e.AccessKeySecret)
	return d.e.API, nil
}

// prepare empties the folder of an earlier run. Only what a run makes is removed.
func (d *demo) prepare() error {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"data", "daemon.log", "thumbnail.jpg"} {
		if err := os.RemoveAll(d.path(name)); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the daemon in good order.
func (d *demo) stop() error {
	if d.exit == nil {
		return nil
	}
	d.child.Process.Signal(syscall.SIGTERM)
	if err := <-d.exit; err != nil {
		return fmt.Errorf("the daemon did not stop well: %w", err)
	}
	return nil
}

func (d *demo) post(ctx context.Context, path string, body any) error {
	_, err := d.api.Do(ctx, http.MethodPost, path, url.Values{}, body)
	return err
}

func (d *demo) role(name string) string { return "acs:ram::" + d.e.AccountID + ":role/" + name }

func (d *demo) makeService(ctx context.Context) (string, error) {
	c, err := d.oss()
	if err != nil {
		return "", err
	}
	if err := c.CreateBucket(demoBucket, oss.WithContext(ctx)); err != nil {
		return "", err
	}
	return demoService, d.post(ctx, "/services", map[string]any{
		"serviceName": demoService, "role": d.role("AliyunFCDefaultRole"),
		"logConfig": map[string]string{"project": demoProject, "logstore": demoLogstore},
	})
}

// oss is the real OSS SDK on the embedded OSS.
func (d *demo) oss() (*oss.Client, error) {
	return oss.New(d.e.OSS, d.e.AccessKeyID, d.e.AccessKeySecret, oss.AuthVersion(oss.AuthV4), oss.Region(d.e.Region))
}

func (d *demo) bucket() (*oss.Bucket, error) {
	c, err := d.oss()
	if err != nil {
		return nil, err
	}
	return c.Bucket(demoBucket)
}

// deploy makes a function of an example's folder.
func (d *demo) deploy(ctx context.Context, name, runtime, handler string, memoryMB, timeout int) (string, error) {
	code, err := zipFolder(filepath.Join(d.examples, name))
	if err != nil {
		return "", err
	}
	err = d.post(ctx, "/services/"+demoService+"/functions", map[string]any{
		"functionName": name, "runtime": runtime, "handler": handler, "memorySize": memoryMB, "timeout": timeout,
		"code": map[string]any{"zipFile": code},
	})
	return fmt.Sprintf("%s, %s of code", runtime, bytesText(len(code))), err
}

// zipFolder packs a folder as a code package.
func zipFolder(dir string) ([]byte, error) {
	s, err := local.NewFolder(dir).Scan()
	if err != nil {
		return nil, err
	}
	return s.Zip()
}

func (d *demo) deployResize(ctx context.Context) (string, error) {
	got, err := d.deploy(ctx, "image-resize", "nodejs8", "index.handler", 1024, 60)
	if err != nil {
		return "", err
	}
	return got, d.post(ctx, "/services/"+demoService+"/functions/image-resize/triggers", map[string]any{
		"triggerName": "new-photo", "triggerType": "oss",
		"sourceArn":      fmt.Sprintf("acs:oss:%s:%s:%s", d.e.Region, d.e.AccountID, demoBucket),
		"invocationRole": d.role("AliyunOSSEventNotificationRole"),
		"triggerConfig": map[string]any{"events": []string{"oss:ObjectCreated:*"},
			"filter": map[string]any{"key": map[string]string{"prefix": "photos/", "suffix": ".jpg"}}},
	})
}

// deployHeartbeat lets the timer fire a few seconds from now: the seconds field of a cron expression is one number.
func (d *demo) deployHeartbeat(ctx context.Context) (string, error) {
	if _, err := d.deploy(ctx, "heartbeat", "python3", "index.handler", 128, 3); err != nil {
		return "", err
	}
	d.fires = time.Now().Add(6 * time.Second).Truncate(time.Second)
	cron := fmt.Sprintf("%d * * * * *", d.fires.Second())
	return "python3, cron " + cron, d.post(ctx, "/services/"+demoService+"/functions/heartbeat/triggers", map[string]any{
		"triggerName": "every-minute", "triggerType": "timer",
		"triggerConfig": map[string]any{"cronExpression": cron, "payload": "hello", "enable": true},
	})
}

func (d *demo) render(context.Context) (string, error) {
	const width, height = 2400, 1600
	var err error
	d.photo, err = renderPicture(width, height)
	return fmt.Sprintf("%d x %d, %s", width, height, bytesText(len(d.photo))), err
}

func (d *demo) put(ctx context.Context) (string, error) {
	b, err := d.bucket()
	if err != nil {
		return "", err
	}
	err = b.PutObject(demoPhoto, strings.NewReader(string(d.photo)), oss.ContentType("image/jpeg"), oss.WithContext(ctx))
	return "oss://" + demoBucket + "/" + demoPhoto, err
}

func (d *demo) awaitThumb(ctx context.Context) (string, error) {
	b, err := d.bucket()
	if err != nil {
		return "", err
	}
	err = d.poll(ctx, func() (bool, error) { return b.IsObjectExist(demoThumb, oss.WithContext(ctx)) })
	if err != nil {
		return "", err
	}
	body, err := b.GetObject(demoThumb, oss.WithContext(ctx))
	if err != nil {
		return "", err
	}
	defer body.Close()
	if d.thumb, err = io.ReadAll(body); err != nil {
		return "", err
	}
	size, err := pictureSize(d.thumb)
	if err != nil {
		return "", err
	}
	return size + ", " + bytesText(len(d.thumb)), os.WriteFile(d.path("thumbnail.jpg"), d.thumb, 0o644)
}

func (d *demo) awaitTimer(ctx context.Context) (string, error) {
	r, err := openLog(ctx, d.e, demoService, time.Now().Add(-time.Hour))
	if err != nil {
		return "", err
	}
	fired := ""
	err = d.poll(ctx, func() (bool, error) {
		lines, err := r.next(logFilter{function: "heartbeat"})
		for _, l := range lines {
			if strings.Contains(l.Message, " fired for ") {
				fired = "for " + d.fires.UTC().Format(time.TimeOnly) + " UTC"
			}
		}
		return fired != "", err
	})
	return fired, err
}

// readLog waits until both functions' last lines are there and keeps all.
func (d *demo) readLog(ctx context.Context) (string, error) {
	r, err := openLog(ctx, d.e, demoService, time.Now().Add(-time.Hour))
	if err != nil {
		return "", err
	}
	ended := map[string]bool{}
	err = d.poll(ctx, func() (bool, error) {
		lines, err := r.next(logFilter{})
		d.lines = append(d.lines, lines...)
		for _, l := range lines {
			if strings.HasPrefix(l.Message, "FC Invoke End") {
				ended[l.Function] = true
			}
		}
		return len(ended) == 2, err
	})
	return fmt.Sprintf("%d lines", len(d.lines)), err
}

// poll asks until it is done, ctx ends or the daemon is gone.
func (d *demo) poll(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("it did not happen in time")
		case err := <-d.exit:
			d.exit = nil
			return fmt.Errorf("the daemon ended: %w", errors.Join(err))
		case <-tick.C:
		}
	}
}

func bytesText(n int) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", (n+1023)>>10)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
