-- A queue that does not get jobs to begin is no reason to give one up after the few tries that a job has.
ALTER TABLE jobs ADD COLUMN unbegun INTEGER NOT NULL DEFAULT 0;
