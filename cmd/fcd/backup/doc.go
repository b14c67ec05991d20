// Package backup copies a daemon's state into one file and makes a data directory of it again.
//
//	err := backup.Write(ctx, "/var/lib/fcd", "fcd.backup")      // the daemon may run
//	err = backup.Restore(ctx, "fcd.backup", "/var/lib/fcd")     // it must not exist, or be empty
//	problems, err := backup.Check(ctx, "/var/lib/fcd")          // the daemon may run
//
// The file is a gzipped tar:
//
//	fcd-backup.json     what wrote it, when, and the schema of the store
//	account.json        the account made up at the first start, if there is one
//	master.key          the key that seals temporary credentials
//	store/store.db      functions, triggers, queue, outcomes, dead letters, as of one moment
//	packages/zip/...    code packages
//	SHA256SUMS          the sum of each of them; it comes last, so that a cut file is known as such
//
// It holds the account's key and the events that wait: it is made with mode 0600. Not in it: what the embedded Object
// Storage and Log Service hold, log lines that are still in the spool, interpreters and the configuration.
package backup
