package sqlite

// schemaVersion is what this binary writes; migrations[i] leads from version i to i+1.
const schemaVersion = 5

// Every text key compares as bytes. Times are microseconds since 1970, UTC; 0 means none.
var migrations = [schemaVersion]string{`
CREATE TABLE rec (k TEXT PRIMARY KEY, rev INTEGER NOT NULL, v BLOB, gone INTEGER); -- v NULL = deleted at gone
CREATE UNIQUE INDEX rec_rev ON rec(rev);
CREATE INDEX rec_gone ON rec(gone) WHERE gone IS NOT NULL;
CREATE TABLE cur (k TEXT PRIMARY KEY, token INTEGER NOT NULL, v BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE q (id INTEGER PRIMARY KEY, rid TEXT NOT NULL, fn TEXT NOT NULL, trg TEXT NOT NULL, dedup TEXT NOT NULL,
	enqueued INTEGER NOT NULL, due INTEGER NOT NULL, not_after INTEGER NOT NULL, attempt INTEGER NOT NULL,
	payload BLOB NOT NULL);
CREATE UNIQUE INDEX q_rid ON q(rid);
CREATE INDEX q_ready ON q(fn, due, id);
CREATE TABLE inv (rid TEXT PRIMARY KEY, fn TEXT NOT NULL, trg TEXT NOT NULL, state TEXT NOT NULL,
	enqueued INTEGER NOT NULL, ended INTEGER NOT NULL, attempts INTEGER NOT NULL, cause TEXT NOT NULL, payload BLOB);
CREATE INDEX inv_fn ON inv(fn, rid);
CREATE INDEX inv_ended ON inv(ended) WHERE state <> 'dead';
CREATE INDEX inv_dead_ended ON inv(ended) WHERE state = 'dead';
CREATE INDEX inv_dead ON inv(rid) WHERE state = 'dead';
CREATE TABLE dedup (k TEXT PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX dedup_expires ON dedup(expires);
CREATE TABLE fate (trg TEXT NOT NULL, at INTEGER NOT NULL, ev TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
	rid TEXT NOT NULL);
CREATE INDEX fate_trg ON fate(trg, at);
CREATE TABLE lease (name TEXT PRIMARY KEY, owner TEXT NOT NULL, token INTEGER NOT NULL, expires INTEGER NOT NULL)
	WITHOUT ROWID;
INSERT INTO meta(k, v) VALUES ('counters', '0 0 0 0'), ('resync', '0');
`, `
ALTER TABLE q ADD COLUMN iid TEXT NOT NULL DEFAULT '';
ALTER TABLE inv ADD COLUMN iid TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX q_iid ON q(fn, iid) WHERE iid <> '';
CREATE INDEX inv_iid ON inv(fn, iid) WHERE iid <> '';
DROP INDEX inv_fn;
CREATE INDEX inv_time ON inv(fn, enqueued, rid);
DROP INDEX inv_dead_ended;
CREATE INDEX inv_dead_ended ON inv(ended, ifnull(length(payload), 0)) WHERE state = 'dead';
`, `
-- One row an event and trigger; steps are JSON objects, each with a newline behind it. The bodies' running total bounds
-- their bytes without counting.
DROP TABLE fate;
ALTER TABLE q ADD COLUMN ev TEXT NOT NULL DEFAULT '';
ALTER TABLE inv ADD COLUMN ev TEXT NOT NULL DEFAULT '';
CREATE TABLE event (id INTEGER PRIMARY KEY, ev TEXT NOT NULL, trg TEXT NOT NULL, type TEXT NOT NULL, fn TEXT NOT NULL,
	name TEXT NOT NULL, src TEXT NOT NULL, subject TEXT NOT NULL, seen INTEGER NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL,
	body INTEGER NOT NULL, steps TEXT NOT NULL);
CREATE UNIQUE INDEX event_key ON event(ev, trg);
CREATE INDEX event_fn ON event(fn) WHERE fn <> '';
CREATE INDEX event_odd ON event(state) WHERE state NOT IN ('queued', 'succeeded');
CREATE TABLE body (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, total INTEGER NOT NULL, payload BLOB NOT NULL);
`, `
CREATE TABLE burst (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, bytes INTEGER NOT NULL, head BLOB NOT NULL,
	payloads BLOB NOT NULL);
`, `
-- Bursts stand in a file beside the database: frame.go. These are the frames in it whose messages are in the queue.
DROP TABLE burst;
CREATE TABLE unfolded (seq INTEGER PRIMARY KEY);
INSERT INTO meta(k, v) VALUES ('bursts', lower(hex(randomblob(16))));
`}

