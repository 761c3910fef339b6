#include "audit/actors.h"

#include "audit/audit.h"
#include "drivers/crypto/crypto.h"

namespace plumb::audit {
namespace {

/// All names of one actor share a pseudonym, so that their leaves can be read together.
Result<std::string> shared_pseudonym(sqlite::Connection& db, const std::string& actor_id) {
  sqlite::Statement& row =
      TRY(db.statement("SELECT pseudonym FROM audit_actor WHERE actor_id = ? LIMIT 1"));
  TRY(row.bind(1, actor_id));
  const std::string found = TRY(row.step()) ? row.text(0) : std::string();
  row.reset();
  if (!found.empty()) return found;
  return crypto::hex(TRY(crypto::random_bytes(8)));
}

}  // namespace

Result<Pseudonym> pseudonym_of(sqlite::Transaction& tx, const Actor& actor) {
  sqlite::Statement& known = TRY(tx.statement(
      "SELECT pseudonym, commitment FROM audit_actor WHERE actor_id = ? AND name = ?"));
  TRY(known.bind_all(actor.id, actor.name));
  if (TRY(known.step())) {
    Pseudonym found{known.text(0), known.text(1)};
    known.reset();
    return found;
  }
  known.reset();
  Pseudonym made;
  made.id = TRY(shared_pseudonym(tx, actor.id));
  const std::string salt = TRY(crypto::random_bytes(32));
  made.commitment = crypto::hmac_sha256_hex(salt, actor.id + "\n" + actor.name);
  sqlite::Statement& store =
      TRY(tx.statement("INSERT INTO audit_actor (actor_id, name, pseudonym, commitment, salt)"
                       " VALUES (?, ?, ?, ?, ?)"));
  TRY(store.bind_all(actor.id, actor.name, made.id, made.commitment));
  TRY(store.bind_blob(5, salt));
  TRY(store.run());
  return made;
}

Result<int> erase_actor(sqlite::Transaction& tx, const std::string& actor_id) {
  sqlite::Statement& row = TRY(tx.statement("DELETE FROM audit_actor WHERE actor_id = ?"));
  TRY(row.bind(1, actor_id));
  TRY(row.run());
  return static_cast<int>(tx.changes());
}

}  // namespace plumb::audit
