-- What verified results have earned remediations and action kinds: circuit breakers and demotions.
CREATE TABLE standings (
    scope TEXT NOT NULL CHECK (scope IN ('remediation', 'action')),
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;

-- What a decision was taken on, where a remediation was asked for: enough to take it again.
ALTER TABLE audit ADD COLUMN inputs TEXT;

-- What was captured before an action ran.
ALTER TABLE runs ADD COLUMN diagnostics TEXT;
