-- What DAMNIT's listener keeps, as DAMNIT has it: either program can go on with the other's file.

CREATE TABLE IF NOT EXISTS proposal_databases (proposal, db_dir UNIQUE, official);
CREATE INDEX IF NOT EXISTS proposals ON proposal_databases (proposal);
CREATE TABLE IF NOT EXISTS settings (key PRIMARY KEY NOT NULL, value);
