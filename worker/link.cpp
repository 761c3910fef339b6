#include "worker/link.h"

#include <algorithm>
#include <utility>

#include "core/log.h"

namespace plumb::worker {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

/// A lost READY or JOB costs this long: an idle worker says again that it is.
constexpr auto kReadyAgain = 5s;

}  // namespace

Link::Link(std::unique_ptr<zmq::Socket> socket, const Clock& clock)
    : socket_(std::move(socket)),
      clock_(clock),
      thread_([this](std::stop_token stop) { run(stop); }) {}

Link::~Link() {
  thread_.request_stop();
  socket_->wake();
  if (thread_.joinable()) thread_.join();
}

void Link::send(std::string type, std::string body) {
  {
    const std::scoped_lock lock(mutex_);
    outgoing_.push_back({"", std::move(type), std::move(body)});
  }
  socket_->wake();
}

void Link::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::deque<zmq::Message> outgoing;
    {
      const std::scoped_lock lock(mutex_);
      outgoing = std::exchange(outgoing_, {});
    }
    for (const zmq::Message& message : outgoing) socket_->send(message);
    auto message = socket_->receive(keep_lease());
    if (!message) {
      log::error("link.broken", {{"message", message.error().message}});
      return;
    }
    if (*message) on_message(**message);
  }
  socket_->send({"", "BYE", "{}"});
}

void Link::on_message(const zmq::Message& message) {
  if (message.type == "JOB") {
    auto order = decode_job_order(message.body);
    if (!order) return;
    const std::scoped_lock lock(mutex_);
    offered_ = std::move(*order);
  } else if (message.type == "STOP") {
    const auto order = decode_stop(message.body);
    const std::scoped_lock lock(mutex_);
    if (order && current_ && current_->lease.job == order->job &&
        current_->lease.epoch == order->epoch) {
      current_->stop_reason = order->why;
      current_->stop.request_stop();
    }
  } else {
    // PLAN has the same "call" member as the short answers.
    const auto answer = decode_answer(message.body);
    if (!answer) return;
    const std::scoped_lock lock(mutex_);
    if (current_ && answer->call == current_->renewal && current_->renewal != 0) {
      on_answer(*answer);
    } else {
      answers_[answer->call] = message;
    }
  }
  changed_.notify_all();
}

/// The answer to a renewal. Caller holds the mutex.
void Link::on_answer(const Answer& answer) {
  current_->renewal = 0;
  if (answer.ok) {
    // Counted from before the request left: never longer than plumbd means it.
    current_->until = current_->renewal_sent + current_->length;
    current_->lease.until = answer.until;
  } else if (answer.error.code == Errc::conflict) {
    current_->stop_reason = "lease lost";
    current_->until = Steady::now();
    current_->stop.request_stop();
  }
}

std::chrono::milliseconds Link::keep_lease() {
  const std::scoped_lock lock(mutex_);
  const auto now = Steady::now();
  if (!current_) {
    if (waiting_ && now >= ready_at_) {
      ready_at_ = now + kReadyAgain;
      socket_->send({"", "READY", "{}"});
    }
    return 1000ms;
  }
  if (now >= current_->until && !current_->stop.stop_requested()) {
    current_->stop_reason = "lease ran out";
    current_->stop.request_stop();
    changed_.notify_all();
  }
  const auto until = [&](Steady::time_point time) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(time - now);
    return std::clamp<std::chrono::milliseconds>(left + 1ms, 1ms, 1000ms);
  };
  if (now < current_->renew_at)
    return until(std::min(current_->renew_at, std::max(current_->until, now + 20ms)));
  current_->renew_at = now + current_->length / 3;
  current_->renewal = next_call_++;
  current_->renewal_sent = now;
  WorkerCall call;
  call.call = current_->renewal;
  call.lease = current_->lease;
  socket_->send({"", "RENEW", encode(call)});
  return until(current_->renew_at);
}

std::optional<JobOrder> Link::next_job(const std::stop_token& stop) {
  {
    const std::scoped_lock lock(mutex_);
    waiting_ = true;
    ready_at_ = {};
  }
  socket_->wake();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [&] { return offered_.has_value(); });
  waiting_ = false;
  // What was offered to a worker that stops keeps its lease until plumbd starts again.
  if (!offered_ || stop.stop_requested()) return std::nullopt;
  auto order = std::exchange(offered_, std::nullopt);
  Current current;
  current.lease = order->lease;
  current.length = std::chrono::milliseconds(order->lease_ms);
  // Part of the lease is already used when the frame arrives: by plumbd's wall clock, as both are
  // on one host; a remote worker gets the rest from the clock it agreed on when it connected.
  const auto used = std::chrono::milliseconds(std::clamp<std::int64_t>(
      order->lease_ms - (order->lease.until - clock_.now()), 0, order->lease_ms));
  current.until = Steady::now() + current.length - used;
  current.renew_at = Steady::now() + current.length / 3;
  current_ = std::move(current);
  lock.unlock();
  socket_->wake();  // the renewals count from now
  return order;
}

void Link::job_ended() {
  const std::scoped_lock lock(mutex_);
  current_.reset();
  answers_.clear();
}

Result<zmq::Message> Link::ask(const std::string& type, WorkerCall call) {
  std::int64_t number = 0;
  {
    const std::scoped_lock lock(mutex_);
    if (!current_) return fail(Errc::conflict, "no lease");
    number = call.call = next_call_++;
    call.lease = current_->lease;
  }
  send(type, encode(call));
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto answered = answers_.find(number);
    if (answered != answers_.end()) {
      auto message = std::move(answered->second);
      answers_.erase(answered);
      return message;
    }
    if (!current_ || Steady::now() >= current_->until) {
      return fail(Errc::conflict, "plumbd did not answer before the lease ended");
    }
    changed_.wait_for(lock, 200ms);
  }
}

Result<WorkOrder> Link::order() {
  const auto message = TRY(ask("PLAN?", {}));
  if (message.type == "PLAN") return decode_work_order(message.body);
  const auto answer = TRY(decode_answer(message.body));
  return Failure(answer.error);
}

Result<> Link::call(const std::string& type, WorkerCall call) {
  const auto message = TRY(ask(type, std::move(call)));
  const auto answer = TRY(decode_answer(message.body));
  if (!answer.ok) return Failure(answer.error);
  return {};
}

void Link::progress(const ProgressFrame& frame) {
  send("PROGRESS", encode(frame));
}

void Link::stop_job(const std::string& why) {
  {
    const std::scoped_lock lock(mutex_);
    if (current_) {
      current_->stop_reason = why;
      current_->stop.request_stop();
    }
  }
  changed_.notify_all();
}

std::stop_token Link::stop_token() const {
  const std::scoped_lock lock(mutex_);
  return current_ ? current_->stop.get_token() : std::stop_token();
}

std::string Link::stop_reason() const {
  const std::scoped_lock lock(mutex_);
  return current_ ? current_->stop_reason : "";
}

bool Link::may_call(std::chrono::milliseconds length) const {
  const std::scoped_lock lock(mutex_);
  return current_ && Steady::now() + length < current_->until;
}

}  // namespace plumb::worker
