-- Documents are JSON; the columns beside them are what is searched for.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    priority TEXT NOT NULL,
    opened_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    parent TEXT NOT NULL,
    document TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX incidents_by_state ON incidents (state, opened_at);
CREATE INDEX incidents_by_key ON incidents (key);
CREATE INDEX incidents_by_parent ON incidents (parent) WHERE parent != '';

CREATE TABLE alerts (
    fingerprint TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    document TEXT NOT NULL
) WITHOUT ROWID;

-- One row an execution: what guard counters are rebuilt from, and its output.
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    incident_id TEXT NOT NULL,
    remediation TEXT NOT NULL,
    resource TEXT NOT NULL,
    action TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL,
    outcome TEXT,
    exit_code INTEGER,
    output TEXT
) WITHOUT ROWID;
CREATE INDEX runs_by_time ON runs (started_at);
CREATE INDEX runs_by_incident ON runs (incident_id);

-- Passes of a ladder on a resource since it was last healthy for long enough.
CREATE TABLE passes (
    remediation TEXT NOT NULL,
    resource TEXT NOT NULL,
    count INTEGER NOT NULL,
    unhealthy_at REAL NOT NULL,
    PRIMARY KEY (remediation, resource)
) WITHOUT ROWID;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    lane TEXT NOT NULL,
    target TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    not_before REAL NOT NULL,
    owner TEXT NOT NULL,
    claim TEXT NOT NULL,
    created_at REAL NOT NULL,
    settled_at REAL,
    reason TEXT NOT NULL
);
CREATE INDEX outbox_owed ON outbox (id) WHERE state IN ('pending', 'running');

-- Posted requests: acknowledged once they stand here, applied afterwards.
CREATE TABLE inbox (
    id INTEGER PRIMARY KEY,
    received_at REAL NOT NULL,
    origin TEXT NOT NULL,
    body TEXT NOT NULL
);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    incident_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    event TEXT NOT NULL,
    reason TEXT NOT NULL,
    guard TEXT NOT NULL,
    state TEXT NOT NULL,
    actor TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX audit_by_incident ON audit (incident_id, id);

CREATE TABLE tickets (
    incident_id TEXT NOT NULL,
    system TEXT NOT NULL,
    ticket_id TEXT NOT NULL,
    url TEXT NOT NULL,
    state TEXT NOT NULL,
    updated_at REAL NOT NULL,
    PRIMARY KEY (incident_id, system)
) WITHOUT ROWID;
