#pragma once
/// The JSON of the worker frames (docs/formats.md "Worker frames"). Pure.
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "apply/inventory.h"
#include "core/job.h"
#include "core/plan.h"

namespace plumb::worker {

/// What a worker is told to do.
struct JobOrder {
  Job job;
  Lease lease;
  std::int64_t lease_ms = 0;
};

/// What it needs for that: the exact plan and what the application has now.
struct WorkOrder {
  Plan plan;
  std::vector<apply::InventoryItem> inventory;
  std::set<std::string> claimed_elsewhere;
  bool prune_confirmed = false;
  bool reapply_unchanged = false;
  std::string
      hold;  ///< not empty: a gate closed meanwhile (suspended); settle as waiting with this
};

/// One request of a worker under its lease. `call` pairs it with its ACK or NO.
struct WorkerCall {
  std::int64_t call = 0;
  Lease lease;
  std::vector<apply::InventoryItem> items;  ///< INTEND, APPLIED
  std::vector<std::string> identities;      ///< PRUNE, GONE
  std::vector<std::string> audit_ids;       ///< APPLIED
  Outcome outcome;                          ///< SETTLE
};

struct ProgressFrame {
  JobId job = 0;
  std::string phase;
  Counts counts;
  int done = 0;
  int total = 0;
  std::string message;
};

[[nodiscard]] std::string encode(const JobOrder& order);
[[nodiscard]] Result<JobOrder> decode_job_order(std::string_view body);
[[nodiscard]] std::string encode(std::int64_t call, const WorkOrder& order);
[[nodiscard]] Result<WorkOrder> decode_work_order(std::string_view body);
[[nodiscard]] std::string encode(const WorkerCall& call);
[[nodiscard]] Result<WorkerCall> decode_worker_call(std::string_view body);
[[nodiscard]] std::string encode(const ProgressFrame& progress);
[[nodiscard]] Result<ProgressFrame> decode_progress(std::string_view body);

/// ACK (`error` null, `until` of the lease) or NO.
[[nodiscard]] std::string encode_answer(std::int64_t call, UnixMillis until, const Error* error);
struct Answer {
  std::int64_t call = 0;
  UnixMillis until = 0;
  bool ok = true;
  Error error;
};
[[nodiscard]] Result<Answer> decode_answer(std::string_view body);

[[nodiscard]] std::string encode_stop(JobId job, std::int64_t epoch, std::string_view why);
struct StopOrder {
  JobId job = 0;
  std::int64_t epoch = 0;
  std::string why;
};
[[nodiscard]] Result<StopOrder> decode_stop(std::string_view body);

}  // namespace plumb::worker
