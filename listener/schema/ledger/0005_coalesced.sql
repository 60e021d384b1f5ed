-- Messages that led to no job of their own, because one that had not started would see what they tell of. Whoever
-- reads such a message again, another listener or the next one, finds that it was seen to.

CREATE TABLE coalesced (
    source        TEXT PRIMARY KEY NOT NULL,    -- the message
    processing_id TEXT NOT NULL REFERENCES jobs (processing_id)
) WITHOUT ROWID;
