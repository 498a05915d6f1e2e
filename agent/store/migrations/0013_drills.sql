-- What drills came to: they are in no other record.
CREATE TABLE drills (
    id TEXT PRIMARY KEY,
    held_at REAL NOT NULL,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX drills_by_time ON drills (held_at);
