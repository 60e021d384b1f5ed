-- The ledger in one piece, for readers: what the numbered steps amount to, which a test makes sure of.
-- Nothing is made from this file. Times are seconds since 1970.

CREATE TABLE jobs (
    processing_id TEXT PRIMARY KEY NOT NULL,
    source        TEXT UNIQUE,          -- the message it follows from; NULL: a person asked
    proposal      INTEGER NOT NULL,
    run           INTEGER NOT NULL,
    data          TEXT NOT NULL,        -- raw, proc, all
    request       TEXT NOT NULL,        -- JSON: which variables, and how
    state         TEXT NOT NULL,        -- planned, submitted, pending, running, finished, failed, cancelled, lost
    message       TEXT,                 -- why it is not finished
    submitted_by  TEXT NOT NULL,        -- user@host
    planned_at    REAL NOT NULL,
    ended_at      REAL,
    variables     INTEGER,              -- how many it evaluates; NULL: not known yet
    done          INTEGER,              -- how many of them have had their turn
    held          INTEGER NOT NULL DEFAULT 0,   -- taken off the queue by a person, until told to go on
    failures      INTEGER NOT NULL DEFAULT 0,   -- attempts that failed through no fault of the job
    next_try      REAL,                 -- not before; NULL: at once
    unbegun       INTEGER NOT NULL DEFAULT 0    -- attempts that a queue had, and that never began
);
CREATE INDEX jobs_by_run ON jobs (proposal, run);
CREATE INDEX jobs_by_state ON jobs (state);

-- A job's tries. One is written down before a queue is given it.
CREATE TABLE attempts (
    processing_id TEXT NOT NULL REFERENCES jobs (processing_id),
    number        INTEGER NOT NULL,     -- 1, 2, 3, …
    queue         TEXT NOT NULL,        -- local, slurm
    token         TEXT NOT NULL,        -- by which a submission is found again; tasks of one array share it
    task          INTEGER,              -- the place in the array; NULL: a lone job
    width         INTEGER,              -- so many tasks of the array run at once
    chain         TEXT,                 -- the first of the arrays that wait for each other
    submitter     TEXT NOT NULL,        -- the process that gave it to the queue: host pid ticks
    submitted_at  REAL NOT NULL,
    cluster       TEXT,
    queue_id      TEXT,                 -- 123, or 123_4 in an array; NULL: not known to be in the queue
    log           TEXT,
    host          TEXT,                 -- NULL: it has not begun
    pid           INTEGER,
    pid_started   INTEGER,              -- clock ticks since the host's start: tells a pid used again
    started_at    REAL,
    seen_at       REAL,                 -- when it said last that it runs, in a queue on other machines
    ended_at      REAL,
    exit_code     INTEGER,
    signal        INTEGER,
    peak_memory   INTEGER,              -- bytes
    reason        TEXT,                 -- why it ended, in words
    settled       INTEGER NOT NULL DEFAULT 0,   -- nothing more is to be asked about it
    told          INTEGER NOT NULL DEFAULT 0,   -- the listener has told of its end
    PRIMARY KEY (processing_id, number)
);
CREATE INDEX attempts_by_token ON attempts (token, task);
CREATE INDEX attempts_unsettled ON attempts (settled) WHERE settled = 0;
CREATE INDEX attempts_untold ON attempts (told) WHERE told = 0 AND settled = 1;

-- Messages to clients that wait for a broker.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    topic      TEXT NOT NULL,
    payload    BLOB NOT NULL,
    created_at REAL NOT NULL
);

-- When the fragment was written that each variable of a run has its value from.
CREATE TABLE merged (
    proposal   INTEGER NOT NULL,
    run        INTEGER NOT NULL,
    name       TEXT NOT NULL,
    written_at REAL NOT NULL,
    PRIMARY KEY (proposal, run, name)
) WITHOUT ROWID;

-- Messages that led to no job of their own, because one that had not started would see what they tell of.
CREATE TABLE coalesced (
    source        TEXT PRIMARY KEY NOT NULL,    -- the message
    processing_id TEXT NOT NULL REFERENCES jobs (processing_id)
) WITHOUT ROWID;

-- One row: the number of the last step that was taken.
CREATE TABLE schema_version (version INTEGER NOT NULL);
