-- Rows that could not be read or applied at a start, as they were: `content` is a JSON object of their columns.
CREATE TABLE quarantined (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    place TEXT NOT NULL,
    key TEXT NOT NULL,
    content TEXT NOT NULL,
    error TEXT NOT NULL
) STRICT;
