-- Format 1: one row per run, one row per cell, and what is known of each variable.
-- Columns have no declared type unless given: SQLite keeps each value as it was written.

CREATE TABLE IF NOT EXISTS run_info (
    proposal,
    run,
    start_time,   -- seconds since 1970; null until the data acquisition has told
    added_at      -- seconds since 1970
);
CREATE UNIQUE INDEX IF NOT EXISTS proposal_run ON run_info (proposal, run);

CREATE TABLE IF NOT EXISTS run_variables (
    proposal,
    run,
    name,
    version,      -- always 1
    value,
    timestamp,    -- of the last write, seconds since 1970
    max_diff,
    provenance,
    summary_type,
    summary_method
);
CREATE UNIQUE INDEX IF NOT EXISTS variable_version
    ON run_variables (proposal, run, name, version);

-- Without variables there is nothing to spread into columns yet: both views are remade with the first.
CREATE VIEW IF NOT EXISTS runs AS SELECT proposal, run, start_time, added_at FROM run_info;
CREATE VIEW IF NOT EXISTS max_diffs AS SELECT proposal, run FROM run_info;

-- Settings of the whole database, the version of this schema among them.
CREATE TABLE IF NOT EXISTS metameta (
    key PRIMARY KEY NOT NULL,
    value
);

CREATE TABLE IF NOT EXISTS variables (
    name TEXT PRIMARY KEY NOT NULL,
    type TEXT,    -- null: computed from the context file
    title TEXT,
    description TEXT,
    attributes TEXT
);

-- Comments that belong to a moment and to no run.
CREATE TABLE IF NOT EXISTS time_comments (
    timestamp,
    comment
);
