-- Every job there has been, each try at it, and messages that wait for a broker.
-- Times are seconds since 1970.

CREATE TABLE jobs (
    processing_id TEXT PRIMARY KEY NOT NULL,
    source        TEXT UNIQUE,          -- the message it follows from; NULL: a person asked
    proposal      INTEGER NOT NULL,
    run           INTEGER NOT NULL,
    data          TEXT NOT NULL,        -- raw, proc, all
    request       TEXT NOT NULL,        -- JSON: which variables, and how
    state         TEXT NOT NULL,        -- planned, queued, running, finished, failed, lost
    message       TEXT,                 -- why it is not finished
    submitted_by  TEXT NOT NULL,        -- user@host
    planned_at    REAL NOT NULL,
    ended_at      REAL
);
CREATE INDEX jobs_by_run ON jobs (proposal, run);
CREATE INDEX jobs_by_state ON jobs (state);

CREATE TABLE attempts (
    processing_id TEXT NOT NULL REFERENCES jobs (processing_id),
    number        INTEGER NOT NULL,     -- 1, 2, 3, …
    host          TEXT NOT NULL,
    pid           INTEGER NOT NULL,
    pid_started   INTEGER NOT NULL,     -- clock ticks since the host's start: tells a pid used again
    started_at    REAL NOT NULL,
    ended_at      REAL,
    exit_code     INTEGER,
    signal        INTEGER,
    PRIMARY KEY (processing_id, number)
);

CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    topic      TEXT NOT NULL,
    payload    BLOB NOT NULL,
    created_at REAL NOT NULL
);
