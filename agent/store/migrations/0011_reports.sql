-- Published reports, each with everything it was computed from (JSON, zlib); without: nothing was reported then.
CREATE TABLE reports (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    start REAL NOT NULL,
    end REAL NOT NULL,
    made_at REAL NOT NULL,
    made_by TEXT NOT NULL,
    digest TEXT NOT NULL,
    evidence BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX reports_by_name ON reports (name, end);

CREATE TABLE suggestions (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    updated_at REAL NOT NULL,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE reviews (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;
