#include <algorithm>

#include "audit/audit.h"
#include "audit/chain.h"

namespace plumb::audit {
namespace {

/// What a leaf says about its own place. The text cannot stand inside a JSON string, whose quotes
/// are escaped, nor in `detail`, whose values are strings.
bool says_sequence(std::string_view leaf, std::int64_t sequence) {
  return leaf.find(",\"sequence\":" + std::to_string(sequence) + ",\"verb\":") !=
         std::string_view::npos;
}

std::string problem_of(const sqlite::Statement& row,
                       std::int64_t sequence,
                       const std::string& chain) {
  const std::string number = std::to_string(sequence);
  if (row.integer(0) != sequence) return "leaf " + number + " is missing";
  if (row.blob(2) != chain) return "leaf " + number + " does not fit its chain value";
  if (!says_sequence(row.text(1), sequence)) return "leaf " + number + " is not at its place";
  if (row.text(1).find(",\"format\":1,") == std::string::npos) {
    return "leaf " + number + " has a format that this version does not know";
  }
  if (row.integer(3) == 0) {
    return "the columns beside leaf " + number + " say something else than the leaf";
  }
  return {};
}

std::string head_problem(const Verified& verified, std::int64_t sequence) {
  if (verified.leaves < sequence) {
    return "the trail ends at leaf " + std::to_string(verified.leaves) + ", but leaf " +
           std::to_string(sequence) + " was there before: its end was cut off";
  }
  return "leaf " + std::to_string(sequence) +
         " is not the one that was there before: the trail was written anew";
}

}  // namespace

Result<Verified> verify(sqlite::Connection& db,
                        std::optional<std::pair<std::int64_t, std::string>> expected_head) {
  sqlite::Statement rows = TRY(db.prepare(
      "SELECT sequence, leaf, chain, CASE WHEN json_valid(leaf) THEN at IS json_extract(leaf, "
      "'$.at')"
      " AND verb IS json_extract(leaf, '$.verb') AND actor IS json_extract(leaf, '$.actor')"
      " AND application IS json_extract(leaf, '$.application')"
      " AND repository IS json_extract(leaf, '$.repository')"
      " AND commit_id IS coalesce(json_extract(leaf, '$.commit'), json_extract(leaf, '$.new_oid'))"
      " ELSE 0 END FROM audit_leaf ORDER BY sequence"));
  Verified verified;
  std::string chain = chain_start();
  bool head_seen = !expected_head.has_value();
  while (TRY(rows.step())) {
    const std::int64_t sequence = verified.leaves + 1;
    chain = chain_value(chain, rows.text(1));
    verified.problem = problem_of(rows, sequence, chain);
    if (!verified.problem.empty()) {
      verified.bad_sequence = sequence;
      return verified;
    }
    verified.leaves = sequence;
    verified.head = crypto::hex(chain);
    if (head_seen || sequence != expected_head->first) continue;
    if (verified.head != expected_head->second) break;
    head_seen = true;
  }
  if (!head_seen) {
    verified.bad_sequence = std::min(verified.leaves + 1, expected_head->first);
    verified.problem = head_problem(verified, expected_head->first);
  }
  return verified;
}

}  // namespace plumb::audit
