#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "drivers/local_socket/address.h"
#include "drivers/local_socket/local_socket.h"

namespace plumb::local {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kMaxFrame = 16U << 20U;
constexpr std::size_t kHead = 5;  // length and type
constexpr std::size_t kChunk = 256U
                               << 10U;  // memory grows with what came, not with what was announced
constexpr auto kSendTimeout = 30s;

void set_send_timeout(int fd, std::chrono::milliseconds timeout) {
  timeout = std::max<std::chrono::milliseconds>(timeout, 1ms);  // 0 would mean for ever
  const timeval time{timeout.count() / 1000, (timeout.count() % 1000) * 1000};
  static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time));
}

/// Events of poll; 0 when the time is over.
short wait_for(int fd, short events, std::chrono::milliseconds timeout) {
  const auto end = Steady::now() + std::clamp<std::chrono::milliseconds>(timeout, 0ms, 24h);
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Steady::now());
    pollfd poll_fd{fd, events, 0};
    const int count =
        ::poll(&poll_fd, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (count > 0) return poll_fd.revents;
    if (count == 0 || errno != EINTR) return 0;
  }
}

Failure gone(const std::string& when) {
  return fail(Errc::unavailable, "the peer went away " + when);
}

enum class Read { whole, closed };

/// Fills `into` from `at` on. `closed`: the peer ended before the first byte.
Result<Read> read_into(int fd, char* into, std::size_t size, Steady::time_point end) {
  std::size_t at = 0;
  while (at < size) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Steady::now());
    if (wait_for(fd, POLLIN, left) == 0) return fail(Errc::unavailable, "no answer in time");
    const ssize_t got = ::recv(fd, into + at, size - at, MSG_DONTWAIT);
    if (got == 0 && at == 0) return Read::closed;
    if (got == 0) return gone("in the middle of a frame");
    if (got < 0 && errno != EINTR && errno != EAGAIN) return gone("while we read");
    if (got > 0) at += static_cast<std::size_t>(got);
  }
  return Read::whole;
}

}  // namespace

Connection::Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Connection& Connection::operator=(Connection&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Connection::~Connection() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Connection> Connection::connect(const std::string& path, std::chrono::milliseconds timeout) {
  const Address address = TRY(Address::of(path));
  Connection connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connection.fd_ < 0) return system_failure(Errc::unavailable, "make a socket", errno);
  set_send_timeout(connection.fd_, timeout);  // also bounds the wait for a full backlog
  while (::connect(connection.fd_, address.get(), address.size()) != 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN)
      return fail(Errc::unavailable, "'" + path + "' has no room for another connection");
    return system_failure(Errc::unavailable, "connect to '" + path + "'", errno);
  }
  set_send_timeout(connection.fd_, kSendTimeout);
  return connection;
}

Result<> Connection::send(char type, std::string_view payload) {
  if (payload.size() >= kMaxFrame) return fail(Errc::invalid, "a frame may have 16 MiB");
  const auto length = static_cast<std::uint32_t>(payload.size() + 1);
  std::array<char, kHead> head{static_cast<char>(length >> 24U), static_cast<char>(length >> 16U),
                               static_cast<char>(length >> 8U), static_cast<char>(length), type};
  std::array<iovec, 2> parts{iovec{head.data(), head.size()},
                             iovec{const_cast<char*>(payload.data()), payload.size()}};
  while (parts[0].iov_len + parts[1].iov_len > 0) {
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return fail(Errc::unavailable, "the peer does not read");
    if (sent < 0) return gone("while we wrote");
    auto left = static_cast<std::size_t>(sent);
    for (iovec& part : parts) {
      const std::size_t done = std::min(left, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + done;
      part.iov_len -= done;
      left -= done;
    }
  }
  return {};
}

Result<std::optional<Frame>> Connection::receive(std::chrono::milliseconds timeout) {
  const auto end = Steady::now() + std::clamp<std::chrono::milliseconds>(timeout, 0ms, 24h);
  std::array<char, kHead> head{};
  if (TRY(read_into(fd_, head.data(), head.size(), end)) == Read::closed)
    return std::optional<Frame>();
  std::size_t length = 0;
  for (std::size_t i = 0; i < 4; ++i) length = (length << 8U) | static_cast<unsigned char>(head[i]);
  if (length < 1 || length > kMaxFrame)
    return fail(Errc::invalid, "a frame of " + std::to_string(length) + " bytes");
  if (head[4] != 'J' && head[4] != 'B') return fail(Errc::invalid, "a frame of an unknown type");
  Frame frame{head[4], {}};
  for (std::size_t left = length - 1; left > 0;) {
    const std::size_t at = frame.payload.size();
    const std::size_t part = std::min(left, kChunk);
    frame.payload.resize(at + part);
    if (TRY(read_into(fd_, frame.payload.data() + at, part, end)) == Read::closed)
      return gone("in the middle of a frame");
    left -= part;
  }
  return std::optional<Frame>(std::move(frame));
}

bool Connection::wait_readable(std::chrono::milliseconds timeout) const {
  return wait_for(fd_, POLLIN, timeout) != 0;
}

bool Connection::peer_gone() const {
  return (wait_for(fd_, POLLRDHUP, 0ms) & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

Result<Peer> Connection::peer() const {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return system_failure(Errc::fault, "ask who the peer is", errno);
  }
  return Peer{credentials.uid, credentials.gid, credentials.pid};
}

}  // namespace plumb::local
