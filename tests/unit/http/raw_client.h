#pragma once
/// A sender that says exactly the bytes a test gives it, also wrong ones. One thread.
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace plumb::test {

class RawClient {
 public:
  /// "127.0.0.1:41234"
  explicit RawClient(const std::string& address)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
      throw std::runtime_error("nobody listens on " + address);
    }
  }
  ~RawClient() { ::close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  /// False: the server does not take it any more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
  }
  void end() { ::shutdown(fd_, SHUT_WR); }

  /// Up to `most` bytes, or what came until the end of the connection; throws after 30 s.
  std::string receive(std::size_t most = std::string::npos) {
    std::string got;
    char part[4096];
    while (got.size() < most) {
      const ssize_t size = wait() ? ::recv(fd_, part, sizeof part, 0) : -1;
      if (size <= 0) break;
      got.append(part, static_cast<std::size_t>(size));
    }
    return got;
  }
  /// True if something can be read (an answer, or the end) within `time`.
  bool ready(std::chrono::milliseconds time) {
    pollfd polled{fd_, POLLIN, 0};
    return ::poll(&polled, 1, static_cast<int>(time.count())) > 0;
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  bool wait() {
    if (!ready(std::chrono::seconds(30))) throw std::runtime_error("no answer within 30 s");
    return true;
  }
  int fd_;
};

/// The status of an answer; 0: there was none.
inline int status_of(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::stoi(answer.substr(9, 3)) : 0;
}
inline std::string body_of(const std::string& answer) {
  const auto end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

/// One request, its whole answer.
inline std::string ask(const std::string& address, std::string_view bytes) {
  RawClient client(address);
  client.send(bytes);
  return client.receive();
}

}  // namespace plumb::test
