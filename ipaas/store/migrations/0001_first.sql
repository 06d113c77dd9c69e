-- The first schema. Instants are microseconds since 1970, JSON is text, flags are 0 or 1.

CREATE TABLE revisions (
    tenant   TEXT    NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A removed workflow keeps its row, so that an operator's deactivation outlives the removal.
CREATE TABLE workflows (
    tenant      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    version     TEXT    NOT NULL,
    path        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    labels      TEXT    NOT NULL,
    active      INTEGER NOT NULL,
    removed     INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE versions (
    tenant   TEXT NOT NULL,
    workflow TEXT NOT NULL,
    version  TEXT NOT NULL,
    path     TEXT NOT NULL,
    source   TEXT NOT NULL,
    PRIMARY KEY (tenant, workflow, version)
) STRICT;

CREATE TABLE triggers (
    tenant      TEXT    NOT NULL,
    workflow    TEXT    NOT NULL,
    trigger_id  TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    begins_at   INTEGER NOT NULL,
    last_due    INTEGER,
    PRIMARY KEY (tenant, workflow, trigger_id)
) STRICT, WITHOUT ROWID;

-- `gate` says where a run stands on its way to an owner:
--   open    may be claimed, if its slot has room at that moment
--   slot    its slot was full; the best one of each limit is let in when a place comes free
--   queue   an earlier run of its workflow must end first
--   held    an owner has it: claimed, running or waiting
--   closed  it has ended
-- `rank` is the negated priority, so that one ascending index gives the order of claims.
CREATE TABLE runs (
    seq              INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id               TEXT    NOT NULL,
    tenant           TEXT    NOT NULL,
    workflow         TEXT    NOT NULL,
    version          TEXT    NOT NULL,
    state            TEXT    NOT NULL,
    gate             TEXT    NOT NULL,
    reason           TEXT    NOT NULL DEFAULT '',
    rank             INTEGER NOT NULL,
    overlap          TEXT    NOT NULL,
    slot             TEXT    NOT NULL,
    slot_limit       INTEGER NOT NULL,
    delivery         TEXT,
    parent_run       TEXT,
    parent_step      TEXT,
    created_at       INTEGER NOT NULL,
    started_at       INTEGER,
    finished_at      INTEGER,
    lease_until      INTEGER,
    owner            TEXT    NOT NULL DEFAULT '',
    fence            INTEGER NOT NULL DEFAULT 0,
    recoveries       INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    events           INTEGER NOT NULL DEFAULT 1,
    trigger_info     TEXT    NOT NULL,
    inputs           TEXT    NOT NULL,
    outputs          TEXT,
    error            TEXT
) STRICT;

CREATE UNIQUE INDEX runs_id ON runs (id);
CREATE UNIQUE INDEX runs_delivery ON runs (tenant, workflow, delivery) WHERE delivery IS NOT NULL;
CREATE INDEX runs_tenant ON runs (tenant, seq);
CREATE INDEX runs_workflow ON runs (tenant, workflow, seq);
CREATE INDEX runs_children ON runs (parent_run) WHERE parent_run IS NOT NULL;
-- The indexes below hold unfinished runs, or few: claims cost the same beside a million finished ones.
CREATE INDEX runs_ready ON runs (rank, seq) WHERE gate = 'open';
CREATE INDEX runs_behind ON runs (tenant, workflow, seq) WHERE gate = 'queue';
CREATE INDEX runs_unfinished ON runs (tenant, workflow, seq) WHERE gate <> 'closed';
CREATE INDEX runs_slot ON runs (tenant, slot, gate, slot_limit, rank, seq) WHERE slot <> '' AND gate <> 'closed';
CREATE INDEX runs_lease ON runs (lease_until) WHERE lease_until IS NOT NULL;
-- What people look for among a history of successes: whatever is under way, and whatever went wrong.
CREATE INDEX runs_notable ON runs (tenant, seq) WHERE state <> 'succeeded';

CREATE TABLE run_events (
    run_seq  INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    state    TEXT    NOT NULL,
    fence    INTEGER NOT NULL,
    detail   TEXT    NOT NULL,
    PRIMARY KEY (run_seq, sequence)
) STRICT, WITHOUT ROWID;

-- `seq` keeps the order in which paths were first recorded.
CREATE TABLE steps (
    seq         INTEGER NOT NULL PRIMARY KEY,
    run_seq     INTEGER NOT NULL,
    path        TEXT    NOT NULL,
    step        TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    inputs      TEXT,
    output      TEXT,
    error       TEXT,
    attempts    INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;

CREATE UNIQUE INDEX steps_path ON steps (run_seq, path);

CREATE TABLE log_lines (
    run_seq INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    level   TEXT    NOT NULL,
    message TEXT    NOT NULL,
    step    TEXT    NOT NULL,
    attempt INTEGER NOT NULL,
    fields  TEXT,
    PRIMARY KEY (run_seq, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE ticks (
    tenant     TEXT    NOT NULL,
    workflow   TEXT    NOT NULL,
    due_at     INTEGER NOT NULL,
    trigger_id TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    run_id     TEXT,
    PRIMARY KEY (tenant, workflow, due_at, trigger_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE state (
    tenant TEXT NOT NULL,
    scope  TEXT NOT NULL,
    key    TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (tenant, scope, key)
) STRICT;
