package sls_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/google/go-cmp/cmp"
)

// layout is the shards as "id status begin-end", keys cut to two digits.
func layout(shards []*sdk.Shard) (all []string) {
	for _, sh := range shards {
		all = append(all, fmt.Sprintf("%d %s %.2s-%.2s", sh.ShardID, sh.Status, sh.InclusiveBeginKey, sh.ExclusiveBeginKey))
	}
	return all
}

func (s *service) layout(t testing.TB) []string {
	t.Helper()
	shards, err := s.client.ListShards(project, logstore)
	if err != nil {
		t.Fatal(err)
	}
	return layout(shards)
}

// pull answers the message of every log in a shard.
func (s *service) pull(t testing.TB, shard int) (all []string) {
	t.Helper()
	cursor, err := s.client.GetCursor(project, logstore, shard, "begin")
	if err != nil {
		t.Fatal(err)
	}
	for {
		list, next, err := s.client.PullLogs(project, logstore, shard, cursor, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		if next == cursor {
			return all
		}
		cursor = next
		for _, g := range list.LogGroups {
			for _, l := range g.Logs {
				all = append(all, l.Contents[0].GetValue())
			}
		}
	}
}

func (s *service) putAt(t testing.TB, key, message string) {
	t.Helper()
	key += strings.Repeat("0", 32-len(key))
	err := s.client.PostLogStoreLogsV2(project, logstore, &sdk.PostLogStoreLogsRequest{LogGroup: group("t", "message="+message), HashKey: &key})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSplitAndMerge(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, dir, nil)
	s.makeStore(t, 1)
	s.putAt(t, "10", "before")
	got, err := s.client.SplitShard(project, logstore, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"0 readonly 00-ff", "1 readwrite 00-80", "2 readwrite 80-ff"}
	if d := cmp.Diff(want, layout(got)); d != "" {
		t.Errorf("the answer to a split differs: %s", d)
	}
	s.putAt(t, "10", "low")
	s.putAt(t, "c0", "high")
	s.putAt(t, "ffffffffffffffffffffffffffffffff", "highest")
	if got, err = s.client.SplitShard(project, logstore, 2, "c0000000000000000000000000000000"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"2 readonly 80-ff", "3 readwrite 80-c0", "4 readwrite c0-ff"}, layout(got)); d != "" {
		t.Errorf("the answer to a split at a key differs: %s", d)
	}
	if got, err = s.client.MergeShards(project, logstore, 1); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"5 readwrite 00-c0", "1 readonly 00-80", "3 readonly 80-c0"}, layout(got)); d != "" {
		t.Errorf("the answer to a merge differs: %s", d)
	}
	s.putAt(t, "10", "merged")
	if got, err = s.client.SplitNumShard(project, logstore, 5, 3); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"5 readonly 00-c0", "6 readwrite 00-40", "7 readwrite 40-80", "8 readwrite 80-c0"}, layout(got)); d != "" {
		t.Errorf("the answer to a split in three differs: %s", d)
	}
	s.putAt(t, "50", "third")
	s.close()
	s = serve(t, dir, nil)
	all := []string{"0 readonly 00-ff", "1 readonly 00-80", "2 readonly 80-ff", "3 readonly 80-c0", "4 readwrite c0-ff", "5 readonly 00-c0",
		"6 readwrite 00-40", "7 readwrite 40-80", "8 readwrite 80-c0"}
	if d := cmp.Diff(all, s.layout(t)); d != "" {
		t.Errorf("after a restart the shards differ: %s", d)
	}
	for shard, want := range map[int][]string{0: {"before"}, 1: {"low"}, 2: {"high", "highest"}, 3: nil, 5: {"merged"}, 7: {"third"}} {
		if d := cmp.Diff(want, s.pull(t, shard)); d != "" {
			t.Errorf("shard %d differs: %s", shard, d)
		}
	}
	if got := s.find(t, ""); len(got) != 6 {
		t.Errorf("a query finds %q", got)
	}
	if l, err := s.client.GetLogStore(project, logstore); err != nil || l.ShardCount != 4 {
		t.Errorf("shardCount is %+v, %v", l, err)
	}
	s.putAt(t, "50", "after the restart")
	if d := cmp.Diff([]string{"third", "after the restart"}, s.pull(t, 7)); d != "" {
		t.Error(d)
	}
}

func TestRefusedSplitsAndMerges(t *testing.T) {
	s := withStore(t, 2)
	split := func(shard int, key string) error {
		_, err := s.client.SplitShard(project, logstore, shard, key)
		return err
	}
	if err := split(0, ""); err != nil {
		t.Fatal(err)
	}
	before := s.layout(t)
	count := func(shard, n int) error {
		_, err := s.client.SplitNumShard(project, logstore, shard, n)
		return err
	}
	merge := func(shard int) error {
		_, err := s.client.MergeShards(project, logstore, shard)
		return err
	}
	for what, err := range map[string]error{
		"a split of a readonly shard": split(0, ""), "a split of an unknown shard": split(9, ""), "a key that is none": split(1, "zz"),
		"a key that leaves nothing below": split(1, "00000000000000000000000000000000"),
		"a key of another shard":          split(1, "10000000000000000000000000000000"), "more than 64 shards": count(1, 63), "one part": count(1, 1),
		"a merge of the last shard": merge(1), "a merge of a readonly shard": merge(0),
	} {
		if err == nil { // the SDK reads no more of a refusal here than that it is one
			t.Errorf("%s was not refused", what)
		}
	}
	if d := cmp.Diff(before, s.layout(t)); d != "" {
		t.Errorf("a request that had to be refused changed the shards: %s", d)
	}
	s.keys.mu.Lock()
	s.keys.denied = []string{"log:SplitShard " + resourcePrefix + "project/demo-project/logstore/demo-store"}
	s.keys.mu.Unlock()
	_ = split(1, "")
	if d := cmp.Diff(before, s.layout(t)); d != "" {
		t.Errorf("a split that policies deny changed the shards: %s", d)
	}
}

