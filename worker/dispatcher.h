#pragma once
/// plumbd's end of the line to its workers: gives out jobs, answers calls, tells superseded jobs to
/// stop. Owns a router socket on a thread of its own; calls run on a small pool, so that many
/// workers' writes share one commit.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "core/result.h"
#include "drivers/zmq/zmq.h"
#include "worker/ledger.h"
#include "worker/progress.h"

namespace plumb::worker {

/// Names of workers inside plumbd begin so: when plumbd starts, their leases of before are over.
inline constexpr std::string_view kLocalWorkers = "local/";

class Dispatcher {
 public:
  struct Options {
    std::string endpoint = "inproc://workers";
    std::chrono::milliseconds lease{30'000};
    int call_threads = 4;
  };
  static Result<std::unique_ptr<Dispatcher>> start(zmq::Context& context,
                                                   Ledger& ledger,
                                                   ProgressHub& hub,
                                                   Options options);
  ~Dispatcher();  ///< stops giving out jobs; running ones keep their lease

  /// A job may stand ready. Any thread.
  void wake();

 private:
  struct Impl;
  explicit Dispatcher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plumb::worker
