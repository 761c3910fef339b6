#pragma once
/// The steps of Store::open. Private to drivers/sqlite.
#include <string>
#include <vector>

#include "drivers/sqlite/store.h"

namespace plumb::sqlite {

/// Makes the file if it is missing, so that nobody else can read it from the first byte on; SQLite
/// gives its log the same rights.
Result<> make_private(const std::string& path);

/// WAL, FULL, secure_delete, no automatic checkpoint. fault: the file system cannot hold a WAL.
Result<> set_up_writer(Connection& db);

/// fault: damaged. What a damaged disk left would come back as wrong work.
Result<> check_pages(Connection& db, const std::string& path);

/// Brings each component to its newest version, all or nothing. invalid: a newer Plumbline wrote
/// it.
Result<> migrate_all(Connection& db, const std::vector<Component>& components);

}  // namespace plumb::sqlite
