#include "queue/queue.h"

namespace plumb::queue {

Result<int> sweep(sqlite::Transaction& tx, const Retention& keep, UnixMillis now, int limit) {
  const auto age = [&](std::chrono::hours hours) {
    return now - std::chrono::duration_cast<std::chrono::milliseconds>(hours).count();
  };
  sqlite::Statement& jobs =
      TRY(tx.statement("DELETE FROM job WHERE id IN (SELECT old.id FROM job AS old WHERE "
                       "old.finished_at > 0 AND old.finished_at < ?1"
                       " AND (?2 <= 0 OR NOT EXISTS (SELECT 1 FROM app WHERE app.id = old.app)"
                       " OR EXISTS (SELECT 1 FROM job AS newer WHERE newer.app = old.app"
                       " AND newer.id > old.id LIMIT 1 OFFSET max(?2 - 1, 0))) LIMIT ?3)"));
  TRY(jobs.bind_all(age(keep.finished_jobs), keep.keep_jobs_per_app, limit));
  TRY(jobs.run());
  auto swept = tx.changes();
  sqlite::Statement& events =
      TRY(tx.statement("DELETE FROM event WHERE id IN (SELECT id FROM event WHERE state != "
                       "'received' AND received_at < ?1"
                       " AND NOT EXISTS (SELECT 1 FROM job WHERE job.event = event.id) LIMIT ?2)"));
  TRY(events.bind_all(age(keep.events), limit));
  TRY(events.run());
  swept += tx.changes();
  return static_cast<int>(swept);
}

}  // namespace plumb::queue
