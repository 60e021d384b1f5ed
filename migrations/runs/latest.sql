-- Format 4 in one piece, for readers: what the numbered steps amount to, which a test makes sure of.
-- Nothing is made from this file. Columns have no declared type unless given.

CREATE TABLE run_info (
    proposal,
    run,
    start_time,   -- seconds since 1970; null until the data acquisition has told
    added_at      -- seconds since 1970
);
CREATE UNIQUE INDEX proposal_run ON run_info (proposal, run);

CREATE TABLE run_variables (
    proposal,
    run,
    name,
    version,      -- always 1
    value,
    timestamp,    -- of the last write, seconds since 1970
    max_diff,
    provenance,
    summary_type,
    summary_method,
    attributes    -- JSON: units, colours, the error of a variable that failed
);
CREATE UNIQUE INDEX variable_version
    ON run_variables (proposal, run, name, version);

-- Remade with a column for each variable as soon as there is one.
CREATE VIEW runs AS SELECT proposal, run, start_time, added_at FROM run_info;
CREATE VIEW max_diffs AS SELECT proposal, run FROM run_info;

-- Settings of the whole database; `data_format_version` is 4.
CREATE TABLE metameta (
    key PRIMARY KEY NOT NULL,
    value
);

CREATE TABLE variables (
    name TEXT PRIMARY KEY NOT NULL,
    type TEXT,    -- null: computed from the context file
    title TEXT,
    description TEXT,
    attributes TEXT
);

-- Comments that belong to a moment and to no run.
CREATE TABLE time_comments (
    timestamp,
    comment
);

CREATE TABLE tags (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT UNIQUE NOT NULL
);

CREATE TABLE variable_tags (
    variable_name TEXT NOT NULL,
    tag_id INTEGER NOT NULL,
    FOREIGN KEY (variable_name) REFERENCES variables (name) ON DELETE CASCADE,
    FOREIGN KEY (tag_id) REFERENCES tags (id) ON DELETE CASCADE,
    PRIMARY KEY (variable_name, tag_id)
);

-- A tag goes when the last variable that had it loses it.
CREATE TRIGGER delete_orphan_tags_after_variable_tag_delete
AFTER DELETE ON variable_tags
FOR EACH ROW
BEGIN
    DELETE FROM tags
    WHERE id = OLD.tag_id
      AND id NOT IN (SELECT tag_id FROM variable_tags);
END;
