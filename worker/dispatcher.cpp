#include "worker/dispatcher.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "core/failpoint.h"
#include "core/guarded.h"
#include "core/log.h"

namespace plumb::worker {
namespace {

using namespace std::chrono_literals;

/// A routing id is bytes that libzmq made up; the name is what people and the database see.
std::string worker_name(const std::string& peer) {
  std::string name(kLocalWorkers);
  for (const char c : peer) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    name += kDigits[static_cast<unsigned char>(c) >> 4U];
    name += kDigits[static_cast<unsigned char>(c) & 15U];
  }
  return name;
}

/// Runs calls in the order they came, on a few threads.
class CallPool {
 public:
  explicit CallPool(int threads) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this](std::stop_token stop) { work(stop); });
    }
  }
  ~CallPool() {
    for (auto& thread : threads_) thread.request_stop();
    ready_.notify_all();
  }
  void add(std::function<void()> call) {
    {
      const std::scoped_lock lock(mutex_);
      calls_.push_back(std::move(call));
    }
    ready_.notify_one();
  }

 private:
  void work(const std::stop_token& stop) {
    for (;;) {
      std::function<void()> call;
      {
        std::unique_lock lock(mutex_);
        if (!ready_.wait(lock, stop, [&] { return !calls_.empty(); })) return;
        call = std::move(calls_.front());
        calls_.pop_front();
      }
      call();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any ready_;
  std::deque<std::function<void()>> calls_;
  std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

}  // namespace

struct Dispatcher::Impl {
  Impl(Ledger& the_ledger, ProgressHub& the_hub, Options the_options)
      : ledger(the_ledger), hub(the_hub), options(std::move(the_options)) {}

  void serve(const std::stop_token& stop);
  void on_message(const zmq::Message& message);
  void on_ready(const std::string& peer);
  void offer_jobs();
  void stop_superseded();
  void run_call(const zmq::Message& message);
  Result<> perform(const std::string& type, const WorkerCall& call);
  void on_progress(const zmq::Message& message);
  void reply(zmq::Message message);
  void flush_replies();
  std::chrono::milliseconds next_wait();

  Ledger& ledger;
  ProgressHub& hub;
  Options options;
  /// A job that was given out.
  struct Given {
    std::string peer;
    std::int64_t epoch = 0;
    UnixMillis until = 0;  // of its lease
  };

  std::unique_ptr<zmq::Socket> socket;  // of the serving thread, but for wake()
  std::deque<std::string> idle;         // workers that asked for a job
  std::map<JobId, Given> running;
  std::set<JobId> told_to_stop;
  Guarded<std::vector<zmq::Message>> replies;
  Guarded<std::vector<Lease>> renewed;
  Guarded<std::vector<Lease>> ended;
  std::atomic<bool> look_again = true;
  std::unique_ptr<CallPool> calls;
  std::jthread thread;
};

Dispatcher::Dispatcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Dispatcher::~Dispatcher() {
  impl_->thread.request_stop();
  impl_->socket->wake();
  if (impl_->thread.joinable()) impl_->thread.join();
  impl_->calls.reset();
}

Result<std::unique_ptr<Dispatcher>> Dispatcher::start(zmq::Context& context,
                                                      Ledger& ledger,
                                                      ProgressHub& hub,
                                                      Options options) {
  auto impl = std::make_unique<Impl>(ledger, hub, std::move(options));
  impl->socket = TRY(zmq::Socket::open(context, zmq::Socket::Role::router, impl->options.endpoint));
  impl->calls = std::make_unique<CallPool>(impl->options.call_threads);
  Impl& self = *impl;
  impl->thread = std::jthread([&self](std::stop_token stop) { self.serve(stop); });
  return std::unique_ptr<Dispatcher>(new Dispatcher(std::move(impl)));
}

void Dispatcher::wake() {
  impl_->look_again = true;
  impl_->socket->wake();
}

void Dispatcher::Impl::reply(zmq::Message message) {
  replies.with([&](auto& waiting) { waiting.push_back(std::move(message)); });
  socket->wake();
}

void Dispatcher::Impl::flush_replies() {
  for (const zmq::Message& message :
       replies.with([](auto& waiting) { return std::exchange(waiting, {}); })) {
    socket->send(message);
  }
  for (const Lease& lease : renewed.with([](auto& leases) { return std::exchange(leases, {}); })) {
    const auto found = running.find(lease.job);
    if (found != running.end() && found->second.epoch == lease.epoch)
      found->second.until = lease.until;
  }
  for (const Lease& lease : ended.with([](auto& leases) { return std::exchange(leases, {}); })) {
    look_again = true;
    const auto found = running.find(lease.job);
    if (found == running.end() || found->second.epoch != lease.epoch) continue;
    running.erase(found);
    told_to_stop.erase(lease.job);
  }
}

/// Sleeps until something comes, the next retry is due, or a second has gone (leases run out
/// without any message).
std::chrono::milliseconds Dispatcher::Impl::next_wait() {
  if (idle.empty()) return 1000ms;
  const auto due = ledger.store().read<std::optional<UnixMillis>>(queue::next_due);
  if (!due || !*due) return 1000ms;
  const auto left = **due - ledger.clock().now();
  return std::chrono::milliseconds(std::clamp<std::int64_t>(left, 5, 1000));
}

void Dispatcher::Impl::serve(const std::stop_token& stop) {
  auto wait = 0ms;
  while (!stop.stop_requested()) {
    auto message = socket->receive(wait);
    if (!message) {
      log::error("dispatcher.broken", {{"message", message.error().message}});
      return;
    }
    if (*message) {
      on_message(**message);
      wait = 0ms;
      flush_replies();
      continue;
    }
    flush_replies();
    if (look_again.exchange(false) || wait > 0ms) {
      stop_superseded();
      offer_jobs();
    }
    wait = next_wait();
  }
}

void Dispatcher::Impl::on_message(const zmq::Message& message) {
  if (message.type == "READY") {
    on_ready(message.peer);
  } else if (message.type == "BYE") {
    std::erase(idle, message.peer);
  } else if (message.type == "PROGRESS") {
    on_progress(message);
  } else {
    calls->add([this, message] { run_call(message); });
  }
}

/// An idle worker repeats its READY, so that a lost frame costs time only. One that crossed with
/// the job on its way is not believed before that job's lease is over.
void Dispatcher::Impl::on_ready(const std::string& peer) {
  const UnixMillis now = ledger.clock().now();
  std::erase_if(running, [&](const auto& given) { return given.second.until <= now; });
  const bool busy = std::any_of(running.begin(), running.end(),
                                [&](const auto& given) { return given.second.peer == peer; });
  if (busy || std::find(idle.begin(), idle.end(), peer) != idle.end()) return;
  idle.push_back(peer);
  look_again = true;
}

void Dispatcher::Impl::offer_jobs() {
  while (!idle.empty()) {
    const std::string worker = idle.front();
    auto claimed = ledger.claim(worker_name(worker), options.lease);
    if (!claimed) {
      log::warn("dispatcher.claim_failed", {{"message", claimed.error().message}});
      return;
    }
    if (!*claimed) return;
    idle.pop_front();
    const Job& job = (*claimed)->job;
    const Lease& lease = (*claimed)->lease;
    running[job.id] = {worker, lease.epoch, lease.until};
    told_to_stop.erase(job.id);
    if (const auto passed = [&]() -> Result<> {
          FAILPOINT("dispatch.before_send");
          return {};
        }();
        !passed) {
      continue;  // a lost message: the lease runs out
    }
    socket->send({worker, "JOB", encode(JobOrder{job, lease, options.lease.count()})});
    hub.publish({job.id, job.app, "running", {}, 0, 0, ""});
  }
}

void Dispatcher::Impl::stop_superseded() {
  if (running.empty()) return;
  const auto superseded = ledger.store().read<std::vector<JobId>>(queue::superseded_running);
  if (!superseded) return;
  for (const JobId job : *superseded) {
    const auto found = running.find(job);
    if (found == running.end() || !told_to_stop.insert(job).second) continue;
    socket->send({found->second.peer, "STOP", encode_stop(job, found->second.epoch, "superseded")});
  }
}

Result<> Dispatcher::Impl::perform(const std::string& type, const WorkerCall& call) {
  if (type == "INTEND") return ledger.intend(call);
  if (type == "APPLIED") return ledger.applied(call);
  if (type == "PRUNE") return ledger.intend_prune(call);
  if (type == "GONE") return ledger.gone(call);
  if (type == "SETTLE") {
    auto settled = ledger.settle(call);
    ended.with([&](auto& leases) { leases.push_back(call.lease); });
    return settled;
  }
  return fail(Errc::invalid, "unknown frame '" + type + "'");
}

void Dispatcher::Impl::run_call(const zmq::Message& message) {
  auto call = decode_worker_call(message.body);
  if (!call) {
    log::warn("dispatcher.bad_frame", {{"type", message.type}});
    return;
  }
  UnixMillis until = call->lease.until;
  Result<> done;
  if (message.type == "PLAN?") {
    auto order = ledger.order(call->lease);
    if (order) return reply({message.peer, "PLAN", encode(call->call, *order)});
    done = Failure(std::move(order).error());
  } else if (message.type == "RENEW") {
    auto lease = ledger.renew(call->lease, options.lease);
    if (lease) {
      until = lease->until;
      renewed.with([&](auto& leases) { leases.push_back(*lease); });
    } else {
      done = Failure(std::move(lease).error());
    }
  } else {
    done = perform(message.type, *call);
  }
  reply({message.peer, done ? "ACK" : "NO",
         encode_answer(call->call, until, done ? nullptr : &done.error())});
}

void Dispatcher::Impl::on_progress(const zmq::Message& message) {
  const auto frame = decode_progress(message.body);
  if (!frame) return;
  const auto last = hub.latest(frame->job);
  hub.publish({frame->job, last ? last->app : AppId{}, frame->phase, frame->counts, frame->done,
               frame->total, frame->message});
}

}  // namespace plumb::worker
