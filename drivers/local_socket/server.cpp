#include <cerrno>
#include <exception>
#include <list>
#include <mutex>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "drivers/local_socket/address.h"
#include "drivers/local_socket/local_socket.h"

namespace plumb::local {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kFull =
    R"({"error":{"code":"unavailable","message":"too many connections at once","hint":"try again"}})";

/// Only a socket that nobody listens on is taken away.
Result<> remove_dead(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return system_failure(Errc::unavailable, "look at '" + path + "'", errno);
  }
  if (!S_ISSOCK(info.st_mode))
    return fail(Errc::conflict, "'" + path + "' exists and is no socket");
  const auto address = TRY(Address::of(path));
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return system_failure(Errc::unavailable, "make a socket", errno);
  const int error = ::connect(probe, address.get(), address.size()) == 0 ? 0 : errno;
  ::close(probe);
  if (error != ECONNREFUSED && error != ENOENT) {
    return fail(Errc::conflict, "somebody answers on '" + path + "'", "",
                "is another plumbd running?");
  }
  if (error == ECONNREFUSED && ::unlink(path.c_str()) != 0) {
    return system_failure(Errc::unavailable, "remove '" + path + "'", errno);
  }
  return {};
}

}  // namespace

struct Server::Impl {
  struct Client {
    std::jthread thread;
    int fd = -1;         // -1 once the handler has ended; guarded by mutex
    bool ended = false;  // guarded by mutex
  };

  ~Impl() {
    acceptor.request_stop();
    const std::uint64_t one = 1;
    if (wake >= 0) static_cast<void>(!::write(wake, &one, sizeof one));
    if (acceptor.joinable()) acceptor.join();
    {
      const std::scoped_lock lock(mutex);
      for (Client& client : clients) {
        client.thread.request_stop();
        // Wakes a handler that reads; it may still write its answer.
        if (client.fd >= 0) ::shutdown(client.fd, SHUT_RD);
      }
    }
    for (Client& client : clients) client.thread.join();
    if (wake >= 0) ::close(wake);
    if (listener >= 0) ::close(listener);
    struct stat now {};
    if (!path.empty() && ::lstat(path.c_str(), &now) == 0 && now.st_ino == inode)
      ::unlink(path.c_str());
  }

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd fds[2] = {{listener, POLLIN, 0}, {wake, POLLIN, 0}};
      if (::poll(fds, 2, -1) < 0 || (fds[0].revents & POLLIN) == 0) continue;
      const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) {
        // Out of descriptors: the backlog waits until a client has gone.
        if (errno == EMFILE || errno == ENFILE) static_cast<void>(::poll(&fds[1], 1, 50));
        continue;
      }
      take(fd);
    }
  }

  void take(int fd) {
    reap();
    Connection connection(fd);
    if (clients.size() >= static_cast<std::size_t>(options.max_connections)) {
      static_cast<void>(connection.send('J', kFull));
      return;
    }
    const timeval time{30, 0};  // as Connection::send promises
    static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time));
    Client& client = clients.emplace_back();
    client.fd = fd;
    client.thread = std::jthread(
        [this, &client, c = std::move(connection)](const std::stop_token& stop) mutable {
          serve(c, stop);
          const std::scoped_lock lock(mutex);
          client.fd = -1;
          const Connection closes(std::move(c));
          client.ended = true;
        });
  }

  void serve(Connection& connection, const std::stop_token& stop) {
    const auto peer = connection.peer();
    if (!peer) return;
    try {
      handler(connection, *peer, stop);
    } catch (const std::exception& bug) {
      log::error("local_socket.handler_threw", {{"message", std::string(bug.what())}});
    }
  }

  void reap() {
    std::list<Client> done;
    {
      const std::scoped_lock lock(mutex);
      for (auto it = clients.begin(); it != clients.end();) {
        const auto next = std::next(it);
        if (it->ended) done.splice(done.end(), clients, it);
        it = next;
      }
    }
  }  // joins outside the lock

  std::string path;
  Options options;
  Handler handler;
  int listener = -1;
  int wake = -1;
  ino_t inode = 0;
  std::mutex mutex;
  std::list<Client> clients;  // the acceptor's; ended and fd of each under mutex
  std::jthread acceptor;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::listen(const std::string& path,
                                               Options options,
                                               Handler handler) {
  TRY(remove_dead(path));
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->handler = std::move(handler);
  impl->wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  impl->listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (impl->wake < 0 || impl->listener < 0)
    return system_failure(Errc::unavailable, "make a socket", errno);
  const auto address = TRY(Address::of(path));
  if (::bind(impl->listener, address.get(), address.size()) != 0) {
    return system_failure(Errc::unavailable, "listen on '" + path + "'", errno);
  }
  struct stat info {};
  if (::chmod(path.c_str(), options.mode) != 0 || ::lstat(path.c_str(), &info) != 0 ||
      ::listen(impl->listener, SOMAXCONN) != 0) {
    const int error = errno;
    ::unlink(path.c_str());
    return system_failure(Errc::unavailable, "listen on '" + path + "'", error);
  }
  impl->path = path;
  impl->inode = info.st_ino;
  Impl* raw = impl.get();
  impl->acceptor = std::jthread([raw](const std::stop_token& stop) { raw->run(stop); });
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

}  // namespace plumb::local
