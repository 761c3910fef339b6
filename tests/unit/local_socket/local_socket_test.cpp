#include "drivers/local_socket/local_socket.h"

#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/catch.h"
#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

using namespace plumb;
using namespace plumb::local;
using namespace std::chrono_literals;
using test::must;
using test::must_fail;

namespace {

void echo(Connection& connection, const Peer& /*peer*/, const std::stop_token& /*stop*/) {
  for (;;) {
    const auto frame = connection.receive(10s);
    if (!frame || !*frame || !connection.send((*frame)->type, (*frame)->payload)) return;
  }
}

Frame must_receive(Connection& connection) {
  auto frame = must(connection.receive(10s));
  REQUIRE(frame);
  return *std::move(frame);
}

/// Connected, with nobody behind it but the test.
struct Pair {
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    ours = ends[0];
    theirs = ends[1];
  }
  int ours = -1;
  int theirs = -1;
};

}  // namespace

TEST_CASE("frames of both types come back whole, also empty and large ones") {
  const test::TempFolder folder;
  const auto server = must(Server::listen(folder / "s", {}, echo));
  auto connection = must(Connection::connect(folder / "s", 1s));
  const std::string large((16U << 20U) - 1, 'x');
  for (const std::string& payload :
       {std::string("{\"v\":1}"), std::string(), large, std::string("\0\n\xff", 3)}) {
    std::jthread sender([&] { must(connection.send('B', payload)); });
    const Frame frame = must_receive(connection);
    CHECK(frame.type == 'B');
    CHECK(frame.payload == payload);
  }
  CHECK(must_fail(connection.send('J', large + "x")).code == Errc::invalid);
}

TEST_CASE("a peer that closes in good order is the end, one that goes within a frame an error") {
  Pair pair;
  Connection ours(pair.ours);
  SECTION("in good order") {
    ::close(pair.theirs);
    CHECK_FALSE(must(ours.receive(1s)));
  }
  SECTION("within the head") {
    REQUIRE(::write(pair.theirs, "\0\0", 2) == 2);
    ::close(pair.theirs);
    CHECK(must_fail(ours.receive(1s)).code == Errc::unavailable);
  }
  SECTION("within the payload") {
    REQUIRE(::write(pair.theirs, "\0\0\0\x09Jabc", 8) == 8);
    ::close(pair.theirs);
    CHECK(must_fail(ours.receive(1s)).code == Errc::unavailable);
  }
}

TEST_CASE("a frame that is too long, empty or of an unknown type is refused before it is read") {
  for (const std::string& head : {std::string("\x01\0\0\x01J", 5), std::string("\0\0\0\0J", 5),
                                  std::string("\0\0\0\x02Q", 5)}) {
    Pair pair;
    Connection ours(pair.ours);
    REQUIRE(::write(pair.theirs, head.data(), head.size()) == 5);
    CHECK(must_fail(ours.receive(1s)).code == Errc::invalid);
    ::close(pair.theirs);
  }
}

TEST_CASE("a peer that stays silent costs no more than the time given") {
  Pair pair;
  Connection ours(pair.ours);
  CHECK_FALSE(ours.wait_readable(10ms));
  CHECK(must_fail(ours.receive(10ms)).message == "no answer in time");
  CHECK_FALSE(ours.peer_gone());
  ::close(pair.theirs);
  CHECK(ours.peer_gone());
  CHECK(ours.wait_readable(0ms));
  CHECK(must_fail(ours.send('J', "{}")).code == Errc::unavailable);  // and no SIGPIPE
}

TEST_CASE("a handler learns who the peer is") {
  const test::TempFolder folder;
  const auto server = must(Server::listen(
      folder / "s", {}, [](Connection& connection, const Peer& peer, const std::stop_token&) {
        must(connection.send('J', std::to_string(peer.uid) + " " + std::to_string(peer.pid)));
      }));
  auto connection = must(Connection::connect(folder / "s", 1s));
  CHECK(must_receive(connection).payload ==
        std::to_string(::getuid()) + " " + std::to_string(::getpid()));
}

