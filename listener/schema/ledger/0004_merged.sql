-- When the fragment was written that each variable of a run has its value from: an older one that turns up late must
-- not take its place. Seconds since 1970.
CREATE TABLE merged (
    proposal   INTEGER NOT NULL,
    run        INTEGER NOT NULL,
    name       TEXT NOT NULL,
    written_at REAL NOT NULL,
    PRIMARY KEY (proposal, run, name)
) WITHOUT ROWID;
