-- Problems, and what is counted towards them.
CREATE TABLE problems (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'known_error', 'closed')),
    opened_at REAL NOT NULL,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE occurrences (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    subject TEXT NOT NULL,
    family TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    happening TEXT NOT NULL CHECK (happening IN ('incident', 'fix'))
) STRICT;
CREATE INDEX occurrences_by_time ON occurrences (at);
