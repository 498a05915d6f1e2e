-- The embedded ticket book. Times are wall seconds.
CREATE TABLE book_tickets (
  id          INTEGER PRIMARY KEY,
  correlation TEXT NOT NULL UNIQUE,
  title       TEXT NOT NULL,
  body        TEXT NOT NULL,
  priority    TEXT NOT NULL,
  service     TEXT NOT NULL,
  drill       INTEGER NOT NULL CHECK (drill IN (0, 1)),
  state       TEXT NOT NULL CHECK (state IN ('open', 'closed')),
  opened_at   REAL NOT NULL,
  changed_at  REAL NOT NULL
) STRICT;
CREATE INDEX book_tickets_by_state ON book_tickets (state, changed_at);

CREATE TABLE book_comments (
  id      INTEGER PRIMARY KEY,
  ticket  INTEGER NOT NULL REFERENCES book_tickets (id) ON DELETE CASCADE,
  key     TEXT NOT NULL,
  comment TEXT NOT NULL,
  made_at REAL NOT NULL,
  UNIQUE (ticket, key)
) STRICT;
