-- The columns after `chain` repeat the leaf for searching; verify compares them.
CREATE TABLE audit_leaf (
  sequence    INTEGER PRIMARY KEY,
  leaf        TEXT NOT NULL,      -- canonical JSON, format 1
  chain       BLOB NOT NULL,      -- SHA-256(chain of the row before, SHA-256(0x00, leaf))
  at          INTEGER NOT NULL,
  verb        TEXT NOT NULL,
  actor       TEXT NOT NULL,
  application TEXT,
  repository  TEXT,
  commit_id   TEXT                -- the leaf's commit, else its new_oid
) STRICT;
CREATE INDEX audit_by_at ON audit_leaf (at);
CREATE INDEX audit_by_application ON audit_leaf (application);
CREATE INDEX audit_by_repository ON audit_leaf (repository);
CREATE INDEX audit_by_commit ON audit_leaf (commit_id);

-- Against our own mistakes; who can write the file can drop them, and is found by the chain.
CREATE TRIGGER audit_leaf_stays BEFORE DELETE ON audit_leaf
BEGIN
  SELECT RAISE(ABORT, 'a leaf of the audit trail is never deleted');
END;
CREATE TRIGGER audit_leaf_is_final BEFORE UPDATE ON audit_leaf
BEGIN
  SELECT RAISE(ABORT, 'a leaf of the audit trail is never changed');
END;

-- Erasable: without its row a pseudonym and a commitment say nothing.
CREATE TABLE audit_actor (
  actor_id   TEXT NOT NULL,
  name       TEXT NOT NULL,
  pseudonym  TEXT NOT NULL,         -- random, one for all names of an actor
  salt       BLOB NOT NULL,
  commitment TEXT NOT NULL UNIQUE,
  PRIMARY KEY (actor_id, name)
) STRICT, WITHOUT ROWID;
