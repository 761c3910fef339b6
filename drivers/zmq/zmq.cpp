#include "drivers/zmq/zmq.h"

#include <array>
#include <cstdint>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.hpp>

namespace plumb::zmq {
namespace {

constexpr std::string_view kProtocol = "PLB1";
constexpr std::size_t kMaxBody = 64U << 20U;

std::string text_of(const ::zmq::message_t& part) {
  return {static_cast<const char*>(part.data()), part.size()};
}

}  // namespace

struct Context::Impl {
  ::zmq::context_t context{1};
};

Context::Context() : impl_(std::make_unique<Impl>()) {}
Context::~Context() = default;

struct Socket::Impl {
  Impl(::zmq::context_t& context, Role the_role)
      : role(the_role),
        socket(context,
               the_role == Role::router ? ::zmq::socket_type::router : ::zmq::socket_type::dealer),
        wake_fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~Impl() {
    if (wake_fd >= 0) ::close(wake_fd);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// One whole multipart message, without waiting. nullopt: none, or malformed (dropped).
  std::optional<Message> take();
  [[nodiscard]] bool readable() { return (socket.get(::zmq::sockopt::events) & ZMQ_POLLIN) != 0; }

  Role role;
  ::zmq::socket_t socket;
  int wake_fd;
};

std::optional<Message> Socket::Impl::take() {
  std::vector<std::string> parts;
  bool too_large = false;
  for (;;) {
    ::zmq::message_t part;
    if (!socket.recv(part, ::zmq::recv_flags::dontwait)) return std::nullopt;
    too_large = too_large || part.size() > kMaxBody;
    if (parts.size() < 8) parts.push_back(too_large ? std::string() : text_of(part));
    if (!part.more()) break;
  }
  const std::size_t head = role == Role::router ? 1 : 0;
  if (too_large || parts.size() != head + 3 || parts[head] != kProtocol) return Message{};
  return Message{head == 1 ? parts[0] : std::string(), parts[head + 1], parts[head + 2]};
}

Socket::Socket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Socket::~Socket() = default;

Result<std::unique_ptr<Socket>> Socket::open(Context& context,
                                             Role role,
                                             const std::string& endpoint) {
  try {
    auto impl = std::make_unique<Impl>(context.impl().context, role);
    if (impl->wake_fd < 0) return fail(Errc::fault, "eventfd: no descriptor");
    impl->socket.set(::zmq::sockopt::linger, 0);
    impl->socket.set(::zmq::sockopt::sndhwm, 10'000);
    impl->socket.set(::zmq::sockopt::rcvhwm, 10'000);
    if (role == Role::router) {
      impl->socket.bind(endpoint);
    } else {
      impl->socket.connect(endpoint);
    }
    return std::unique_ptr<Socket>(new Socket(std::move(impl)));
  } catch (const ::zmq::error_t& error) {
    return fail(Errc::fault, "zmq '" + endpoint + "': " + error.what());
  }
}

void Socket::send(const Message& message) {
  try {
    std::vector<std::string_view> parts;
    if (impl_->role == Role::router) parts.emplace_back(message.peer);
    parts.insert(parts.end(), {kProtocol, message.type, message.body});
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const auto flags =
          (i + 1 < parts.size() ? ::zmq::send_flags::sndmore : ::zmq::send_flags::none) |
          ::zmq::send_flags::dontwait;
      if (!impl_->socket.send(::zmq::buffer(parts[i].data(), parts[i].size()), flags)) return;
    }
  } catch (const ::zmq::error_t&) {
    // An unreachable peer: its lease runs out and the job is given to another.
  }
}

Result<std::optional<Message>> Socket::receive(std::chrono::milliseconds timeout) {
  try {
    if (!impl_->readable()) {
      std::array<::zmq::pollitem_t, 2> items{{
          {impl_->socket.handle(), 0, ZMQ_POLLIN, 0},
          {nullptr, impl_->wake_fd, ZMQ_POLLIN, 0},
      }};
      ::zmq::poll(items.data(), items.size(), timeout);
      if ((items[1].revents & ZMQ_POLLIN) != 0) {
        std::uint64_t count = 0;
        static_cast<void>(::read(impl_->wake_fd, &count, sizeof count));
      }
      if ((items[0].revents & ZMQ_POLLIN) == 0) return std::optional<Message>();
    }
    auto message = impl_->take();
    if (message && message->type.empty()) return std::optional<Message>();  // malformed: dropped
    return message;
  } catch (const ::zmq::error_t& error) {
    if (error.num() == EINTR) return std::optional<Message>();
    return fail(Errc::fault, std::string("zmq receive: ") + error.what());
  }
}

void Socket::wake() {
  const std::uint64_t one = 1;
  static_cast<void>(::write(impl_->wake_fd, &one, sizeof one));
}

}  // namespace plumb::zmq
