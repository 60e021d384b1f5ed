-- The listener's database in one piece, for readers: what the numbered steps amount to, which a test makes sure of.
-- Nothing is made from this file. Times are seconds since 1970.

-- The first two as DAMNIT has them.
CREATE TABLE proposal_databases (proposal, db_dir UNIQUE, official);
CREATE INDEX proposals ON proposal_databases (proposal);
CREATE TABLE settings (key PRIMARY KEY NOT NULL, value);

-- What came in and has to lead to something.
CREATE TABLE inbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT UNIQUE NOT NULL,   -- which message it is, whatever position a broker gives it
    topic       TEXT NOT NULL,
    sent_at     REAL,
    received_at REAL NOT NULL,
    payload     BLOB NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    next_try    REAL NOT NULL DEFAULT 0,
    last_error  TEXT,
    done_at     REAL,                   -- NULL: something is still to be done
    partition   INTEGER NOT NULL DEFAULT -1,    -- where it was read: it may have to go back to the dead letters
    "offset"    INTEGER NOT NULL DEFAULT -1
);
CREATE INDEX inbox_to_do ON inbox (next_try) WHERE done_at IS NULL;
CREATE INDEX inbox_handled ON inbox (done_at) WHERE done_at IS NOT NULL;

-- What could not be understood.
CREATE TABLE dead_letters (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT UNIQUE NOT NULL,
    topic       TEXT NOT NULL,
    partition   INTEGER NOT NULL,
    "offset"    INTEGER NOT NULL,
    sent_at     REAL,
    received_at REAL NOT NULL,
    reason      TEXT NOT NULL,
    payload     BLOB NOT NULL
);

-- One row: the number of the last step that was taken.
CREATE TABLE schema_version (version INTEGER NOT NULL);
