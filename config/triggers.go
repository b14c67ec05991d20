package config

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"go.yaml.in/yaml/v3"

	"fcd/fc"
	"fcd/triggers/directory"
	"fcd/triggers/eventbridge"
	"fcd/triggers/ways"
	"fcd/triggers/ways/listing"
	"fcd/triggers/ways/push"
	"fcd/triggers/ways/queue"
)

// Triggers are the ways in for events from outside.
type Triggers struct {
	Queues   []TriggerQueue   `yaml:"queues"`
	Push     TriggerPush      `yaml:"push"`
	Listings []TriggerListing `yaml:"listings"`
	// Directories are the folders that x-directory triggers may name; none switches the kind off.
	Directories []TriggerDirectory `yaml:"directories"`
}

// TriggerDirectory opens a folder of the host to triggers.
type TriggerDirectory struct {
	Name string `yaml:"name"`
	Path string `yaml:"path"`
}

// EventSource is whose events a way brings: exactly one is set.
type EventSource struct {
	Bucket string `yaml:"bucket"`
	Topic  string `yaml:"topic"`
	Bus    string `yaml:"bus"`
}

// TriggerQueue is a queue of Message Service to pull from.
type TriggerQueue struct {
	Name            string `yaml:"name"`
	Endpoint        string `yaml:"endpoint"`
	Queue           string `yaml:"queue"`
	EventSource     `yaml:",inline"`
	AccessKeyID     string `yaml:"accessKeyId"`
	AccessKeySecret string `yaml:"accessKeySecret"`
	DeniedMax       int    `yaml:"deniedMax"`
}

// TriggerPush is the listener for pushes.
type TriggerPush struct {
	Listen    string `yaml:"listen"`
	PublicURL string `yaml:"publicURL"`
	// MNSCertificate is a PEM file in place of the built-in key of Message Service; "" for that.
	MNSCertificate string           `yaml:"mnsCertificate"`
	Bindings       []TriggerBinding `yaml:"bindings"`
}

// TriggerBinding is a sender of pushes.
type TriggerBinding struct {
	Name           string `yaml:"name"`
	From           string `yaml:"from"`
	EventSource    `yaml:",inline"`
	Token          string `yaml:"token"`
	SignatureToken string `yaml:"signatureToken"`
}

// TriggerListing is a prefix of a bucket to list now and then.
type TriggerListing struct {
	Name     string        `yaml:"name"`
	Bucket   string        `yaml:"bucket"`
	Prefix   string        `yaml:"prefix"`
	Interval time.Duration `yaml:"interval"`
	Growing  bool          `yaml:"growing"`
	MaxKeys  int           `yaml:"maxKeys"`
}

// UnmarshalYAML reads a queue on top of its defaults.
func (q *TriggerQueue) UnmarshalYAML(n *yaml.Node) error {
	type plain TriggerQueue
	q.DeniedMax = 3
	return strict(n, (*plain)(q), "name", "endpoint", "queue", "bucket", "topic", "bus", "accessKeyId", "accessKeySecret", "deniedMax")
}

// UnmarshalYAML reads a listing on top of its defaults.
func (l *TriggerListing) UnmarshalYAML(n *yaml.Node) error {
	type plain TriggerListing
	l.Interval, l.MaxKeys = time.Minute, listing.MaxKeys
	return strict(n, (*plain)(l), "name", "bucket", "prefix", "interval", "growing", "maxKeys")
}

// strict decodes a mapping and refuses keys that are not named: a node of its own has forgotten that the file is strict.
func strict(n *yaml.Node, v any, keys ...string) error {
	known := map[string]bool{}
	for _, k := range keys {
		known[k] = true
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			if k := n.Content[i]; !known[k.Value] {
				return fmt.Errorf("line %d: field %s not found", k.Line, k.Value)
			}
		}
	}
	return n.Decode(v)
}

