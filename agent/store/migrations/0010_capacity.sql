-- What is used of resources, rolled up hour by hour. `outlook` is the newest forecast, `plan` the change asked for.
CREATE TABLE capacity_subjects (
    id INTEGER PRIMARY KEY,
    resource TEXT NOT NULL,
    subject TEXT NOT NULL,
    outlook TEXT NOT NULL,
    plan TEXT NOT NULL,
    UNIQUE (resource, subject)
) STRICT;

CREATE TABLE capacity_hours (
    subject INTEGER NOT NULL,
    at INTEGER NOT NULL,
    low REAL NOT NULL,
    mean REAL NOT NULL,
    high REAL NOT NULL,
    size REAL NOT NULL,
    PRIMARY KEY (subject, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX capacity_hours_by_time ON capacity_hours (at);
