-- Times are Unix milliseconds, UTC.
CREATE TABLE event (
  id          INTEGER PRIMARY KEY,
  repository  TEXT NOT NULL,
  delivery_id TEXT NOT NULL,
  trigger     TEXT NOT NULL,
  actor_id    TEXT NOT NULL,
  actor_name  TEXT NOT NULL,
  assurance   TEXT NOT NULL,
  reason      TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('received', 'planned', 'ignored')),
  note        TEXT NOT NULL,
  raw         BLOB,             -- the delivery's bytes, for replay
  UNIQUE (repository, delivery_id)
) STRICT;
CREATE INDEX event_unplanned ON event (id) WHERE state = 'received';
CREATE INDEX event_by_repository ON event (repository, id);

CREATE TABLE event_ref (
  event    INTEGER NOT NULL REFERENCES event (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  ref      TEXT NOT NULL,
  old_oid  TEXT NOT NULL,
  new_oid  TEXT NOT NULL,
  PRIMARY KEY (event, position)
) STRICT, WITHOUT ROWID;

-- (id, epoch) is the fencing token of a lease.
CREATE TABLE job (
  id          INTEGER PRIMARY KEY,
  event       INTEGER NOT NULL,
  app         TEXT NOT NULL,    -- AppId::to_string()
  kind        TEXT NOT NULL CHECK (kind IN ('sync', 'remove', 'rollback')),
  repository  TEXT NOT NULL,
  ref         TEXT NOT NULL,
  commit_id   TEXT NOT NULL,
  plan        TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN
                ('waiting', 'queued', 'running', 'done', 'superseded', 'failed', 'poison')),
  attempt     INTEGER NOT NULL DEFAULT 0,
  crashes     INTEGER NOT NULL DEFAULT 0,   -- leases in a row that ran out without an end
  epoch       INTEGER NOT NULL DEFAULT 0,
  created_at  INTEGER NOT NULL,
  not_before  INTEGER NOT NULL,
  backoff     INTEGER NOT NULL DEFAULT 0,   -- the last wait, for decorrelated jitter
  finished_at INTEGER NOT NULL DEFAULT 0,
  phase       TEXT NOT NULL DEFAULT '',
  message     TEXT NOT NULL DEFAULT '',
  options     TEXT NOT NULL DEFAULT '',
  worker      TEXT,             -- not null exactly while running
  lease_until INTEGER,
  CHECK ((state = 'running') = (worker IS NOT NULL AND lease_until IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX one_running_per_app ON job (app) WHERE state = 'running';
CREATE INDEX job_queued ON job (not_before, id) WHERE state = 'queued';
CREATE INDEX job_leases ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_by_app ON job (app, id);
CREATE INDEX job_by_event ON job (event);
CREATE INDEX job_by_commit ON job (commit_id);
CREATE INDEX job_finished ON job (finished_at) WHERE finished_at > 0;

-- Jobs that ended without a word of their worker, until whoever writes the trail has taken them.
CREATE TABLE job_ended_aside (
  job INTEGER PRIMARY KEY
) STRICT;
CREATE TRIGGER job_ends_aside AFTER UPDATE OF state ON job
  WHEN new.state IN ('superseded', 'poison') AND old.state <> new.state
BEGIN
  INSERT OR IGNORE INTO job_ended_aside (job) VALUES (new.id);
END;

CREATE TABLE job_log (
  job  INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  at   INTEGER NOT NULL,
  line TEXT NOT NULL
) STRICT;
CREATE INDEX job_log_by_job ON job_log (job);

CREATE TABLE planned_ref (
  repository TEXT NOT NULL,
  ref        TEXT NOT NULL,
  commit_id  TEXT NOT NULL,
  PRIMARY KEY (repository, ref)
) STRICT, WITHOUT ROWID;

CREATE TABLE app (
  id                TEXT PRIMARY KEY,
  project           TEXT NOT NULL,
  name              TEXT NOT NULL,
  environment       TEXT NOT NULL,
  cluster           TEXT NOT NULL,
  repository        TEXT NOT NULL,
  path              TEXT NOT NULL,
  engine            TEXT NOT NULL,   -- '' = by the folder's content
  recurse           INTEGER NOT NULL,
  namespace         TEXT NOT NULL,
  sync              TEXT NOT NULL,
  prune             INTEGER NOT NULL,
  on_delete         TEXT NOT NULL,
  health_timeout    INTEGER NOT NULL,  -- milliseconds
  declared_file     TEXT NOT NULL,
  declared_line     INTEGER NOT NULL,
  ref               TEXT NOT NULL,
  wanted_commit     TEXT NOT NULL,
  wanted_plan       TEXT NOT NULL,
  applied_commit    TEXT NOT NULL,
  applied_plan      TEXT NOT NULL,
  applied_at        INTEGER NOT NULL,
  suspended         INTEGER NOT NULL,
  suspended_because TEXT NOT NULL,
  held_commit       TEXT NOT NULL,
  health            TEXT NOT NULL,
  health_message    TEXT NOT NULL,
  removed           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