var (
	wayName   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{32,256}$`)
)

func (c *Config) validateTriggers(v *violations) {
	t := c.Triggers
	names := map[string]bool{}
	for i, q := range t.Queues {
		key := fmt.Sprintf("triggers.queues[%d]", i)
		v.wayName(key, q.Name, names)
		v.url(key+".endpoint", q.Endpoint)
		v.check(q.Endpoint != "", key+".endpoint", "", "an http or https URL")
		v.check(q.Queue != "", key+".queue", "", "the name of a queue")
		v.check((q.AccessKeyID == "") == (q.AccessKeySecret == ""), key+".accessKeyId", q.AccessKeyID, "given together with accessKeySecret")
		v.check(q.DeniedMax > 0, key+".deniedMax", q.DeniedMax, "above 0")
		v.eventSource(key, q.EventSource)
	}
	clear(names)
	for i, b := range t.Push.Bindings {
		key := fmt.Sprintf("triggers.push.bindings[%d]", i)
		v.wayName(key, b.Name, names)
		v.oneOf(key+".from", b.From, push.FromMNS, push.FromEventBridge)
		v.check(tokenForm.MatchString(b.Token), key+".token", "(not shown)", "32 to 256 letters, digits, - or _")
		v.check(b.From != push.FromEventBridge || t.Push.PublicURL != "", "triggers.push.publicURL", "", "given for bindings from eventbridge")
		v.check(b.From != push.FromEventBridge || b.Topic == "", key+".topic", b.Topic, "left out for bindings from eventbridge")
		v.check(b.From != push.FromMNS || b.Bus == "", key+".bus", b.Bus, "left out for bindings from mns")
		v.eventSource(key, b.EventSource)
	}
	if t.Push.Listen != "" {
		v.listen("triggers.push.listen", t.Push.Listen)
	}
	v.check(t.Push.Listen != "" || len(t.Push.Bindings) == 0, "triggers.push.listen", "", "given where there are bindings")
	v.url("triggers.push.publicURL", t.Push.PublicURL)
	clear(names)
	for i, l := range t.Listings {
		key := fmt.Sprintf("triggers.listings[%d]", i)
		v.wayName(key, l.Name, names)
		v.check(l.Bucket != "", key+".bucket", "", "the name of a bucket")
		v.check(l.Interval >= listing.MinInterval, key+".interval", l.Interval, "at least "+listing.MinInterval.String())
		v.check(l.MaxKeys > 0 && l.MaxKeys <= listing.MaxKeys, key+".maxKeys", l.MaxKeys, fmt.Sprintf("1 to %d", listing.MaxKeys))
	}
	clear(names)
	for i, d := range t.Directories {
		key := fmt.Sprintf("triggers.directories[%d]", i)
		v.wayName(key, d.Name, names)
		v.check(filepath.IsAbs(d.Path), key+".path", d.Path, "an absolute path")
	}
	v.check(len(t.Listings) == 0 || c.OSS.Endpoint != "" || c.LocalCloud.OSS.Enabled, "triggers.listings", "set", "left out without an object storage")
}

func (v *violations) wayName(key, name string, taken map[string]bool) {
	v.check(wayName.MatchString(name) && !taken[name], key+".name", name, "a name of its own, 1 to 64 letters, digits, - or _")
	taken[name] = true
}

func (v *violations) eventSource(key string, s EventSource) {
	n := 0
	for _, name := range []string{s.Bucket, s.Topic, s.Bus} {
		if name != "" {
			n++
		}
	}
	v.check(n == 1, key+".bucket", s.Bucket, "given, or in its place topic or bus, and only one of them")
}

// binding is the type of trigger and the resource name that the source stands for.
func (s EventSource) binding(region, account string) ways.Binding {
	switch {
	case s.Topic != "":
		return ways.Binding{Type: fc.TriggerMNSTopic, Source: fc.ARN{Service: "mns", Region: region, Account: account, Resource: "/topics/" + s.Topic}.String()}
	case s.Bus != "":
		return ways.Binding{Type: fc.TriggerEventBridge, Source: eventbridge.BusARN(region, account, s.Bus)}
	}
	return ways.Binding{Type: fc.TriggerOSS, Source: fc.BucketARN(region, account, s.Bucket)}
}

// QueueOptions are those of the pullers of queues. A queue without a key of its own is read with the account's.
func (c *Config) QueueOptions(a Account) []queue.Options {
	var all []queue.Options
	for _, q := range c.Triggers.Queues {
		k := fc.Credentials{AccessKeyID: q.AccessKeyID, AccessKeySecret: q.AccessKeySecret}
		if k.AccessKeyID == "" {
			k = fc.Credentials{AccessKeyID: a.AccessKeyID, AccessKeySecret: a.AccessKeySecret}
		}
		all = append(all, queue.Options{Name: q.Name, Endpoint: q.Endpoint, Queue: q.Queue, DeniedMax: q.DeniedMax,
			Binding: q.binding(c.Region, a.ID), Keys: func(context.Context) (fc.Credentials, error) { return k, nil }})
	}
	return all
}

// PushOptions are those of the listener for pushes.
func (c *Config) PushOptions(a Account) push.Options {
	o := push.Options{PublicURL: c.Triggers.Push.PublicURL, Region: c.Region}
	for _, b := range c.Triggers.Push.Bindings {
		o.Bindings = append(o.Bindings, push.Binding{Name: b.Name, From: b.From, Token: b.Token, SignatureToken: b.SignatureToken,
			Binding: b.binding(c.Region, a.ID)})
	}
	return o
}

// ListingOptions are those of the listers of buckets.
func (c *Config) ListingOptions() []listing.Options {
	var all []listing.Options
	for _, l := range c.Triggers.Listings {
		all = append(all, listing.Options{Name: l.Name, Bucket: l.Bucket, Prefix: l.Prefix, Interval: l.Interval,
			Growing: l.Growing, MaxKeys: l.MaxKeys})
	}
	return all
}

// DirectoryTriggerOptions are the folders of x-directory triggers.
func (c *Config) DirectoryTriggerOptions(account string) directory.Options {
	o := directory.Options{Region: c.Region, Account: account, Folders: map[string]string{}}
	for _, d := range c.Triggers.Directories {
		o.Folders[d.Name] = d.Path
	}
	return o
}
