package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	msqlite "modernc.org/sqlite"
)

// conn is the writer's connection. It talks to the driver itself: database/sql would cost as much per statement as
// SQLite does. Only one goroutine uses it at a time.
type conn struct {
	c     driver.Conn
	stmts map[string]*stmt
}

type stmt struct {
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
	close func() error
	args  []driver.NamedValue
}

func connect(ctx context.Context, file string) (*conn, error) {
	connector, err := msqlite.NewConnector(file)
	if err != nil {
		return nil, err
	}
	c, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{c: c, stmts: map[string]*stmt{}}, nil
}

// script runs statements that take no arguments.
func (c *conn) script(text string) error {
	_, err := c.c.(driver.ExecerContext).ExecContext(context.Background(), text, nil)
	return err
}

func (c *conn) prepare(text string) (*stmt, error) {
	if st, ok := c.stmts[text]; ok {
		return st, nil
	}
	raw, err := c.c.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", text, err)
	}
	st := &stmt{exec: raw.(driver.StmtExecContext), query: raw.(driver.StmtQueryContext), close: raw.Close}
	c.stmts[text] = st
	return st, nil
}

// bind fills the statement's own argument slice, which is free again once the statement has run.
func (st *stmt) bind(args []driver.Value) []driver.NamedValue {
	if cap(st.args) < len(args) {
		st.args = make([]driver.NamedValue, len(args))
	}
	st.args = st.args[:len(args)]
	for i, a := range args {
		st.args[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return st.args
}

// exec runs one statement of sql.go and tells how many rows it touched.
func (c *conn) exec(text string, args ...driver.Value) (int64, error) {
	st, err := c.prepare(text)
	if err != nil {
		return 0, err
	}
	res, err := st.exec.ExecContext(context.Background(), st.bind(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// insert is exec for an INSERT and tells the row's id.
func (c *conn) insert(text string, args ...driver.Value) (int64, error) {
	st, err := c.prepare(text)
	if err != nil {
		return 0, err
	}
	res, err := st.exec.ExecContext(context.Background(), st.bind(args))
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// errStop ends a query early without an error.
var errStop = errors.New("enough rows")

// query calls row for each row until it returns an error; the values are only valid during the call.
func (c *conn) query(row func([]driver.Value) error, text string, args ...driver.Value) (err error) {
	st, err := c.prepare(text)
	if err != nil {
		return err
	}
	rows, err := st.query.QueryContext(context.Background(), st.bind(args))
	if err != nil {
		return err
	}
	defer func() {
		if cerr := rows.Close(); err == nil {
			err = cerr
		}
	}()
	values := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(values); err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
		if err := row(values); err == errStop {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// number reads a single integer; found is false if there is no row.
func (c *conn) number(text string, args ...driver.Value) (n int64, found bool, err error) {
	err = c.query(func(v []driver.Value) error {
		n, found = v[0].(int64), true
		return errStop
	}, text, args...)
	return n, found, err
}

func (c *conn) text(text string, args ...driver.Value) (s string, found bool, err error) {
	err = c.query(func(v []driver.Value) error {
		s, found = fmt.Sprint(v[0]), true
		return errStop
	}, text, args...)
	return s, found, err
}

func (c *conn) close() error {
	var errs []error
	for _, st := range c.stmts {
		errs = append(errs, st.close())
	}
	return errors.Join(append(errs, c.c.Close())...)
}
