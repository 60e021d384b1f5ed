-- Whose end the listener has told of in its log and its numbers: whoever settles an attempt, that is done once.
ALTER TABLE attempts ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
UPDATE attempts SET told = 1 WHERE settled = 1;
CREATE INDEX attempts_untold ON attempts (told) WHERE told = 0 AND settled = 1;
