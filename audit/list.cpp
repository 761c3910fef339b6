#include "audit/audit.h"
#include "drivers/crypto/crypto.h"

namespace plumb::audit {
namespace {

/// Only the conditions that are asked for, so that each combination finds its index.
std::string query_for(const Filter& filter) {
  std::string sql =
      "SELECT sequence, at, leaf, chain, (SELECT CASE name WHEN '' THEN actor_id ELSE name END"
      " FROM audit_actor WHERE commitment = json_extract(leaf, '$.actor_commitment'))"
      " FROM audit_leaf WHERE sequence > ?1";
  if (!filter.application.empty()) sql += " AND application = ?2";
  if (!filter.repository.empty()) sql += " AND repository = ?3";
  if (!filter.commit.empty()) sql += " AND commit_id >= ?4 AND commit_id < ?4 || 'g'";
  if (filter.verb.ends_with('*')) {
    sql += " AND substr(verb, 1, length(?5)) = ?5";
  } else if (!filter.verb.empty()) {
    sql += " AND verb = ?5";
  }
  if (!filter.actor.empty()) {
    sql +=
        " AND (actor = ?6 OR actor IN"
        " (SELECT pseudonym FROM audit_actor WHERE actor_id = ?6 OR name = ?6))";
  }
  if (filter.since != 0) sql += " AND at >= ?7";
  if (filter.until != 0) sql += " AND at < ?8";
  return sql + " ORDER BY sequence DESC LIMIT ?9";
}

Result<> bind(sqlite::Statement& rows, const Filter& filter) {
  std::string verb = filter.verb;
  if (verb.ends_with('*')) verb.pop_back();
  TRY(rows.bind(1, filter.after_sequence));
  if (!filter.application.empty()) TRY(rows.bind(2, filter.application));
  if (!filter.repository.empty()) TRY(rows.bind(3, filter.repository));
  if (!filter.commit.empty()) TRY(rows.bind(4, filter.commit));
  if (!filter.verb.empty()) TRY(rows.bind(5, verb));
  if (!filter.actor.empty()) TRY(rows.bind(6, filter.actor));
  if (filter.since != 0) TRY(rows.bind(7, filter.since));
  if (filter.until != 0) TRY(rows.bind(8, filter.until));
  return rows.bind(9, static_cast<std::int64_t>(filter.limit));
}

}  // namespace

Result<std::vector<Row>> list(sqlite::Connection& db, const Filter& filter) {
  sqlite::Statement rows = TRY(db.prepare(query_for(filter)));
  TRY(bind(rows, filter));
  std::vector<Row> found;
  while (TRY(rows.step())) {
    found.push_back(
        {rows.integer(0), rows.integer(1), rows.text(4), rows.text(2), crypto::hex(rows.blob(3))});
  }
  return found;
}

}  // namespace plumb::audit
