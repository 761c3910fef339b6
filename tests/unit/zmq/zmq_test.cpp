#include "drivers/zmq/zmq.h"

#include <thread>

#include "tests/support/must.h"

namespace plumb::zmq {
namespace {

using namespace std::chrono_literals;
using test::must;

struct Pair {
  Context context;
  std::unique_ptr<Socket> router =
      must(Socket::open(context, Socket::Role::router, "inproc://line"));
  std::unique_ptr<Socket> dealer =
      must(Socket::open(context, Socket::Role::dealer, "inproc://line"));
};

TEST_CASE("a message comes as it was sent, and its answer finds the way back") {
  Pair line;
  line.dealer->send({"", "READY", R"({"n":1})"});
  const auto asked = must(line.router->receive(5s));
  REQUIRE(asked);
  CHECK(asked->type == "READY");
  CHECK(asked->body == R"({"n":1})");
  line.router->send({asked->peer, "JOB", "{}"});
  const auto answered = must(line.dealer->receive(5s));
  REQUIRE(answered);
  CHECK(answered->type == "JOB");
}

TEST_CASE("nothing to receive is no error") {
  Pair line;
  CHECK_FALSE(must(line.router->receive(1ms)));
}

TEST_CASE("wake ends a receive on another thread at once") {
  Pair line;
  std::thread waker([&] { line.router->wake(); });
  const auto started = std::chrono::steady_clock::now();
  CHECK_FALSE(must(line.router->receive(60s)));
  CHECK(std::chrono::steady_clock::now() - started < 30s);
  waker.join();
}

TEST_CASE("a message to a worker that is gone is dropped") {
  Pair line;
  line.router->send({"nobody", "JOB", "{}"});
  line.dealer->send({"", "READY", "{}"});
  CHECK(must(line.router->receive(5s)));
}

TEST_CASE("messages that come faster than they are read keep their order") {
  Pair line;
  for (int i = 0; i < 500; ++i) line.dealer->send({"", "N", std::to_string(i)});
  for (int i = 0; i < 500; ++i) {
    const auto message = must(line.router->receive(5s));
    REQUIRE(message);
    REQUIRE(message->body == std::to_string(i));
  }
}

TEST_CASE("an address in use is a clear error") {
  Pair line;
  const auto twice = Socket::open(line.context, Socket::Role::router, "inproc://line");
  REQUIRE_FALSE(twice);
  CHECK(twice.error().code == Errc::fault);
}

}  // namespace
}  // namespace plumb::zmq
