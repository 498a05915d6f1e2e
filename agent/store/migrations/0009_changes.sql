-- Changes. `wanted` says that somebody still has to do something about one: carry it out, or review it.
CREATE TABLE changes (
    id TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('standard', 'normal', 'emergency')),
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    opened_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    wanted INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX changes_by_time ON changes (updated_at);
CREATE INDEX changes_wanted ON changes (wanted) WHERE wanted = 1;
CREATE INDEX changes_by_incident ON changes (incident_id) WHERE incident_id != '';
