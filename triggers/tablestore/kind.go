// Package tablestore is the trigger kind for changes of the rows of a table in Tablestore.
//
// The service writes a batch of changes in CBOR; whoever brings one must have proved the table, since the batch does not
// name it. The same in JSON is taken too, and functions get the body as it came:
//
//	{"Version":"Sync-v1","Records":[{"Type":"PutRow","Info":{"Timestamp":1506416585740836},
//	 "PrimaryKey":[{"ColumnName":"pk_0","Value":1506416585881590900}],
//	 "Columns":[{"Type":"Put","ColumnName":"attr_0","Value":"hello","Timestamp":1506416585741}]}]}
package tablestore

import (
	"encoding/json"
	"strings"

	"fcd/fc"
	"fcd/triggers"
)

const service = "ots.aliyuncs.com" // whom the invocation role must trust

// Kind makes the kind "tablestore" for tables of the region and account.
func Kind(region, account string) triggers.Kind {
	check := triggers.RegionalARN("ots", region, account, "instance/<instance>/table/<table>", isTable)
	read := func(*fc.Trigger) (config, error) { return config{}, nil }
	return triggers.Kind{
		Type: fc.TriggerTablestore, Service: service, Decode: decode, CheckSource: check,
		Again: triggers.Again(read, open),
		New: func(env triggers.Env) (triggers.Source, error) {
			return &triggers.Inbox[config]{Rules: triggers.NewRules[config](env, service), Read: read, Open: open}, nil
		},
	}
}

func isTable(s string) bool {
	p := strings.Split(s, "/")
	return len(p) == 4 && p[0] == "instance" && p[1] != "" && p[2] == "table" && p[3] != ""
}

// config is the triggerConfig of a tablestore trigger: there is nothing to configure.
type config struct{}

func decode(old, raw json.RawMessage) (triggers.Config, error) {
	var c config
	for _, layer := range []json.RawMessage{old, raw} {
		if err := triggers.Merge(&c, layer); err != nil {
			return triggers.Config{}, err
		}
	}
	return triggers.Config{JSON: json.RawMessage("{}"), Enabled: true}, nil
}

// Major types of CBOR (RFC 8949, 3.1), in the upper three bits of the first byte.
const (
	cborMap = 5
	cborTag = 6
)

// open takes a batch as one happening.
func open(a fc.Arrival) ([]triggers.Happening[config], error) {
	if a.Source == "" {
		return nil, fc.MissingField("SourceArn")
	}
	if len(a.Body) == 0 {
		return nil, fc.Errorf(fc.InvalidArgument, "the body is empty")
	}
	if major := a.Body[0] >> 5; major != cborMap && major != cborTag {
		var doc struct{ Records []json.RawMessage }
		if err := json.Unmarshal(a.Body, &doc); err != nil || len(doc.Records) == 0 {
			return nil, fc.Errorf(fc.InvalidArgument, "the body is neither CBOR nor a JSON document with Records")
		}
	}
	return []triggers.Happening[config]{{
		ID: "ots/" + triggers.HashKey(a.Source, a.MessageID, string(a.Body)), Unique: a.MessageID != "", Source: a.Source,
		Subject:  "changes of " + a.Source[strings.LastIndexByte(a.Source, ':')+1:],
		Mismatch: func(*triggers.Rule[config]) string { return "" },
		Payload:  func(*triggers.Rule[config]) []byte { return a.Body },
	}}, nil
}
