-- An object has one holder on a cluster, whatever its version.
CREATE TABLE inventory (
  cluster          TEXT NOT NULL,
  identity         TEXT NOT NULL,   -- ObjectKey::identity()
  app              TEXT NOT NULL,   -- AppId::to_string()
  api_version      TEXT NOT NULL,
  kind             TEXT NOT NULL,
  namespace        TEXT NOT NULL,
  name             TEXT NOT NULL,
  state            TEXT NOT NULL CHECK (state IN ('intended', 'applied')),
  hash             TEXT NOT NULL,
  uid              TEXT NOT NULL,   -- '' while intended for the first time
  resource_version TEXT NOT NULL,
  wave             INTEGER NOT NULL,
  PRIMARY KEY (cluster, identity)
) STRICT, WITHOUT ROWID;
CREATE INDEX inventory_by_app ON inventory (app, identity);

CREATE TABLE cluster_uid (
  cluster TEXT PRIMARY KEY,
  uid     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
