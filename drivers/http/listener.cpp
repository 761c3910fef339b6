#include "drivers/http/listener.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace plumb::http {
namespace {

constexpr int kBacklog = 512;

struct FreeAddresses {
  void operator()(addrinfo* raw) const noexcept { ::freeaddrinfo(raw); }
};

std::string written(const Address& address, int port) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(port);
}

int port_of(int fd) {
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length) != 0) return 0;
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                                           : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

}  // namespace

Result<Address> parse_address(std::string_view listen) {
  const auto colon = listen.rfind(':');
  Address made;
  const std::string_view port = colon == listen.npos ? "" : listen.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), made.port);
  std::string_view host = listen.substr(0, colon == listen.npos ? 0 : colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  made.host = std::string(host);
  if (host.empty() || error != std::errc() || end != port.data() + port.size() || made.port < 0 ||
      made.port > 65535) {
    return fail(Errc::invalid, "\"" + std::string(listen) + "\" is no address to listen on", "",
                "write host:port, as in 127.0.0.1:8080 or [::1]:8080");
  }
  return made;
}

bool is_loopback(const Address& address) {
  if (address.host == "localhost" || address.host == "::1") return true;
  in_addr v4{};
  return ::inet_pton(AF_INET, address.host.c_str(), &v4) == 1 &&
         (ntohl(v4.s_addr) >> 24U) == IN_LOOPBACKNET;
}

Result<Listener> listen_on(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* raw = nullptr;
  const int found =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &raw);
  const std::unique_ptr<addrinfo, FreeAddresses> addresses(raw);
  const std::string doing = "listen on '" + written(address, address.port) + "': ";
  if (found != 0) return fail(Errc::invalid, doing + ::gai_strerror(found));
  Listener made;
  made.fd = ::socket(raw->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  // Not SO_REUSEPORT, httplib's default: with it another process could share the port and take
  // deliveries.
  if (made.fd < 0 || ::setsockopt(made.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(made.fd, raw->ai_addr, raw->ai_addrlen) != 0 || ::listen(made.fd, kBacklog) != 0) {
    const int why = errno;
    if (made.fd >= 0) ::close(made.fd);
    return fail(why == EADDRINUSE ? Errc::conflict : Errc::invalid, doing + std::strerror(why), "",
                "change spec.http.listen, or stop what listens there");
  }
  made.address = written(address, port_of(made.fd));
  return made;
}

}  // namespace plumb::http
