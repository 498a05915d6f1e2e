-- Articles that nobody has finished yet, written from the timelines of incidents.
CREATE TABLE drafts (
    name TEXT PRIMARY KEY,
    incident_id TEXT NOT NULL,
    written_at REAL NOT NULL,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;
