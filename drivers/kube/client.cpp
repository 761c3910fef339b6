#include "drivers/kube/client.h"

#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "drivers/kube/credentials.h"
#include "drivers/kube/limiter.h"
#include "drivers/kube/transfer.h"

namespace plumb::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kMaxQueued = 10'000;
constexpr std::size_t kKeptHandles = 64;

struct FreeMulti {
  void operator()(CURLM* raw) const noexcept { curl_multi_cleanup(raw); }
};
using Multi = std::unique_ptr<CURLM, FreeMulti>;

Limiter::Ended ended_of(const Result<Response>& result) {
  if (!result)
    return result.error().code == Errc::fault ? Limiter::Ended::well : Limiter::Ended::lost;
  const bool busy = result->status == 429 || result->status == 503 || result->status == 504;
  return busy ? Limiter::Ended::overloaded : Limiter::Ended::well;
}

/// The callbacks of a stream, cut off from the client's thread once the Stream is gone.
struct StreamSink {
  std::mutex mutex;
  bool cancelled = false;
  std::function<void(std::string_view)> on_line;
  std::function<void(Result<Response>)> on_end;

  void line(std::string_view text) {
    const std::scoped_lock lock(mutex);
    if (!cancelled) on_line(text);
  }
  void end(Result<Response> result) {
    const std::scoped_lock lock(mutex);
    if (!cancelled) on_end(std::move(result));
  }
  void cancel() {
    const std::scoped_lock lock(mutex);
    cancelled = true;
  }
};

}  // namespace

/// The loop and what it works on. Inbox is shared; everything below `// loop` is the loop's alone.
struct Client::Impl {
  Access access;
  Credentials credentials;
  Multi multi;
  std::atomic<std::uint64_t> next_id{1};
  std::atomic<int> limit{0};

  struct Inbox {
    std::vector<std::unique_ptr<Transfer>> submitted;
    std::vector<std::uint64_t> cancelled;
    bool closed = false;
  };
  Guarded<Inbox> inbox;

  // loop
  Limiter limiter;
  std::deque<std::unique_ptr<Transfer>> queued;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> running;
  std::vector<Easy> spare;

  std::jthread thread;

  Impl(Access its_access, Multi its_multi)
      : access(its_access), credentials(std::move(its_access)), multi(std::move(its_multi)) {}

  ~Impl() {
    inbox.with([](Inbox& in) { in.closed = true; });
    curl_multi_wakeup(multi.get());
    if (thread.joinable()) thread.join();
  }

  void submit(std::unique_ptr<Transfer> transfer) {
    const bool refused = inbox.with([&](Inbox& in) {
      if (in.closed || in.submitted.size() >= kMaxQueued) return true;
      in.submitted.push_back(std::move(transfer));
      return false;
    });
    if (refused) {
      transfer->finish(
          fail(Errc::unavailable, "too many calls wait for API server " + access.server));
      return;
    }
    curl_multi_wakeup(multi.get());
  }

  void cancel(std::uint64_t id) {
    inbox.with([&](Inbox& in) { in.cancelled.push_back(id); });
    curl_multi_wakeup(multi.get());
  }

  void loop();
  bool take_inbox();
  void start_queued();
  void begin(std::unique_ptr<Transfer> transfer);
  void collect_finished();
  void drop(std::uint64_t id);
  void end(std::unique_ptr<Transfer> transfer, CURLcode code);
  void keep(Easy easy);
  [[nodiscard]] int poll_time() const;
  void close_all();
};

void Client::Impl::loop() {
  while (take_inbox()) {
    start_queued();
    int still_running = 0;
    curl_multi_perform(multi.get(), &still_running);
    collect_finished();
    start_queued();
    curl_multi_poll(multi.get(), nullptr, 0, poll_time(), nullptr);
  }
  close_all();
}

bool Client::Impl::take_inbox() {
  Inbox taken;
  const bool closed = inbox.with([&](Inbox& in) {
    std::swap(taken.submitted, in.submitted);
    std::swap(taken.cancelled, in.cancelled);
    return in.closed;
  });
  for (auto& transfer : taken.submitted) {
    if (transfer->is_stream())
      begin(std::move(transfer));  // a watch holds no slot
    else
      queued.push_back(std::move(transfer));
  }
  for (const std::uint64_t id : taken.cancelled) drop(id);
  return !closed;
}

void Client::Impl::start_queued() {
  const auto now = steady_clock::now();
  while (!queued.empty() && limiter.has_room(now)) {
    auto transfer = std::move(queued.front());
    queued.pop_front();
    if (transfer->deadline() <= now) {
      transfer->finish(fail(Errc::unavailable,
                            "API server " + access.server + " is busy: the call waited too long"));
      continue;
    }
    limiter.started();
    begin(std::move(transfer));
  }
  // What cannot start before its deadline need not wait for it.
  for (auto it = queued.begin(); it != queued.end();) {
    if ((*it)->deadline() > std::max(now, limiter.hold_until())) {
      ++it;
      continue;
    }
    (*it)->finish(fail(Errc::unavailable,
                       "API server " + access.server + " asks to be left alone for a while"));
    it = queued.erase(it);
  }
}

void Client::Impl::begin(std::unique_ptr<Transfer> transfer) {
  Easy easy;
  if (spare.empty()) {
    easy.reset(curl_easy_init());
  } else {
    easy = std::move(spare.back());
    spare.pop_back();
  }
  Result<> ready = easy ? transfer->prepare(std::move(easy), access)
                        : Result<>(fail(Errc::unavailable, "out of memory"));
  CURL* raw = transfer->raw();
  if (ready && curl_multi_add_handle(multi.get(), raw) != CURLM_OK) {
    ready = fail(Errc::fault, "curl takes no more calls");
  }
  if (ready) {
    running.emplace(raw, std::move(transfer));
    return;
  }
  if (!transfer->is_stream()) limiter.ended(Limiter::Ended::well, {}, {}, steady_clock::now());
  transfer->finish(Failure(std::move(ready).error()));
}

