#pragma once
/// A queue in a temporary file, and builders that name only what matters.
#include "queue/queue.h"
#include "tests/support/fake_clock.h"
#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

namespace plumb::test {

class TestQueue {
 public:
  TestQueue() : store(must(sqlite::Store::open(folder_ / "q.db", {queue::schema()}))) {}

  template <class T>
  Result<T> write(const std::function<Result<T>(sqlite::Transaction&)>& change_rows) {
    return store->write<T>(change_rows);
  }
  Result<> change(const std::function<Result<>(sqlite::Transaction&)>& change_rows) {
    return store->write(change_rows);
  }
  template <class T>
  T read(const std::function<Result<T>(sqlite::Connection&)>& query) {
    return must(store->read<T>(query));
  }

  queue::Accepted accept(const std::string& delivery) {
    Event event{"shop",
                {{"refs/heads/main", std::string(40, '0'), std::string(40, 'a')}},
                Trigger::push,
                delivery,
                {"uid:1000", "Ana", Assurance::peer_uid},
                "",
                clock.now()};
    return must(write<queue::Accepted>([&](auto& tx) { return queue::accept(tx, event); }));
  }

  static queue::NewJob a_job(const std::string& app,
                             const std::string& commit = std::string(40, 'a')) {
    return {{"default", app, "dev", "eu-1"},
            JobKind::sync,
            "shop",
            "refs/heads/main",
            commit,
            "plan",
            ""};
  }
  std::vector<JobId> plan(EventId event, const std::vector<queue::NewJob>& jobs) {
    return must(write<std::vector<JobId>>(
        [&](auto& tx) { return queue::plan_event(tx, event, jobs, "", clock.now()); }));
  }
  JobId add(const std::string& app) {
    return plan(accept("d" + std::to_string(++deliveries_)).id, {a_job(app)}).front();
  }

  std::optional<queue::Claimed> claim(const std::string& worker = "w1", int max_attempts = 5) {
    return must(write<std::optional<queue::Claimed>>([&](auto& tx) {
      return queue::claim(tx, worker, std::chrono::seconds(30), clock.now(), max_attempts);
    }));
  }
  Result<> settle(const Lease& lease,
                  Outcome::Ending ending,
                  Errc code = Errc::fault,
                  int max_attempts = 12) {
    return change([&](auto& tx) {
      return queue::settle(tx, lease, {ending, code, "why", {}}, clock.now(), max_attempts);
    });
  }
  Job job(JobId id) {
    return read<std::optional<Job>>([&](auto& db) { return queue::find_job(db, id); }).value();
  }

  FakeClock clock;

 private:
  TempFolder folder_;
  int deliveries_ = 0;

 public:
  std::unique_ptr<sqlite::Store> store;
};

}  // namespace plumb::test
