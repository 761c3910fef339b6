#pragma once
/// What the local socket says, as JSON (docs/formats.md "Local socket"). Pure.
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "plan/diff.h"
#include "queue/queue.h"
#include "worker/planner.h"
#include "worker/progress.h"

namespace plumb::server {

[[nodiscard]] nlohmann::json view(const Job& job);
[[nodiscard]] nlohmann::json view(const queue::AppRow& row, const Job* latest);
[[nodiscard]] nlohmann::json view(const plan::ObjectChange& change);
[[nodiscard]] nlohmann::json view(const worker::Judgement& judgement, std::int64_t checked_ms);
[[nodiscard]] nlohmann::json view(const queue::StoredEvent& event);
[[nodiscard]] nlohmann::json view(const Error& error);
/// Nothing more happens to the job without a person or a new commit.
[[nodiscard]] bool is_final(JobState state);
/// The state of a job as people read it: "queued", "running", "healthy", "failed", ...
[[nodiscard]] std::string shown_state(const Job& job, const queue::AppRow* row);
[[nodiscard]] nlohmann::json progress_view(const Job& job,
                                           const queue::AppRow* row,
                                           const worker::Progress* progress,
                                           std::int64_t elapsed_ms);
/// "current", "behind", "held", "removed"
[[nodiscard]] std::string git_state(const queue::AppRow& row);

}  // namespace plumb::server
