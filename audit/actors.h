#pragma once
/// Who stands behind a leaf, in a table of its own. Private to audit/.
#include <string>

#include "core/event.h"
#include "drivers/sqlite/store.h"

namespace plumb::audit {

struct Pseudonym {
  std::string id;          ///< 16 hex digits, random
  std::string commitment;  ///< hex HMAC-SHA256 of `<id> LF <name>` under the row's salt
};

/// The pseudonym of the actor; a new one the first time.
Result<Pseudonym> pseudonym_of(sqlite::Transaction& tx, const Actor& actor);

}  // namespace plumb::audit