const (
	sqlMetaTable = `CREATE TABLE IF NOT EXISTS meta (k TEXT PRIMARY KEY, v TEXT NOT NULL) WITHOUT ROWID`
	sqlMetaGet   = `SELECT v FROM meta WHERE k = ?`
	sqlMetaSet   = `INSERT INTO meta(k, v) VALUES (?, ?) ON CONFLICT(k) DO UPDATE SET v = excluded.v`

	sqlRecGet    = `SELECT rev, v FROM rec WHERE k = ? AND v IS NOT NULL`
	sqlRecRev    = `SELECT rev FROM rec WHERE k = ? AND v IS NOT NULL`
	sqlRecKeys   = `SELECT k FROM rec WHERE k >= ? AND v IS NOT NULL ORDER BY k`
	sqlRecList   = `SELECT k, rev, v FROM rec WHERE k >= ? AND k > ? AND v IS NOT NULL ORDER BY k LIMIT ?`
	sqlRecListTo = `SELECT k, rev, v FROM rec WHERE k >= ? AND k > ? AND k < ? AND v IS NOT NULL ORDER BY k LIMIT ?`
	sqlRecSince  = `SELECT k, rev, v, gone IS NOT NULL FROM rec WHERE rev > ? ORDER BY rev LIMIT ?`
	sqlRecPut    = `INSERT INTO rec(k, rev, v) VALUES (?, ?, ifnull(?, zeroblob(0)))
		ON CONFLICT(k) DO UPDATE SET rev = excluded.rev, v = excluded.v, gone = NULL`
	sqlRecDelete = `UPDATE rec SET rev = ?, v = NULL, gone = ? WHERE k = ?`

	sqlCurGet   = `SELECT v FROM cur WHERE k = ?`
	sqlCurToken = `SELECT token FROM cur WHERE k = ?`
	sqlCurPut   = `INSERT INTO cur(k, token, v) VALUES (?, ?, ifnull(?, zeroblob(0)))
		ON CONFLICT(k) DO UPDATE SET token = excluded.token, v = excluded.v`
	sqlCurDelete = `DELETE FROM cur WHERE k = ?`

	sqlDedupGet = `SELECT expires FROM dedup WHERE k = ?`
	sqlDedupPut = `INSERT INTO dedup(k, expires) VALUES (?, ?) ON CONFLICT(k) DO UPDATE SET expires = excluded.expires`

	sqlMsgColumns = `id, rid, fn, trg, ev, dedup, enqueued, due, not_after, attempt, iid, payload`
	sqlMsgRow     = `(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ifnull(?, zeroblob(0)))`
	sqlMsgRows4   = sqlMsgRow + `, ` + sqlMsgRow + `, ` + sqlMsgRow + `, ` + sqlMsgRow
	sqlQueuePut   = `INSERT INTO q(` + sqlMsgColumns + `) VALUES ` + sqlMsgRow
	sqlQueuePut8  = `INSERT INTO q(` + sqlMsgColumns + `) VALUES ` + sqlMsgRows4 + `, ` + sqlMsgRows4
	sqlQueueByID  = `SELECT ` + sqlMsgColumns + ` FROM q WHERE fn = ? AND iid = ? AND iid <> ''`
	sqlQueueOf    = `SELECT ` + sqlMsgColumns + ` FROM q WHERE fn = ?1 AND enqueued >= ?2 AND enqueued < ?3
		AND substr(CASE iid WHEN '' THEN rid ELSE iid END, 1, length(?4)) = ?4 AND ?8 = ''`
	sqlQueueGet   = `SELECT ` + sqlMsgColumns + ` FROM q WHERE id = ?`
	sqlQueueFind  = `SELECT ` + sqlMsgColumns + ` FROM q WHERE rid = ?`
	sqlQueueSize  = `SELECT length(payload) FROM q WHERE id = ?`
	sqlQueueDue   = `SELECT id, due FROM q WHERE fn = ? AND due <= ? ORDER BY due, id LIMIT ?`
	sqlQueueHead  = `SELECT id, due FROM q WHERE fn = ? ORDER BY due, id LIMIT ?`
	sqlQueueRetry = `UPDATE q SET due = ?, attempt = attempt + ? WHERE id = ?`
	sqlQueueFetch = `UPDATE q SET due = ? WHERE fn = ? AND due > ?`
	sqlQueueEnd   = `DELETE FROM q WHERE id = ?`
	// One index step per function, however many messages it has.
	sqlQueueReady = `WITH RECURSIVE f(fn) AS (SELECT min(fn) FROM q
			UNION ALL SELECT (SELECT min(fn) FROM q WHERE q.fn > f.fn) FROM f WHERE f.fn IS NOT NULL)
		SELECT fn, (SELECT min(due) FROM q WHERE q.fn = f.fn) FROM f WHERE fn IS NOT NULL`
	sqlQueueCount = `SELECT (SELECT v FROM meta WHERE k = 'counters'), count(*), ifnull(sum(length(payload)), 0) FROM q`
	// Of schema 4, for who looks at a database that its daemon has not brought up to date.
	sqlQueueCount4 = `SELECT (SELECT v FROM meta WHERE k = 'counters'),
		(SELECT count(*) FROM q) + (SELECT ifnull(sum(n), 0) FROM burst),
		(SELECT ifnull(sum(length(payload)), 0) FROM q) + (SELECT ifnull(sum(bytes), 0) FROM burst)`
	sqlQueueDepths  = `SELECT fn, count(*), sum(due <= ?) FROM q GROUP BY fn`
	sqlQueueHighest = `SELECT ifnull(max(rid), '') FROM q`
	sqlQueueTaken   = `SELECT EXISTS (SELECT 1 FROM q WHERE rid = ?)`

	sqlBurstAll4      = `SELECT id, head, payloads FROM burst ORDER BY id`
	sqlUnfolded       = `SELECT seq FROM unfolded`
	sqlUnfoldedPut    = `INSERT INTO unfolded(seq) VALUES (?)`
	sqlUnfoldedForget = `DELETE FROM unfolded WHERE seq < ?`
	// For a copy. One that has a message of the request id, as when it came anew while it was made, keeps that.
	sqlUnfoldedNone = `DELETE FROM unfolded`
	sqlLogRename    = `UPDATE meta SET v = lower(hex(randomblob(16))) WHERE k = 'bursts'`
	sqlQueueAdd     = sqlQueuePut + ` ON CONFLICT DO NOTHING`

	sqlOutcomePut = `INSERT INTO inv(` + sqlOutcomeColumns + `)
			SELECT rid, fn, trg, ev, ?, enqueued, ?, ?, ?, iid, CASE WHEN ? THEN payload END FROM q WHERE id = ?` + sqlOutcomeAgain
	sqlEndedPut = `INSERT INTO inv(` + sqlOutcomeColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ifnull(?, zeroblob(0)))` +
		sqlOutcomeAgain
	sqlOutcomeAgain = `
		ON CONFLICT(rid) DO UPDATE SET fn = excluded.fn, trg = excluded.trg, ev = excluded.ev, state = excluded.state,
			enqueued = excluded.enqueued, ended = excluded.ended, attempts = excluded.attempts, cause = excluded.cause,
			iid = excluded.iid, payload = excluded.payload`
	sqlOutcomeColumns = `rid, fn, trg, ev, state, enqueued, ended, attempts, cause, iid, payload`
	sqlOutcomeByID    = `SELECT ` + sqlOutcomeColumns + ` FROM inv WHERE fn = ? AND iid = ? AND iid <> ''`
	sqlOutcomesOf     = `SELECT ` + sqlOutcomeColumns + ` FROM inv WHERE fn = ?1 AND enqueued >= ?2 AND enqueued < ?3
		AND substr(CASE iid WHEN '' THEN rid ELSE iid END, 1, length(?4)) = ?4 AND (?8 = '' OR state = ?8)`
	sqlEarliestFirst = ` AND (enqueued, rid) > (?5, ?6) ORDER BY enqueued, rid LIMIT ?7`
	sqlLatestFirst   = ` AND (enqueued, rid) < (?5, ?6) ORDER BY enqueued DESC, rid DESC LIMIT ?7`
	sqlKnownID       = `SELECT EXISTS (SELECT 1 FROM q WHERE fn = ?1 AND iid = ?2 AND iid <> '')
		OR EXISTS (SELECT 1 FROM inv WHERE fn = ?1 AND iid = ?2 AND iid <> '')`

	sqlDeadBytes = `SELECT ifnull(length(payload), 0) FROM inv WHERE rid = ? AND state = 'dead'`
	sqlRedrive   = `INSERT INTO q(` + sqlMsgColumns + `)
		SELECT ?1, rid, fn, trg, ev, '', ?2, ?2, ?3, 0, iid, ifnull(payload, zeroblob(0)) FROM inv WHERE rid = ?4`
	sqlDeadEvent    = `SELECT trg, ev FROM inv WHERE rid = ?`
	sqlDeadDrop     = `DELETE FROM inv WHERE rid = ? AND state = 'dead'`
	sqlDeadSize     = `SELECT count(*), ifnull(sum(ifnull(length(payload), 0)), 0) FROM inv INDEXED BY inv_dead_ended WHERE state = 'dead'`
	sqlDeadOldest   = `SELECT rid, ifnull(length(payload), 0) FROM inv INDEXED BY inv_dead_ended WHERE state = 'dead' ORDER BY ended LIMIT ?`
	sqlOutcomeFind  = `SELECT ` + sqlOutcomeColumns + ` FROM inv WHERE rid = ?`
	sqlOutcomes     = `SELECT ` + sqlOutcomeColumns + ` FROM inv WHERE rid > ? ORDER BY rid LIMIT ?`
	sqlOutcomesFn   = `SELECT ` + sqlOutcomeColumns + ` FROM inv INDEXED BY inv_time WHERE fn = ? AND rid > ? ORDER BY rid LIMIT ?`
	sqlOutcomesDead = `SELECT ` + sqlOutcomeColumns + ` FROM inv INDEXED BY inv_dead
		WHERE state = 'dead' AND (? = '' OR fn = ?) AND rid > ? ORDER BY rid LIMIT ?`
	sqlOutcomesState = `SELECT ` + sqlOutcomeColumns + ` FROM inv
		WHERE state = ? AND (? = '' OR fn = ?) AND rid > ? ORDER BY rid LIMIT ?`

	sqlBodyPut   = `INSERT INTO body(at, total, payload) VALUES (?, ?, ?)`
	sqlBodyTotal = `SELECT total FROM body ORDER BY id DESC LIMIT 1`
	sqlBodyGet   = `SELECT body.payload FROM event JOIN body ON body.id = event.body WHERE event.id = ?`
	// A step that is written late changes no state. Of too many steps the oldest makes room.
	sqlEventPut   = sqlEventInto + sqlEventRow + sqlEventAgain
	sqlEventPut8  = sqlEventInto + sqlEventRows4 + `, ` + sqlEventRows4 + sqlEventAgain
	sqlEventInto  = `INSERT INTO event(ev, trg, type, fn, name, src, subject, seen, at, state, body, steps) VALUES `
	sqlEventRow   = `(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlEventRows4 = sqlEventRow + `, ` + sqlEventRow + `, ` + sqlEventRow + `, ` + sqlEventRow
	sqlEventAgain = `
		ON CONFLICT(ev, trg) DO UPDATE SET state = iif(excluded.state = 'duplicate' OR excluded.at < at, state, excluded.state),
			at = iif(excluded.state = 'duplicate', at, max(at, excluded.at)), body = iif(excluded.body = 0, body, excluded.body),
			steps = iif(length(steps) < 16384, steps, substr(steps, instr(steps, char(10)) + 1)) || excluded.steps`
	// The same for an event that is there.
	sqlEventStep = `UPDATE event SET state = iif(?4 = 'duplicate' OR ?3 < at, state, ?4),
			at = iif(?4 = 'duplicate', at, max(at, ?3)), body = iif(?5 = 0, body, ?5),
			steps = iif(length(steps) < 16384, steps, substr(steps, instr(steps, char(10)) + 1)) || ?6
		WHERE ev = ?1 AND trg = ?2`
	sqlEventColumns = `id, ev, trg, type, fn, name, src, subject, seen, state, steps`
	sqlEventWhere   = ` AND id < ?1 AND seen >= ?2 AND (?3 = '' OR fn = ?3) AND (?4 = '' OR name = ?4)
		AND (?5 = '' OR state = ?5) AND (?6 = '' OR ev = ?6) ORDER BY id DESC LIMIT ?7`
	sqlEvents    = `SELECT ` + sqlEventColumns + ` FROM event NOT INDEXED WHERE true` + sqlEventWhere
	sqlEventsOf  = `SELECT ` + sqlEventColumns + ` FROM event INDEXED BY event_key WHERE ev = ?6` + sqlEventWhere
	sqlEventsFn  = `SELECT ` + sqlEventColumns + ` FROM event INDEXED BY event_fn WHERE fn <> '' AND fn = ?3` + sqlEventWhere
	sqlEventsOdd = `SELECT ` + sqlEventColumns + ` FROM event INDEXED BY event_odd
		WHERE state NOT IN ('queued', 'succeeded') AND state = ?5` + sqlEventWhere

	sqlLeasePut  = `INSERT OR REPLACE INTO lease(name, owner, token, expires) VALUES (?, ?, ?, ?)`
	sqlLeaseLoad = `SELECT name, owner, token FROM lease`

	// The sweeper's turns: at most as many rows as the last argument says.
	sqlSweepDedup    = `DELETE FROM dedup WHERE k IN (SELECT k FROM dedup WHERE expires <= ? LIMIT ?)`
	sqlSweepEnded    = `DELETE FROM inv WHERE rowid IN (SELECT rowid FROM inv WHERE state <> 'dead' AND ended <= ? LIMIT ?)`
	sqlSweepDead     = `DELETE FROM inv WHERE rowid IN (SELECT rowid FROM inv WHERE state = 'dead' AND ended <= ? LIMIT ?)`
	sqlSweepMany     = `DELETE FROM inv WHERE rowid IN (SELECT rowid FROM inv WHERE state <> 'dead' ORDER BY ended LIMIT ?)`
	sqlCountEnded    = `SELECT count(*) FROM inv WHERE state <> 'dead'`
	sqlSweepEvents   = `DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY id LIMIT ?2) AND seen <= ?1`
	sqlSweepEventCap = `DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id <= (SELECT max(id) FROM event) - ? ORDER BY id LIMIT ?)`
	sqlSweepBodies   = `DELETE FROM body WHERE id IN (SELECT id FROM body ORDER BY id LIMIT ?2) AND at <= ?1`
	sqlSweepBodyCap  = `DELETE FROM body WHERE id IN (SELECT id FROM body ORDER BY id LIMIT ?2)
		AND total <= (SELECT total FROM body ORDER BY id DESC LIMIT 1) - ?1`
	// The latest write stays, deletion or not, so that a feed always reaches Rev.
	sqlTombstones = `SELECT k, rev FROM rec WHERE gone IS NOT NULL AND gone <= ? AND rev < (SELECT max(rev) FROM rec)
		ORDER BY gone LIMIT ?`
	sqlRecDrop = `DELETE FROM rec WHERE k = ? AND rev = ?`
)