// A reader that has drained a readonly shard must have seen all of it: nothing is added to a shard once it is listed so.
func TestWritersDuringSplitsAndMerges(t *testing.T) {
	s := withStore(t, 1)
	const writers, each = 4, 40
	var all sync.WaitGroup
	defer all.Wait()
	for w := range writers {
		all.Go(func() {
			for i := range each {
				if err := s.client.PutLogs(project, logstore, group("t", fmt.Sprintf("message=%d-%d", w, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	drained := map[int][]string{}
	for round := range 6 {
		shards, err := s.client.ListShards(project, logstore)
		if err != nil {
			t.Fatal(err)
		}
		for _, sh := range shards {
			if sh.Status == "readonly" && drained[sh.ShardID] == nil {
				drained[sh.ShardID] = append(s.pull(t, sh.ShardID), "end")
			}
		}
		first := shards[slices.IndexFunc(shards, func(sh *sdk.Shard) bool {
			return sh.Status == "readwrite" && strings.Trim(sh.InclusiveBeginKey, "0") == ""
		})].ShardID
		if round%3 == 2 {
			_, err = s.client.MergeShards(project, logstore, first)
		} else {
			_, err = s.client.SplitShard(project, logstore, first, "")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	seen := map[string]bool{}
	shards, _ := s.client.ListShards(project, logstore)
	for _, sh := range shards {
		got := s.pull(t, sh.ShardID)
		for _, m := range got {
			if seen[m] {
				t.Errorf("%s stands in two shards", m)
			}
			seen[m] = true
		}
		if d := drained[sh.ShardID]; d != nil && len(d)-1 != len(got) {
			t.Errorf("shard %d had %d logs when it was listed as readonly and has %d now", sh.ShardID, len(d)-1, len(got))
		}
	}
	if len(seen) != writers*each {
		t.Errorf("%d of %d logs are there", len(seen), writers*each)
	}
}

func TestAFolderLeftByASplitThatACrashCut(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, dir, nil)
	s.makeStore(t, 1)
	s.close()
	if err := os.MkdirAll(filepath.Join(dir, project, logstore, "1"), 0o700); err != nil {
		t.Fatal(err)
	}
	s = serve(t, dir, nil)
	if d := cmp.Diff([]string{"0 readwrite 00-ff"}, s.layout(t)); d != "" {
		t.Error(d)
	}
	if _, err := s.client.SplitShard(project, logstore, 0, ""); err != nil {
		t.Fatal(err)
	}
	s.putAt(t, "10", "x")
	if d := cmp.Diff([]string{"x"}, s.pull(t, 1)); d != "" {
		t.Error(d)
	}
}

func TestCursorsOfAShardWithoutGroups(t *testing.T) {
	s := withStore(t, 1)
	var cursors []string
	for _, from := range []string{"begin", "end", "1", fmt.Sprint(time.Now().Unix() + 3600)} {
		cursor, err := s.client.GetCursor(project, logstore, 0, from)
		if err != nil {
			t.Fatal(err)
		}
		cursors = append(cursors, cursor)
	}
	if len(slices.Compact(cursors)) != 1 {
		t.Errorf("the cursors are %q", cursors)
	}
	when, err := s.client.GetCursorTime(project, logstore, 0, cursors[0])
	if shards, _ := s.client.ListShards(project, logstore); err != nil || when.Unix() != int64(shards[0].CreateTime) {
		t.Errorf("the time of the cursor is %v, %v, the shard was made at %d", when, err, shards[0].CreateTime)
	}
}

func TestConsumersAfterASplit(t *testing.T) {
	s := withStore(t, 1)
	s.put(t, group("t", "message=1"))
	for _, order := range []bool{true, false} {
		name := fmt.Sprintf("readers-%v", order)
		if err := s.client.CreateConsumerGroup(project, logstore, sdk.ConsumerGroup{ConsumerGroupName: name, Timeout: 30, InOrder: order}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.client.SplitShard(project, logstore, 0, ""); err != nil {
		t.Fatal(err)
	}
	beat := func(name string) []int {
		t.Helper()
		shards, err := s.client.HeartBeat(project, logstore, name, "a", nil)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(shards)
		return shards
	}
	if d := cmp.Diff([]int{0}, beat("readers-true")); d != "" {
		t.Errorf("in order, before the parent is read: %s", d)
	}
	if d := cmp.Diff([]int{0, 1, 2}, beat("readers-false")); d != "" {
		t.Errorf("in no order: %s", d)
	}
	end, err := s.client.GetCursor(project, logstore, 0, "end")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"readers-true", "readers-false"} {
		if err := s.client.UpdateCheckpoint(project, logstore, name, "a", 0, end, true); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]int{1, 2}, beat(name)); d != "" {
			t.Errorf("%s, after the parent was read: %s", name, d)
		}
	}
}
