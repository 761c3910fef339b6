#pragma once
/// A worker's end of the line to plumbd. Owns a dealer socket on a thread of its own: receives jobs
/// and stop orders, renews the lease of the running job, carries calls and their answers.
///
///   Threads  next_job and call from the worker's own thread; the rest from any
///   Errors   conflict: the lease is lost (stop working, settle nothing); unavailable: plumbd
///            does not answer before the lease ends
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "core/clock.h"
#include "drivers/zmq/zmq.h"
#include "worker/frames.h"

namespace plumb::worker {

class Link {
 public:
  Link(std::unique_ptr<zmq::Socket> socket, const Clock& clock);
  ~Link();

  /// Asks for work and waits; nullopt when told to stop.
  std::optional<JobOrder> next_job(const std::stop_token& stop);
  /// The job of next_job() is over: no more renewals.
  void job_ended();

  /// Asks for the plan under the lease.
  Result<WorkOrder> order();
  /// INTEND, APPLIED, PRUNE, GONE, SETTLE. Returns once plumbd has it on disk.
  Result<> call(const std::string& type, WorkerCall call);
  void progress(const ProgressFrame& frame);

  /// Ask the running job to stop at its next safe point (shutdown).
  void stop_job(const std::string& why);

  /// Asked to stop: superseded by a newer commit, the lease is lost, or the process ends.
  [[nodiscard]] std::stop_token stop_token() const;
  [[nodiscard]] std::string stop_reason() const;
  /// True while the lease outlasts a call of this length (I6).
  [[nodiscard]] bool may_call(std::chrono::milliseconds length) const;

 private:
  struct Current {
    Lease lease;
    std::chrono::milliseconds length{0};
    std::chrono::steady_clock::time_point until;  // by our own steady clock, from when we asked
    std::chrono::steady_clock::time_point renew_at;
    std::int64_t renewal = 0;  // call number of the renewal under way
    std::chrono::steady_clock::time_point renewal_sent;
    std::stop_source stop;
    std::string stop_reason;
  };
  void run(const std::stop_token& stop);
  void on_message(const zmq::Message& message);
  void on_answer(const Answer& answer);
  /// Renews what is due and says again that the worker is idle; how long nothing more is due.
  std::chrono::milliseconds keep_lease();
  void send(std::string type, std::string body);
  Result<zmq::Message> ask(const std::string& type, WorkerCall call);

  std::unique_ptr<zmq::Socket> socket_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<zmq::Message> outgoing_;
  bool waiting_ = false;  // in next_job()
  std::chrono::steady_clock::time_point ready_at_{};
  std::optional<JobOrder> offered_;
  std::optional<Current> current_;
  std::map<std::int64_t, zmq::Message> answers_;
  std::int64_t next_call_ = 1;
  std::jthread thread_;  // last
};

}  // namespace plumb::worker