void Client::Impl::collect_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* raw = message->easy_handle;
    const CURLcode code = message->data.result;  // the message dies with the handle's removal
    curl_multi_remove_handle(multi.get(), raw);
    auto found = running.extract(raw);
    if (!found.empty()) end(std::move(found.mapped()), code);
  }
}

void Client::Impl::end(std::unique_ptr<Transfer> transfer, CURLcode code) {
  const auto now = steady_clock::now();
  if (!transfer->is_stream()) {
    const int status = transfer->response().status;
    const bool asked = status == 429 || status == 503;
    auto how = code == CURLE_OK ? ended_of(transfer->response()) : Limiter::Ended::lost;
    limiter.ended(how, std::chrono::duration_cast<milliseconds>(now - transfer->started()),
                  asked ? transfer->response().retry_after : milliseconds(0), now);
    limit = limiter.limit();
  }
  transfer->finish(code, access);
  keep(transfer->release());
}

void Client::Impl::drop(std::uint64_t id) {
  for (auto it = running.begin(); it != running.end(); ++it) {
    if (it->second->id() != id) continue;
    curl_multi_remove_handle(multi.get(), it->first);
    keep(it->second->release());
    running.erase(it);
    return;
  }
}

void Client::Impl::keep(Easy easy) {
  if (!easy || spare.size() >= kKeptHandles) return;
  curl_easy_reset(easy.get());
  spare.push_back(std::move(easy));
}

int Client::Impl::poll_time() const {
  auto until = steady_clock::now() + std::chrono::seconds(60);
  for (const auto& transfer : queued) until = std::min(until, transfer->deadline());
  if (!queued.empty() && limiter.hold_until() > steady_clock::now()) {
    until = std::min(until, limiter.hold_until());
  }
  const auto left = std::chrono::duration_cast<milliseconds>(until - steady_clock::now()).count();
  return static_cast<int>(std::max<long>(0, left) + 1);
}

void Client::Impl::close_all() {
  const auto gone = [&] {
    return fail(Errc::unavailable, "the connection to " + access.server + " is being closed");
  };
  for (auto& [raw, transfer] : running) {
    curl_multi_remove_handle(multi.get(), raw);
    transfer->finish(gone());
  }
  running.clear();
  for (auto& transfer : queued) transfer->finish(gone());
  queued.clear();
  spare.clear();
}

namespace {

/// Cancels the transfer when the caller lets go of it.
class StreamHandle final : public Stream {
 public:
  StreamHandle(std::shared_ptr<StreamSink> sink, std::function<void()> cancel)
      : sink_(std::move(sink)), cancel_(std::move(cancel)) {}
  ~StreamHandle() override {
    sink_->cancel();
    cancel_();
  }
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;

 private:
  std::shared_ptr<StreamSink> sink_;
  std::function<void()> cancel_;
};

std::once_flag curl_ready;

}  // namespace

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::open(Access access) {
  std::call_once(curl_ready, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  Multi multi(curl_multi_init());
  if (!multi) return fail(Errc::unavailable, "out of memory");
  curl_multi_setopt(multi.get(), CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
  auto impl = std::make_unique<Impl>(std::move(access), std::move(multi));
  impl->limit = impl->limiter.limit();
  impl->thread = std::jthread([raw = impl.get()] { raw->loop(); });
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

std::future<Result<Response>> Client::start(Request request) {
  auto promise = std::make_shared<std::promise<Result<Response>>>();
  auto future = promise->get_future();
  auto identity = impl_->credentials.current();
  if (!identity) {
    promise->set_value(Failure(std::move(identity).error()));
    return future;
  }
  impl_->submit(std::make_unique<Transfer>(
      impl_->next_id++, std::move(request), *identity,
      [promise](Result<Response> result) { promise->set_value(std::move(result)); }));
  return future;
}

Result<Response> Client::call(Request request) {
  const auto identity = TRY(impl_->credentials.current());
  auto answer = start(request).get();
  const bool refused = answer && answer->status == 401;
  if (!refused || !impl_->credentials.renew(identity)) return answer;
  return start(std::move(request)).get();
}

Result<std::unique_ptr<Stream>> Client::stream(Request request,
                                               std::function<void(std::string_view)> on_line,
                                               std::function<void(Result<Response>)> on_end) {
  auto identity = TRY(impl_->credentials.current());
  auto sink = std::make_shared<StreamSink>();
  sink->on_line = std::move(on_line);
  sink->on_end = std::move(on_end);
  const std::uint64_t id = impl_->next_id++;
  auto transfer =
      std::make_unique<Transfer>(id, std::move(request), std::move(identity),
                                 [sink](Result<Response> end) { sink->end(std::move(end)); });
  transfer->stream_to([sink](std::string_view line) { sink->line(line); });
  impl_->submit(std::move(transfer));
  return std::unique_ptr<Stream>(
      std::make_unique<StreamHandle>(sink, [impl = impl_.get(), id] { impl->cancel(id); }));
}

const std::string& Client::server() const {
  return impl_->access.server;
}
const std::string& Client::origin() const {
  return impl_->access.origin;
}
int Client::limit() const {
  return impl_->limit;
}

std::string encoded(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4U];
    out += kHex[byte & 15U];
  }
  return out;
}

}  // namespace plumb::kube
