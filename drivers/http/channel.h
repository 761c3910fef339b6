#pragma once
/// One accepted connection, plain or TLS, where every wait ends at a deadline for the whole of it:
/// a time-out per read lets a sender of one byte a second stay for ever.
#include <atomic>
#include <chrono>
#include <string>

#include <sys/types.h>

#include "drivers/http/tls.h"

namespace plumb::http {

/// What all connections of a server share.
struct Load {
  std::atomic<int> spare = 0;  ///< idle threads less the connections that wait for one
  std::atomic<bool> stopping = false;
  std::atomic<std::size_t> body_bytes = 0;  ///< held by all
};

class Channel {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class State { good, closed, late, broken };

  /// Owns the descriptor.
  Channel(int fd, Load& load, std::chrono::milliseconds pressed_time);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void set_deadline(Time deadline) { deadline_ = deadline; }
  [[nodiscard]] Time started() const { return started_; }
  [[nodiscard]] State state() const { return state_; }

  /// From here on only answers: also after lateness, and no longer cut short for others.
  void answer_until(Time deadline);

  /// The handshake, when `context` is not null.
  [[nodiscard]] bool secure(ssl_ctx_st* context);
  /// Bytes read; 0 or less: state() says why not.
  ssize_t read(char* into, std::size_t most);
  /// Bytes written; negative: state() says why not.
  ssize_t write(const char* from, std::size_t size);
  /// Ends our side and drops what still comes for a moment, so that the peer reads the answer
  /// instead of a reset.
  void finish();

 private:
  /// Waits for poll `events`; false: late, stopped or broken.
  bool wait(short events);
  bool retry(int result);
  ssize_t end(State state);

  int fd_;
  Load& load_;
  std::chrono::milliseconds pressed_time_;
  Time started_, deadline_;
  State state_ = State::good;
  bool answering_ = false;
  Session session_;
};

}  // namespace plumb::http
