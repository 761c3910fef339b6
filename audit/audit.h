#pragma once
/// audit/: the trail that shows tampering. One leaf for every step, in the transaction of the
/// change.
///
///   Leaf     canonical JSON, format 1 (docs/formats.md "Audit leaf"), permanent. It names actors
///            by a pseudonym and a salted commitment; names stand in a table that can be erased.
///   Chain    value n = SHA-256(value n-1 | SHA-256(0x00 | leaf n)). Sequence numbers are gapless,
///            given by the one writer.
///   Threads  append inside Store::write; the rest from any thread.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/event.h"
#include "core/result.h"
#include "drivers/sqlite/store.h"

namespace plumb::audit {

[[nodiscard]] sqlite::Component schema();

/// One step. Empty fields are stored as JSON null. Values must be scrubbed before they come here.
struct Entry {
  std::string verb;  ///< "event.accepted", "push.refused", "job.planned", "apply.intended", ...
  Actor actor;
  std::string project, application, cluster_uid, repository, ref, old_oid, new_oid;
  std::string commit, plan_digest;
  std::string reason;
  std::string result;                          ///< "ok", "denied", "failed", ...
  std::int64_t event = 0, job = 0, epoch = 0;  ///< 0: none
  std::vector<std::pair<std::string, std::string>>
      detail;  ///< per verb: object, op, hash, audit id
};

/// Appends and returns its sequence number.
Result<std::int64_t> append(sqlite::Transaction& tx, const Entry& entry, UnixMillis now);

/// Forgets who stands behind the pseudonym of this actor; every leaf and the chain stay as they
/// are. Returns how many names went. The name in stored events is the queue's.
Result<int> erase_actor(sqlite::Transaction& tx, const std::string& actor_id);

struct Row {
  std::int64_t sequence = 0;
  UnixMillis at = 0;
  std::string actor_name;  ///< "" when erased
  std::string leaf;        ///< the canonical JSON
  std::string chain;       ///< hex
};

struct Filter {
  std::string application, repository, commit, verb,
      actor;                        ///< "" = any; commit is a prefix, verb may end in '*'
  UnixMillis since = 0, until = 0;  ///< 0 = open
  std::int64_t after_sequence = 0;
  int limit = 100;
};
Result<std::vector<Row>> list(sqlite::Connection& db, const Filter& filter);  ///< newest first

struct Verified {
  std::int64_t leaves = 0;
  std::string head;               ///< chain value of the last row, hex
  std::int64_t bad_sequence = 0;  ///< first row that does not hold; 0 = all hold
  std::string problem;            ///< "" = all hold
};
/// Recomputes everything. `expected_head`, if given, must appear at its sequence (a head kept
/// elsewhere shows truncation and full rewrites).
Result<Verified> verify(sqlite::Connection& db,
                        std::optional<std::pair<std::int64_t, std::string>> expected_head = {});

}  // namespace plumb::audit
