#include <fstream>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tests/unit/http/echo.h"

using namespace plumb;        // NOLINT: tests
using namespace plumb::test;  // NOLINT: tests
using namespace std::chrono_literals;

std::size_t plumb::test::resident() {
  std::ifstream file("/proc/self/statm");
  std::size_t size = 0;
  std::size_t pages = 0;
  file >> size >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

namespace {

const std::string kChunked = "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Sends `part` until the server has enough or `most` bytes are out; returns how many went.
std::size_t flood(RawClient& client, std::string_view part, std::size_t most) {
  std::size_t sent = 0;
  while (sent < most && !client.ready(0ms) && client.send(part)) sent += part.size();
  return sent;
}

}  // namespace

TEST_CASE("a head that comes byte by byte ends at its deadline", "[http]") {
  http::Options options;
  options.head_time = 300ms;
  Echo echo(options);
  RawClient client(echo.at());
  const auto started = std::chrono::steady_clock::now();
  while (!client.ready(20ms)) client.send("a");  // always something new: no read ever times out
  CHECK(status_of(client.receive()) == 408);
  CHECK(std::chrono::steady_clock::now() - started < 5s);
}

TEST_CASE("a body that comes byte by byte ends at the deadline for all of it", "[http]") {
  http::Options options;
  options.total_time = 400ms;
  Echo echo(options);
  for (const std::string& head : {post(1'000'000), kChunked + "100000\r\n"}) {
    RawClient client(echo.at());
    client.send(head);
    while (!client.ready(20ms)) client.send("a");
    CHECK(status_of(client.receive()) == 408);
  }
  CHECK(echo.served == 0);
}

TEST_CASE("a body of just the limit is taken, one byte more is not", "[http]") {
  http::Options options;
  options.max_body = 200'000;
  Echo echo(options);
  CHECK(status_of(ask(echo.at(), post(200'000) + std::string(200'000, 'a'))) == 200);
  CHECK(status_of(ask(echo.at(), post(200'001) + std::string(200'001, 'a'))) == 413);
  const std::string chunk = "30d41\r\n" + std::string(200'001, 'a') + "\r\n0\r\n\r\n";
  CHECK(status_of(ask(echo.at(), kChunked + chunk)) == 413);
}

TEST_CASE("1 GB announced is refused at once and costs nothing", "[http]") {
  Echo echo;
  const std::size_t before = resident();
  RawClient client(echo.at());
  client.send(post(1U << 30U));
  CHECK(status_of(client.receive()) == 413);
  CHECK(resident() < before + (8U << 20U));
  CHECK(echo.served == 0);
}

TEST_CASE("chunks without end are cut off with bounded memory", "[http]") {
  http::Options options;
  options.max_body = 1U << 20U;
  Echo echo(options);
  const std::size_t before = resident();
  std::string ones;
  for (int i = 0; i < 10'000; ++i) ones += "1\r\na\r\n";
  const std::string digits(60'000, '0');  // the size of a chunk that never ends
  const std::string huge = "fffffffffffffff0\r\n" + std::string(60'000, 'a');
  const std::string negative = "-2\r\n" + std::string(60'000, 'a');
  for (const std::string& part : {ones, digits, huge, negative}) {
    RawClient client(echo.at());
    client.send(kChunked);
    CHECK(flood(client, part, 64U << 20U) < (32U << 20U));
    const int status = status_of(client.receive());
    CHECK((status == 413 || status == 400));
  }
  CHECK(echo.served == 0);
#ifdef __SANITIZE_ADDRESS__
  static_cast<void>(before);
#else  // which keeps what was freed
  CHECK(resident() < before + (32U << 20U));
#endif
}

TEST_CASE("a head without end is 431", "[http]") {
  Echo echo;
  for (const std::string& part : {std::string(1000, 'a'), std::string("A: b\r\n")}) {
    RawClient client(echo.at());
    client.send("POST /x HTTP/1.1\r\n");
    CHECK(flood(client, part, 8U << 20U) < (4U << 20U));
    CHECK(status_of(client.receive()) == 431);
  }
}

TEST_CASE("a body that ends early is not served", "[http]") {
  Echo echo;
  for (const std::string& request :
       {post(10) + "123", kChunked + "a\r\n123", kChunked + "3\r\nabc\r\n"}) {
    RawClient client(echo.at());
    client.send(request);
    client.end();
    CHECK(status_of(client.receive()) != 200);
  }
  CHECK(echo.served == 0);
}

TEST_CASE("all bodies together have a limit, and small ones still pass", "[http]") {
  http::Options options;
  options.max_bodies = 1U << 20U;
  Echo echo(options);
  std::unique_ptr<RawClient> large;
  int status = 0;
  for (int i = 0; i < 200 && status != 503; ++i) {
    // Whoever asks for the last bytes is refused: it may be the first one, which then tries again.
    if (!large || large->ready(0ms)) {
      large = std::make_unique<RawClient>(echo.at());
      large->send(post(2'000'000) + std::string(1'000'000, 'a'));
    }
    status = status_of(ask(echo.at(), post(900'000) + std::string(900'000, 'a')));
  }
  CHECK(status == 503);
  CHECK(status_of(ask(echo.at(), post(10'000) + std::string(10'000, 'a'))) == 200);
  large->send(std::string(1'000'000, 'a'));
  CHECK(status_of(large->receive()) == 503);
  CHECK(status_of(ask(echo.at(), post(900'000) + std::string(900'000, 'a'))) == 200);
}

TEST_CASE("400 idle connections do not keep a sender out", "[http]") {
  http::Options options;
  options.pressed_time = 100ms;
  options.head_time = options.total_time = 5min;
  Echo echo(options);
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 400; ++i) idle.push_back(std::make_unique<RawClient>(echo.at()));
  CHECK(status_of(ask(echo.at(), post(1) + "a")) == 200);
}
