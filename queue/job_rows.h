#pragma once
/// Reading job rows. Private to queue/.
#include <string_view>
#include <vector>

#include "queue/queue.h"

namespace plumb::queue {

inline constexpr std::string_view kJobColumns =
    "id, event, app, kind, repository, ref, commit_id, plan, state, attempt, created_at, "
    "not_before, finished_at,"
    " phase, message, options";

[[nodiscard]] Result<Job> read_job(const sqlite::Statement& row);
[[nodiscard]] Result<std::vector<Job>> read_jobs(sqlite::Statement& rows);

}  // namespace plumb::queue
