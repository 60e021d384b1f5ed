-- Where a message was read, also while it is in the inbox: it may have to go back to the dead letters.

ALTER TABLE inbox ADD COLUMN partition INTEGER NOT NULL DEFAULT -1;
ALTER TABLE inbox ADD COLUMN "offset" INTEGER NOT NULL DEFAULT -1;
