-- Format 2: a cell has attributes (a JSON object): units, colours, the error of a variable that failed.

ALTER TABLE run_variables ADD COLUMN attributes;
