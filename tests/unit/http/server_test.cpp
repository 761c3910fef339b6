#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tests/unit/http/echo.h"

using namespace plumb;        // NOLINT: tests
using namespace plumb::test;  // NOLINT: tests
using namespace std::chrono_literals;

TEST_CASE("a body arrives whole, and the connection ends after the answer", "[http]") {
  Echo echo;
  const std::string answer = ask(echo.at(), post(100'000) + std::string(100'000, 'a'));
  CHECK(status_of(answer) == 200);
  CHECK(body_of(answer) == "100000 bytes\n");
  CHECK(answer.find("Connection: close\r\n") != std::string::npos);
}

TEST_CASE("a request without a body is served, HEAD without one in the answer", "[http]") {
  Echo echo;
  CHECK(body_of(ask(echo.at(), "GET / HTTP/1.0\r\n\r\n")) == "0 bytes\n");
  const std::string answer = ask(echo.at(), "HEAD / HTTP/1.1\r\n\r\n");
  CHECK(status_of(answer) == 200);
  CHECK(body_of(answer).empty());
}

TEST_CASE("chunks are put together; extensions of chunks mean nothing", "[http]") {
  Echo echo;
  const std::string answer = ask(
      echo.at(),
      "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;a=b\r\nde\r\n0\r\n\r\n");
  CHECK(body_of(answer) == "5 bytes\n");
}

TEST_CASE("what the check refuses is answered without its body", "[http]") {
  Echo echo;
  RawClient client(echo.at());
  client.send(post(1'000'000, "/no"));  // and not a byte of it
  const std::string answer = client.receive();
  CHECK(status_of(answer) == 401);
  CHECK(answer.find("X-Why: no\r\n") != std::string::npos);
  CHECK(echo.served == 0);
}

TEST_CASE("100 Continue is said only when the body is wanted", "[http]") {
  Echo echo;
  RawClient client(echo.at());
  client.send(post(3, "/x", "Expect: 100-continue\r\n"));
  CHECK(client.receive(25) == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  CHECK(body_of(client.receive()) == "3 bytes\n");
  CHECK(status_of(ask(echo.at(), post(3, "/no", "Expect: 100-continue\r\n"))) == 401);
}

TEST_CASE("a second request on one connection is not read as one", "[http]") {
  Echo echo;
  const std::string answer = ask(echo.at(), post(1) + "a" + post(1) + "b");
  CHECK(answer.find("HTTP/1.1", 8) == std::string::npos);
  CHECK(echo.served == 1);
}

TEST_CASE("an exception is 503 and tells nothing", "[http]") {
  Echo echo;
  for (const std::string& request :
       {post(1, "/throw") + "a", std::string("GET /throw HTTP/1.1\r\n\r\n")}) {
    const std::string answer = ask(echo.at(), request);
    CHECK(status_of(answer) == 503);
    CHECK(answer.find("secret") == std::string::npos);
    CHECK(answer.find("EXCEPTION") == std::string::npos);
    CHECK(answer.find("Retry-After: 5\r\n") != std::string::npos);
  }
}

TEST_CASE("80 senders are served while 8 others are slow", "[http]") {
  Echo echo;
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 8; ++i) {
    slow.push_back(std::make_unique<RawClient>(echo.at()));
    slow.back()->send(i % 2 == 0 ? "POST /x HT" : post(10) + "12");
  }
  const auto started = std::chrono::steady_clock::now();
  std::atomic<int> good = 0;
  std::vector<std::jthread> senders;
  for (int i = 0; i < 80; ++i) {
    senders.emplace_back([&] {
      if (status_of(ask(echo.at(), post(1000) + std::string(1000, 'x'))) == 200) ++good;
    });
  }
  senders.clear();
  CHECK(good == 80);
  CHECK(std::chrono::steady_clock::now() - started < 8s);  // the slow ones last 10 s and more
  CHECK(!slow.front()->ready(0ms));
}

TEST_CASE("slow senders on every thread give way to those who wait", "[http]") {
  http::Options options;
  options.threads = 2;
  options.pressed_time = 200ms;
  options.head_time = options.total_time = 5min;
  Echo echo(options);
  RawClient first(echo.at());
  RawClient second(echo.at());
  first.send("POST /x HT");
  second.send(post(10) + "12");
  CHECK(status_of(ask(echo.at(), post(1) + "a")) == 200);
}

TEST_CASE("a slow sender is left alone while threads are free", "[http]") {
  http::Options options;
  options.pressed_time = 1ms;
  Echo echo(options);
  RawClient slow(echo.at());
  slow.send(post(10) + "12345");
  for (int i = 0; i < 300; ++i) {
    CHECK(status_of(ask(echo.at(), post(1) + "a")) == 200);
  }
  slow.send("67890");
  CHECK(status_of(slow.receive()) == 200);
}

TEST_CASE("a server ends at once, whoever is still sending", "[http]") {
  auto echo = std::make_unique<Echo>();
  RawClient head(echo->at());
  RawClient body(echo->at());
  RawClient idle(echo->at());
  head.send("POST /x HT");
  body.send(post(10) + "12");
  CHECK(status_of(ask(echo->at(), post(1) + "a")) == 200);
  const auto started = std::chrono::steady_clock::now();
  echo.reset();
  CHECK(std::chrono::steady_clock::now() - started < 5s);
  CHECK(status_of(body.receive()) == 408);
}

TEST_CASE("an address that is taken is a conflict", "[http]") {
  Echo echo;
  http::Options options;
  options.listen = echo.at();
  CHECK(must_fail(http::Server::start(options, {}, {})).code == Errc::conflict);
}
