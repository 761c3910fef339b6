#pragma once
/// A tiny HTTP/1.1 server on a free port of the loopback that answers exactly the bytes a test
/// gives it, also broken ones. One thread; each connection is served one request at a time.
#include <functional>
#include <list>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace plumb::test {

class FaultServer {
 public:
  struct Answer {
    std::string bytes;        ///< whole, with the status line; "" = close without a word
    bool hang = false;        ///< keep the connection open after the bytes
    bool keep_alive = false;  ///< wait for the next request on this connection
  };
  /// Gets the request's head (and what came with it) and says what goes back.
  using Respond = std::function<Answer(const std::string& request)>;

  explicit FaultServer(Respond respond) : respond_(std::move(respond)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
        ::pipe(wake_) != 0) {
      throw std::runtime_error("no port for the fault server");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { serve(); });
  }
  ~FaultServer() {
    ::close(wake_[1]);
    thread_.join();
    ::close(wake_[0]);
    ::close(listener_);
  }
  FaultServer(const FaultServer&) = delete;
  FaultServer& operator=(const FaultServer&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::vector<std::string> requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }
  [[nodiscard]] int connections() const {
    const std::scoped_lock lock(mutex_);
    return connections_;
  }

  static std::string http(const std::string& status,
                          const std::string& body,
                          const std::string& headers = {}) {
    return "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

 private:
  struct Peer {
    int socket;
    std::string input;
    bool mute = false;
  };

  void serve() {
    std::list<Peer> peers;
    while (true) {
      std::vector<pollfd> polled{{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
      for (const Peer& peer : peers) polled.push_back({peer.socket, POLLIN, 0});
      ::poll(polled.data(), polled.size(), -1);
      if (polled[0].revents != 0) break;
      std::size_t i = 2;
      for (auto it = peers.begin(); it != peers.end(); ++i) {
        if (polled[i].revents != 0 && !read(*it)) {
          ::close(it->socket);
          it = peers.erase(it);
        } else {
          ++it;
        }
      }
      if (polled[1].revents != 0) {
        peers.push_back({::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), {}});
        const std::scoped_lock lock(mutex_);
        ++connections_;
      }
    }
    for (const Peer& peer : peers) ::close(peer.socket);
  }

  /// False: close it.
  bool read(Peer& peer) {
    char bytes[65536];
    const ssize_t got = ::recv(peer.socket, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    if (peer.mute) return true;
    peer.input.append(bytes, static_cast<std::size_t>(got));
    const auto head_end = peer.input.find("\r\n\r\n");
    if (head_end == std::string::npos) return true;
    std::size_t body = 0;
    const auto length = peer.input.find("Content-Length: ");
    if (length != std::string::npos && length < head_end)
      body = std::stoul(peer.input.substr(length + 16));
    if (peer.input.size() < head_end + 4 + body) return true;
    const std::string request = peer.input.substr(0, head_end + 4 + body);
    peer.input.erase(0, request.size());
    {
      const std::scoped_lock lock(mutex_);
      requests_.push_back(request);
    }
    const Answer answer = respond_(request);
    static_cast<void>(::send(peer.socket, answer.bytes.data(), answer.bytes.size(), MSG_NOSIGNAL));
    peer.mute = answer.hang;
    return answer.hang || answer.keep_alive;
  }

  Respond respond_;
  int listener_ = -1;
  int wake_[2] = {-1, -1};
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  int connections_ = 0;
  std::jthread thread_;
};

}  // namespace plumb::test
