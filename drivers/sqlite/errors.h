#pragma once
/// SQLite's codes as ours. Private to drivers/sqlite.
#include <string_view>

#include "core/result.h"

struct sqlite3;

namespace plumb::sqlite {

[[nodiscard]] Error error_of(sqlite3* db, std::string_view doing);

inline constexpr int kBusyMillis = 5000;

/// After these nothing that the connection says about its state can be believed (a failed fsync
/// loses pages silently): stop writing, exit, read again.
[[nodiscard]] bool is_fatal(sqlite3* db);

}  // namespace plumb::sqlite
