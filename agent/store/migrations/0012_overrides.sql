-- Other limits for some alerts of a rule, until they expire.
CREATE TABLE overrides (
    id TEXT PRIMARY KEY,
    ends_at REAL NOT NULL,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;
