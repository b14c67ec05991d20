package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

// objectEvent measures from the begin of a put to the entry of the function that it triggers, against a put that triggers
// nothing and a synchronous call of the same function, both answered.
func objectEvent(ctx context.Context, l *lab, size int) ([]pair, error) {
	s, err := l.main(ctx)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprint("put", size)
	if err := s.deploy(ctx, name, "entered.py", 0); err != nil {
		return nil, err
	}
	with, without, err := s.buckets(ctx, name)
	if err != nil {
		return nil, err
	}
	call, err := s.load(name, []byte("warm"), 1)
	if err != nil {
		return nil, err
	}
	defer call.close()
	turns, body := pick(l, 30, 200), bytes.Repeat([]byte("x"), size)
	begun := make([]time.Time, turns)
	i := 0
	p, err := interleave(ctx, turns, l.until, func(ctx context.Context) (float64, error) {
		begun[i] = time.Now()
		err := with.PutObject(fmt.Sprintf("o/%d", i), bytes.NewReader(body))
		i++
		if err == nil {
			err = pause(ctx, 15*time.Millisecond) // the call has ended by then
		}
		return 0, err
	}, func(context.Context) (float64, error) {
		begin := time.Now()
		if err := without.PutObject("o", bytes.NewReader(body)); err != nil {
			return 0, err
		}
		_, err := call.once()
		return milliseconds(time.Since(begin)), err
	})
	if err != nil {
		return nil, err
	}
	entries, err := s.entries(ctx, name, 2*len(p.Ours))
	if err != nil {
		return nil, err
	}
	if err := p.enter(begun[:len(p.Ours)], entries); err != nil {
		return nil, err
	}
	return []pair{p}, l.profiled(ctx, s, fmt.Sprintf("object-%d", size), func(ctx context.Context, d time.Duration) error {
		for begin := time.Now(); time.Since(begin) < d && ctx.Err() == nil; {
			if err := with.PutObject("o/again", bytes.NewReader(body)); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// buckets makes a bucket whose objects trigger the function and one that triggers nothing, and warms both.
func (s *server) buckets(ctx context.Context, function string) (with, without *oss.Bucket, err error) {
	c, err := s.oss()
	if err != nil {
		return nil, nil, err
	}
	for name, b := range map[string]**oss.Bucket{function + "-with": &with, function + "-without": &without} {
		if err := c.CreateBucket(name, oss.WithContext(ctx)); err != nil {
			return nil, nil, err
		}
		if *b, err = c.Bucket(name); err != nil {
			return nil, nil, err
		}
		if err := (*b).PutObject("warm", strings.NewReader("")); err != nil {
			return nil, nil, err
		}
	}
	return with, without, s.post(ctx, "/services/"+service+"/functions/"+function+"/triggers", m{
		"triggerName": "put", "triggerType": "oss",
		"sourceArn":      fmt.Sprintf("acs:oss:%s:%s:%s-with", s.e.Region, s.e.AccountID, function),
		"invocationRole": "acs:ram::" + s.e.AccountID + ":role/AliyunOSSEventNotificationRole",
		"triggerConfig":  m{"events": []string{"oss:ObjectCreated:*"}, "filter": m{"key": m{"prefix": "o/"}}},
	})
}

// enter fills in how long after its begin each put entered the function.
func (p *pair) enter(begun []time.Time, entries []entry) error {
	seen := 0
	for _, e := range entries {
		var put struct {
			Events []struct {
				OSS struct{ Object struct{ Key string } }
			}
		}
		if json.Unmarshal([]byte(e.event), &put) != nil || len(put.Events) == 0 {
			continue // one of the synchronous calls
		}
		var i int
		if _, err := fmt.Sscanf(put.Events[0].OSS.Object.Key, "o/%d", &i); err != nil || i >= len(begun) {
			return fmt.Errorf("event of an object that was not put: %s", e.event)
		}
		p.Ours[i] = e.at*1000 - float64(begun[i].UnixMicro())/1000
		seen++
	}
	if seen < len(begun) {
		return fmt.Errorf("%d of %d puts triggered the function", seen, len(begun))
	}
	return nil
}

// logLines measures calls that print lines against calls that do not, and how many lines a second are taken over. No
// more calls are asked for than 100,000 lines a second allow.
func logLines(ctx context.Context, l *lab, lines int) ([]pair, error) {
	const budget = 100_000
	s, err := l.main(ctx)
	if err != nil {
		return nil, err
	}
	loud, err := s.load("lines", fmt.Appendf(nil, `{"lines": %d}`, lines), 16)
	if err != nil {
		return nil, err
	}
	defer loud.close()
	silent, err := s.load("lines", []byte(`{"lines": 0}`), 16)
	if err != nil {
		return nil, err
	}
	defer silent.close()
	if _, err := silent.run(ctx, l.turn()); err != nil {
		return nil, err
	}
	var taken pair
	var dropped float64
	calls, err := interleave(ctx, l.turns(), l.until, func(ctx context.Context) (float64, error) {
		before, err := s.lines()
		if err != nil {
			return 0, err
		}
		begin := time.Now()
		got, err := loud.run(ctx, l.turn())
		if err != nil {
			return 0, err
		}
		took := time.Since(begin).Seconds()
		after, err := s.lines()
		taken.Ours = append(taken.Ours, (after["appended"]-before["appended"])/took)
		taken.Theirs = append(taken.Theirs, budget)
		dropped += after["dropped"] - before["dropped"]
		if err == nil {
			err = s.shipped(ctx, pick(l, time.Second/2, 30*time.Second))
		}
		return got.rate, err
	}, func(ctx context.Context) (float64, error) {
		got, err := silent.run(ctx, l.turn())
		return min(got.rate, budget/float64(lines)), err
	})
	taken.Note = fmt.Sprintf("%.0f lines dropped", dropped)
	if err == nil {
		err = l.profile(ctx, s, loud, fmt.Sprintf("lines-%d", lines))
	}
	return []pair{calls, taken}, err
}

// shipped waits until all lines are in the logstore, or for so long.
func (s *server) shipped(ctx context.Context, atMost time.Duration) error {
	for end := time.Now().Add(atMost); time.Now().Before(end); {
		n, err := s.lines()
		if err != nil || n["sent"]+n["rejected"] >= n["appended"] {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
