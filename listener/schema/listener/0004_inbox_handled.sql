-- What was handled long ago is found without a look at everything.

CREATE INDEX inbox_handled ON inbox (done_at) WHERE done_at IS NOT NULL;
