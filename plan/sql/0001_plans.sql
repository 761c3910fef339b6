-- A blob is one object's canonical JSON, zstd-compressed; with secret values also sealed under its
-- project's key. `hash` is content_hash(): keyed where sealed, so it tells nothing of the content.
CREATE TABLE plan_blob (
  hash   TEXT PRIMARY KEY,
  sealed INTEGER NOT NULL,
  body   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE plan (
  digest             TEXT PRIMARY KEY,
  application        TEXT NOT NULL,     -- JSON; of the application that saved it last
  commit_id          TEXT NOT NULL,
  remove_application INTEGER NOT NULL,
  saved_at           INTEGER NOT NULL   -- Unix milliseconds; the last time that somebody saved it
) STRICT, WITHOUT ROWID;
CREATE INDEX plan_by_age ON plan (saved_at);

CREATE TABLE plan_object (
  digest       TEXT NOT NULL REFERENCES plan (digest) ON DELETE CASCADE,
  position     INTEGER NOT NULL,
  hash         TEXT NOT NULL,
  api_version  TEXT NOT NULL,
  kind         TEXT NOT NULL,
  namespace    TEXT NOT NULL,
  name         TEXT NOT NULL,
  place_file   TEXT NOT NULL,
  place_line   INTEGER NOT NULL,
  place_column INTEGER NOT NULL,
  PRIMARY KEY (digest, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX plan_object_by_hash ON plan_object (hash);

-- The render cache. Newest = largest id.
CREATE TABLE plan_render (
  id         INTEGER PRIMARY KEY,
  app        TEXT NOT NULL,
  parameters TEXT NOT NULL,
  closure_id TEXT NOT NULL,   -- SHA-256 of the closure's bytes
  closure    BLOB NOT NULL,   -- zstd of "<looked> NUL <path> NUL <value> NUL" per entry
  digest     TEXT NOT NULL,
  saved_at   INTEGER NOT NULL,
  UNIQUE (app, parameters, closure_id)
) STRICT;
CREATE INDEX plan_render_by_digest ON plan_render (digest);
