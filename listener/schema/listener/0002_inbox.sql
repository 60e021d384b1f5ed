-- What came in and has to lead to something; and what could not be understood. Times are seconds since 1970.

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
    done_at     REAL                    -- NULL: something is still to be done
);
CREATE INDEX inbox_to_do ON inbox (next_try) WHERE done_at IS NULL;

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
