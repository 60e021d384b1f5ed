-- A job's life in a queue. An attempt is written down before a queue is given it.

ALTER TABLE jobs ADD COLUMN held INTEGER NOT NULL DEFAULT 0;      -- taken off the queue by a person, until told to go on
ALTER TABLE jobs ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;  -- attempts that failed through no fault of the job
ALTER TABLE jobs ADD COLUMN next_try REAL;                        -- not before; NULL: at once
-- A queue in memory had these, and is gone.
UPDATE jobs SET state = 'planned' WHERE state = 'queued';
-- States from here on: planned, submitted, pending, running, finished, failed, cancelled, lost.

CREATE TABLE attempts_of_jobs (
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
    settled       INTEGER NOT NULL DEFAULT 0,  -- nothing more is to be asked about it
    PRIMARY KEY (processing_id, number)
);
INSERT INTO attempts_of_jobs (processing_id, number, queue, token, submitter, submitted_at, queue_id,
                              host, pid, pid_started, started_at, ended_at, exit_code, signal, settled)
    SELECT processing_id, number, 'local', processing_id, host || ' ' || pid || ' ' || pid_started, started_at, pid,
           host, pid, pid_started, started_at, ended_at, exit_code, signal,
           (SELECT state FROM jobs WHERE jobs.processing_id = attempts.processing_id)
               IN ('finished', 'failed', 'lost')
    FROM attempts;
DROP TABLE attempts;
ALTER TABLE attempts_of_jobs RENAME TO attempts;
CREATE INDEX attempts_by_token ON attempts (token, task);
CREATE INDEX attempts_unsettled ON attempts (settled) WHERE settled = 0;
