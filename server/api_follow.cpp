#include <algorithm>

#include <nlohmann/json.hpp>

#include "drivers/json/fields.h"
#include "drivers/json/json.h"
#include "server/api.h"
#include "server/views.h"

namespace plumb::server {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

constexpr int kMaxJobs = 1000;

/// A commit or the beginning of one. Names of applications that look like it are looked up first.
bool looks_like_commit(const std::string& what) {
  return what.size() >= 4 && what.size() <= 64 &&
         what.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool ended_well(const Json& item) {
  return item["state"] == "healthy" || item["state"] == "superseded";
}

}  // namespace

Result<bool> Api::has_unplanned(const std::string& repository) {
  const auto waiting = TRY(parts_.ledger.store().read<std::vector<queue::StoredEvent>>(
      [](sqlite::Connection& db) { return queue::unplanned(db, kMaxJobs); }));
  return std::any_of(waiting.begin(), waiting.end(), [&](const queue::StoredEvent& stored) {
    return repository.empty() || stored.event.repository == repository;
  });
}

Api::Answer Api::wait(Request& request) {
  const std::string what = json::text(request.params, "what");
  Followed followed;
  followed.timeout = std::chrono::milliseconds(
      std::clamp<std::int64_t>(json::number(request.params, "timeout_ms", 600'000), 0, 86'400'000));
  auto row = named_app(request, what);
  if (!row && request.not_found && looks_like_commit(what)) {
    request.not_found = false;
    followed.jobs = [this, what] {
      queue::JobFilter filter;
      filter.commit = what;
      filter.limit = kMaxJobs;
      return jobs_of(filter);
    };
    followed.more = [this] { return has_unplanned(""); };
    return follow(request, followed);
  }
  if (!row) return Failure(std::move(row).error());
  followed.jobs = [this, id = row->application.id]() -> Result<std::vector<Job>> {
    const auto latest = TRY(latest_job(id));
    return latest ? std::vector<Job>{*latest} : std::vector<Job>();
  };
  followed.more = [this, repository = row->application.repository] {
    return has_unplanned(repository);
  };
  return follow(request, followed);
}

/// One job as it stands, told to the peer when that is news.
Result<Json> Api::follow_item(Request& request,
                              const Job& job,
                              std::map<JobId, std::string>& told) {
  const auto row = TRY(parts_.ledger.store().read<std::optional<queue::AppRow>>(
      [&](sqlite::Connection& db) { return queue::find_app(db, job.app); }));
  const auto progress = parts_.hub.latest(job.id);
  const auto elapsed =
      (job.finished_at != 0 ? job.finished_at : parts_.ledger.clock().now()) - job.created_at;
  Json shown = progress_view(job, row ? &*row : nullptr, progress ? &*progress : nullptr, elapsed);
  Json without_time = shown;
  without_time.erase("elapsed_ms");
  std::string news = json::canonical(without_time);
  if (auto& last = told[job.id]; last != news) {
    last = std::move(news);
    TRY(request.connection.send('J', json::canonical(Json{{"event", shown}})));
  }
  shown["next"] = row ? next_step(*row, &job) : "";
  return shown;
}

Api::Answer Api::follow(Request& request, const Followed& what) {
  const auto started = parts_.ledger.clock().steady();
  std::map<JobId, std::string> told;
  Json items;
  bool done = false;
  for (;;) {
    const auto seen = parts_.hub.version();
    done = !TRY(what.more());  // asked first: what is planned in between is seen below
    items = Json::array();
    for (const Job& job : TRY(what.jobs())) {
      done = done && is_final(job.state);
      items.push_back(TRY(follow_item(request, job, told)));
    }
    const auto passed = parts_.ledger.clock().steady() - started;
    const bool gone = request.stop.stop_requested() || request.connection.peer_gone();
    if (done || gone || passed >= what.timeout) break;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(what.timeout - passed) + 1ms;
    parts_.hub.wait_past(seen, std::min<std::chrono::milliseconds>(left, 1000ms));
  }
  const bool ok = done && std::all_of(items.begin(), items.end(), ended_well);
  return Json{{"done", done},
              {"ok", ok},
              {"items", std::move(items)},
              {"applications_total", parts_.planner.applications_total()}};
}

}  // namespace plumb::server
