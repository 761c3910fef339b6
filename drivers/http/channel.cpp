#include "drivers/http/channel.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace plumb::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLook{100};  // how often a wait looks at the load
constexpr milliseconds kLinger{500};
constexpr std::size_t kMostDropped = 256U << 10U;

}  // namespace

Channel::Channel(int fd, Load& load, milliseconds pressed_time)
    : fd_(fd),
      load_(load),
      pressed_time_(pressed_time),
      started_(steady_clock::now()),
      deadline_(started_) {}

Channel::~Channel() {
  session_.reset();
  ::close(fd_);
}

ssize_t Channel::end(State state) {
  state_ = state;
  return -1;
}

void Channel::answer_until(Time deadline) {
  if (state_ == State::late) state_ = State::good;
  deadline_ = deadline;
  answering_ = true;
}

bool Channel::wait(short events) {
  while (true) {
    const bool pressed = load_.spare < 0 && !answering_;
    const Time until = pressed ? std::min(deadline_, started_ + pressed_time_) : deadline_;
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    if (left <= milliseconds(0) || (load_.stopping && !answering_)) {
      state_ = State::late;
      return false;
    }
    pollfd polled{fd_, events, 0};
    const int ready = ::poll(&polled, 1, static_cast<int>(std::min(left, kLook).count()));
    if (ready > 0) return true;  // an error shows at the next read or write
    if (ready < 0 && errno != EINTR) {
      state_ = State::broken;
      return false;
    }
  }
}

bool Channel::retry(int result) {
  switch (SSL_get_error(session_.get(), result)) {
    case SSL_ERROR_WANT_READ: return wait(POLLIN);
    case SSL_ERROR_WANT_WRITE: return wait(POLLOUT);
    case SSL_ERROR_ZERO_RETURN: state_ = State::closed; return false;
    default: state_ = State::broken; return false;
  }
}

bool Channel::secure(ssl_ctx_st* context) {
  if (context == nullptr) return true;
  session_.reset(SSL_new(context));
  if (!session_ || SSL_set_fd(session_.get(), fd_) != 1) {
    state_ = State::broken;
    return false;
  }
  while (true) {
    ERR_clear_error();
    const int result = SSL_accept(session_.get());
    if (result == 1) return true;
    if (!retry(result)) return false;
  }
}

ssize_t Channel::read(char* into, std::size_t most) {
  while (state_ == State::good) {
    if (session_) {
      ERR_clear_error();
      const int got = SSL_read(session_.get(), into, static_cast<int>(std::min(most, 1UL << 20U)));
      // A sender that is always ready never waits: the deadline holds for it as well.
      if (got > 0) return steady_clock::now() < deadline_ ? got : end(State::late);
      if (!retry(got)) return -1;
      continue;
    }
    if (!wait(POLLIN)) return -1;
    const ssize_t got = ::recv(fd_, into, most, 0);
    if (got > 0) return got;
    if (got == 0) return end(State::closed);
    if (errno != EINTR && errno != EAGAIN) return end(State::broken);
  }
  return -1;
}

ssize_t Channel::write(const char* from, std::size_t size) {
  while (state_ == State::good) {
    if (session_) {
      ERR_clear_error();
      const int put = SSL_write(session_.get(), from, static_cast<int>(std::min(size, 1UL << 20U)));
      if (put > 0) return put;
      if (!retry(put)) return -1;
      continue;
    }
    const ssize_t put = ::send(fd_, from, size, MSG_NOSIGNAL);
    if (put >= 0) return put;
    if (errno != EINTR && errno != EAGAIN) return end(State::broken);
    if (!wait(POLLOUT)) return -1;
  }
  return -1;
}

void Channel::finish() {
  if (session_ && state_ == State::good) {
    ERR_clear_error();
    SSL_shutdown(session_.get());
  }
  if (state_ == State::broken || ::shutdown(fd_, SHUT_WR) != 0) return;
  answering_ = false;
  state_ = State::good;
  deadline_ = steady_clock::now() + kLinger;
  std::array<char, 16384> dropped;
  for (std::size_t sum = 0; sum < kMostDropped && wait(POLLIN);) {
    const ssize_t got = ::recv(fd_, dropped.data(), dropped.size(), 0);
    if (got <= 0) break;
    sum += static_cast<std::size_t>(got);
  }
}

}  // namespace plumb::http
