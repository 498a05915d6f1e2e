-- Alerts that other programs posted and that are active. Labels and the rest are the JSON they came in.
CREATE TABLE posted (
    id INTEGER PRIMARY KEY,
    labels TEXT NOT NULL,
    rest TEXT NOT NULL,
    origin TEXT NOT NULL,
    active_at REAL NOT NULL,
    fired_at REAL NOT NULL,
    until REAL NOT NULL,
    state TEXT NOT NULL
);