TEST_CASE("nobody there, and a file that is no socket, are unavailable") {
  const test::TempFolder folder;
  CHECK(must_fail(Connection::connect(folder / "none", 1s)).code == Errc::unavailable);
  folder.write("file", "x");
  CHECK(must_fail(Connection::connect(folder / "file", 1s)).code == Errc::unavailable);
  CHECK(must_fail(Server::listen(folder / "file", {}, echo)).code == Errc::conflict);
  CHECK(must_fail(Server::listen(folder / "no/such/folder", {}, echo)).code == Errc::unavailable);
}

TEST_CASE("a live socket is not taken, a dead one is, and the file goes with its server") {
  const test::TempFolder folder;
  const std::string path = folder / "s";
  auto first = must(Server::listen(path, {}, echo));
  CHECK(must_fail(Server::listen(path, {}, echo)).code == Errc::conflict);
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0666U);
  first.reset();
  CHECK(::stat(path.c_str(), &info) != 0);
  const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  ::close(dead);
  const auto second = must(Server::listen(path, {}, echo));
  must(Connection::connect(path, 1s));
}

TEST_CASE("a path longer than the address of a socket works") {
  const test::TempFolder folder;
  const std::string path = folder.write(std::string(120, 'd') + "/x", "") + "y";
  const auto server = must(Server::listen(path, {}, echo));
  auto connection = must(Connection::connect(path, 1s));
  must(connection.send('J', "hello"));
  CHECK(must_receive(connection).payload == "hello");
}

TEST_CASE("past the most connections the server says so, and has room again when one ends") {
  const test::TempFolder folder;
  Server::Options options;
  options.max_connections = 1;
  const auto server = must(Server::listen(folder / "s", options, echo));
  {
    auto first = must(Connection::connect(folder / "s", 1s));
    must(first.send('J', "a"));
    must_receive(first);
    auto second = must(Connection::connect(folder / "s", 1s));
    CHECK(must_receive(second).payload.find("\"unavailable\"") != std::string::npos);
  }
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  std::string answer;
  while (answer != "b" && std::chrono::steady_clock::now() < deadline) {
    auto third = must(Connection::connect(folder / "s", 1s));
    static_cast<void>(third.send('J', "b"));
    if (const auto frame = third.receive(10s); frame && *frame) answer = (*frame)->payload;
  }
  CHECK(answer == "b");
}

TEST_CASE("a server that ends asks its handlers to stop and does not wait for their peers") {
  const test::TempFolder folder;
  std::mutex mutex;
  std::condition_variable changed;
  bool started = false;
  bool asked = false;
  auto server = must(Server::listen(
      folder / "s", {}, [&](Connection& connection, const Peer&, const std::stop_token& stop) {
        {
          const std::scoped_lock lock(mutex);
          started = true;
          changed.notify_all();
        }
        const auto frame = connection.receive(1h);
        const std::scoped_lock lock(mutex);
        asked = stop.stop_requested() && (!frame || !*frame);
      }));
  const auto connection = must(Connection::connect(folder / "s", 1s));
  {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, 10s, [&] { return started; }));
  }
  server.reset();
  CHECK(asked);
}

TEST_CASE("a handler that throws ends its connection only") {
  const test::TempFolder folder;
  const auto server = must(Server::listen(
      folder / "s", {}, [](Connection& connection, const Peer&, const std::stop_token&) {
        const auto frame = connection.receive(10s);
        if (frame && *frame && (*frame)->payload == "throw") throw std::runtime_error("bug");
        static_cast<void>(connection.send('J', "good"));
      }));
  auto bad = must(Connection::connect(folder / "s", 1s));
  must(bad.send('J', "throw"));
  CHECK_FALSE(must(bad.receive(10s)));
  auto good = must(Connection::connect(folder / "s", 1s));
  must(good.send('J', "go"));
  CHECK(must_receive(good).payload == "good");
}
