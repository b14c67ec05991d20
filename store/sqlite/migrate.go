package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"

	"fcd/store"
)

// migrate brings a database to this binary's schema, each step in a transaction of its own.
func migrate(c *conn) error {
	if err := c.script(sqlMetaTable); err != nil {
		return err
	}
	text, _, err := c.text(sqlMetaGet, "schema")
	if err != nil {
		return err
	}
	version, _ := strconv.Atoi(text)
	if err := tooNew(version); err != nil {
		return err
	}
	for ; version < schemaVersion; version++ {
		if err := migrateFrom(c, version); err != nil {
			return errors.Join(fmt.Errorf("migrate to schema %d: %w", version+1, err), c.script("ROLLBACK"))
		}
	}
	return nil
}

func migrateFrom(c *conn, version int) error {
	if err := c.script("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if version == 4 {
		if err := emptyBursts(c); err != nil {
			return err
		}
	}
	return c.script(migrations[version] +
		fmt.Sprintf("INSERT OR REPLACE INTO meta(k, v) VALUES ('schema', '%d'); COMMIT", version+1))
}

// emptyBursts moves the messages of the table burst, which schema 4 had, into the queue. They are counted already.
func emptyBursts(c *conn) error {
	var args []driver.Value
	return c.query(func(v []driver.Value) error {
		head, _ := v[1].([]byte)
		payloads, _ := v[2].([]byte)
		err := readBurst(head, payloads, func(m *store.Msg) error {
			args = appendMsg(args[:0], m)
			_, err := c.exec(sqlQueuePut, args...)
			return err
		})
		if err != nil {
			return fmt.Errorf("burst %d: %w", v[0], err)
		}
		return nil
	}, sqlBurstAll4)
}
