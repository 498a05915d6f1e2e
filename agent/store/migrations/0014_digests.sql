-- What digests will say: one row an incident, the last that happened to it.
CREATE TABLE collected (
    digest TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    priority TEXT NOT NULL,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL,
    times INTEGER NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (digest, incident_id)
) STRICT, WITHOUT ROWID;
