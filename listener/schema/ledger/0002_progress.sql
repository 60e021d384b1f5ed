-- How far a job is while it runs, and how far it came.
ALTER TABLE jobs ADD COLUMN variables INTEGER;  -- how many it evaluates; NULL: not known yet
ALTER TABLE jobs ADD COLUMN done INTEGER;       -- how many of them have had their turn
