package disk

import (
	"context"

	"go.uber.org/zap"
)

// sweep removes the files that no row names: what a crash left between a file and its row, or between a row's end and
// its file's. Files made since Open are not looked at. It remembers 16 bytes and a map entry per file while it runs.
func (d *Disk) sweep(ctx context.Context) {
	defer d.files.swept()
	orphans, err := d.files.present()
	if err == nil {
		err = d.index.eachFile(ctx, func(file string) { delete(orphans, file) })
	}
	if err != nil {
		if ctx.Err() == nil {
			d.opts.Log.Warn("orphaned data files stay for now", zap.Error(err))
		}
		return
	}
	var gone []string
	for id := range orphans {
		if len(id) == 32 && !d.files.isFresh(id) {
			gone = append(gone, id)
		}
	}
	d.files.unlink(gone)
	if len(gone) > 0 {
		d.opts.Log.Info("orphaned data files removed", zap.Int("files", len(gone)))
	}
}

// eachFile names every file that a row names: parts first, since a completed upload moves their files to the other two
// tables and nothing moves back. It reads in pages, so that no long read holds the write-ahead log back.
func (ix *index) eachFile(ctx context.Context, f func(file string)) error {
	pages := []struct {
		query string
		keys  []any // where the next page begins
	}{
		{"SELECT upload, n, file FROM part WHERE (upload, n) > (?, ?) ORDER BY upload, n LIMIT 1000", []any{"", -1}},
		{"SELECT bucket, key, blob FROM object WHERE (bucket, key) > (?, ?) ORDER BY bucket, key LIMIT 1000", []any{"", []byte{}}},
		{"SELECT blob, n, file FROM chunk WHERE (blob, n) > (?, ?) ORDER BY blob, n LIMIT 1000", []any{"", -1}},
	}
	for _, p := range pages {
		for {
			n, err := ix.filePage(ctx, p.query, p.keys, f)
			if err != nil {
				return err
			}
			if n < 1000 {
				break
			}
		}
	}
	return nil
}

// filePage reads one page and moves keys behind it.
func (ix *index) filePage(ctx context.Context, query string, keys []any, f func(string)) (n int, err error) {
	rows, err := ix.readers.QueryContext(ctx, query, keys...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var file string
		if err := rows.Scan(&keys[0], &keys[1], &file); err != nil {
			return n, err
		}
		f(file)
		n++
	}
	return n, rows.Err()
}
