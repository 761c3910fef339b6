#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/http/channel.h"
#include "drivers/http/exchange.h"
#include "drivers/http/http.h"
#include "drivers/http/listener.h"
#include "drivers/http/tls.h"

namespace plumb::http {
namespace {

/// Accepted connections on their way to a thread.
class Line {
 public:
  explicit Line(Load& load) : load_(load) {}
  ~Line() {
    for (const int fd : fds_) ::close(fd);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  void put(int fd) {
    {
      const std::scoped_lock lock(mutex_);
      fds_.push_back(fd);
      --load_.spare;
    }
    came_.notify_one();
  }
  /// -1: stop.
  int take(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    ++load_.spare;  // stays when we take one: an idle thread less, a connection less
    if (!came_.wait(lock, stop, [this] { return !fds_.empty(); }) || stop.stop_requested()) {
      return -1;
    }
    const int fd = fds_.front();
    fds_.pop_front();
    return fd;
  }

 private:
  Load& load_;
  std::mutex mutex_;
  std::condition_variable_any came_;
  std::deque<int> fds_;  // guarded by mutex_
};

}  // namespace

struct Server::Impl {
  Impl(Options with, Check judge, Serve answer)
      : options(std::move(with)), check(std::move(judge)), serve(std::move(answer)), line(load) {}
  ~Impl() {
    load.stopping = true;
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake, &one, sizeof one));
    acceptor = {};  // joins
    for (auto& thread : pool) thread.request_stop();
    pool.clear();
    if (wake >= 0) ::close(wake);
    if (listener.fd >= 0) ::close(listener.fd);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void accept_all() {
    while (!load.stopping) {
      // When the line is full new connections stay with the kernel.
      const bool full = load.spare <= -options.waiting;
      std::array<pollfd, 2> polled{pollfd{wake, POLLIN, 0}, pollfd{listener.fd, POLLIN, 0}};
      ::poll(polled.data(), full ? 1 : 2, full ? 50 : -1);
      if (full || polled[1].revents == 0) continue;
      const int fd = ::accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        // Out of descriptors: the connection stays ready, so wait instead of spinning.
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) ::poll(polled.data(), 1, 50);
        continue;
      }
      const int on = 1;
      static_cast<void>(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
      line.put(fd);
    }
  }

  void serve_all(const std::stop_token& stop) {
    Exchange exchange(options, check, serve, load);
    for (int fd = line.take(stop); fd >= 0; fd = line.take(stop)) {
      Channel channel(fd, load, options.pressed_time);
      exchange.run(channel, context.get());
    }
  }

  Options options;
  Check check;
  Serve serve;
  Load load;
  Context context;
  Listener listener;
  int wake = -1;
  Line line;
  std::vector<std::jthread> pool;
  std::jthread acceptor;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

const std::string& Server::address() const {
  return impl_->listener.address;
}

Result<std::unique_ptr<Server>> Server::start(Options options, Check check, Serve serve) {
  const Address address = TRY(parse_address(options.listen));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(check), std::move(serve));
  if (!impl->options.certificate.empty()) {
    impl->context = TRY(load_context(impl->options.certificate, impl->options.key));
  }
  impl->listener = TRY(listen_on(address));
  impl->wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (impl->wake < 0) return fail(Errc::fault, "make an event descriptor for the HTTP server");
  for (int i = 0; i < impl->options.threads; ++i) {
    impl->pool.emplace_back(
        [raw = impl.get()](const std::stop_token& stop) { raw->serve_all(stop); });
  }
  impl->acceptor = std::jthread([raw = impl.get()] { raw->accept_all(); });
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

}  // namespace plumb::http
