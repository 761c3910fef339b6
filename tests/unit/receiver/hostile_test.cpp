#include <thread>

#include "tests/support/catch.h"
#include "tests/unit/receiver/sender.h"

using namespace plumb;        // NOLINT: tests
using namespace plumb::test;  // NOLINT: tests
using namespace std::chrono_literals;

TEST_CASE("a missing, wrong or foreign signature is 401 and says no more", "[receiver]") {
  Shop shop;
  const std::string refused = shop.send({.secret = "wrong"});
  CHECK(status_of(refused) == 401);
  CHECK(refused.find("WWW-Authenticate") == std::string::npos);
  CHECK(status_of(shop.send({.signature = "X-Nothing: x\r\n"})) == 401);
  CHECK(status_of(shop.send({.signature = "X-Gitea-Signature: \r\n"})) == 401);
  CHECK(status_of(shop.send(
            {.endpoint = kGithub,
             .signature = "X-Hub-Signature: sha1=" + std::string(40, '0') + "\r\n"})) == 401);
  CHECK(status_of(shop.send({.endpoint = kOther})) ==
        401);  // the shop's secret, another's endpoint
  CHECK(status_of(shop.send({.secret = "the-other-secret"})) == 401);
  CHECK(status_of(shop.send({.secret = "the-older-secret"})) == 202);
  CHECK(shop.stored() == 1);
}

TEST_CASE("an unknown endpoint looks like a wrong signature but for its code", "[receiver]") {
  Shop shop;
  const std::string unknown = shop.send({.endpoint = "no-such-endpoint-000"});
  const std::string wrong = shop.send({.secret = "wrong"});
  CHECK(status_of(unknown) == 404);
  CHECK(body_of(unknown) == body_of(wrong));
  CHECK(status_of(shop.send({.endpoint = ""})) == 404);
  CHECK(status_of(shop.send({.endpoint = kGitea + "/x"})) == 404);
  CHECK(status_of(shop.send({.endpoint = kGitea.substr(0, 10)})) == 404);
}

TEST_CASE("no byte of a body is parsed before its signature is right", "[receiver]") {
  Shop shop;
  for (const std::string body : {"not json", "{", "", "\xff\xfe"}) {
    CHECK(status_of(shop.send({.body = body, .secret = "wrong"})) == 401);
    CHECK(status_of(shop.send({.body = body})) == 400);
  }
  CHECK(shop.metric("plumb_deliveries_total{forge=\"gitea\",result=\"invalid\"}") == 4);
}

TEST_CASE("one changed byte breaks the signature", "[receiver]") {
  Shop shop;
  const Post post;
  std::string body = post.body;
  body[body.find("main")] = 'M';
  CHECK(status_of(ask(shop.receiver->address(), head_of(post, body.size()) + body)) == 401);
}

TEST_CASE("JSON that is too deep, double, or no JSON is 400", "[receiver]") {
  Shop shop;
  const std::string push = a_push();
  const std::vector<std::string> bodies{
      std::string(10'000, '[') + std::string(10'000, ']'),
      "{\"a\":" + std::string(10'000, '{'),
      "{\"ref\":\"refs/heads/main\"," + push.substr(1),  // ref twice
      push + push,
      push + "x",
      "\xef\xbb\xbf" + push,
      "{\"a\":NaN}",
      "{\"a\":\"\xc3\x28\"}",
      "{\"a\":\"\\ud800\"}",
      "[]",
      "7",
      a_push("refs/heads/a b"),
      a_push("refs/heads/x\\n0000 refs/heads/y"),
      a_push("refs/heads/../../x"),
      a_push("main"),
  };
  for (const std::string& body : bodies) {
    INFO(body.substr(0, 60));
    CHECK(status_of(shop.send({.body = body})) == 400);
  }
  CHECK(shop.stored() == 0);
}

TEST_CASE("methods, media types and compression that are not taken", "[receiver]") {
  Shop shop;
  for (const std::string method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}) {
    const std::string answer =
        ask(shop.receiver->address(), method + " /hooks/" + kGitea + " HTTP/1.1\r\n\r\n");
    CHECK(status_of(answer) == 405);
    CHECK(answer.find("Allow: POST\r\n") != std::string::npos);
  }
  CHECK(status_of(shop.send({.type = "Application/JSON; charset=utf-8"})) == 202);
  CHECK(status_of(shop.send({.type = "text/plain"})) == 415);
  CHECK(status_of(shop.send({.type = ""})) == 415);
  CHECK(status_of(shop.send({.type = "multipart/form-data; boundary=x"})) == 415);
  CHECK(status_of(shop.send({.type = "application/x-www-form-urlencoded"})) == 415);
  CHECK(status_of(shop.send({.more = "Content-Encoding: gzip\r\n"})) == 415);
}

TEST_CASE("1 GB announced is 413, or 401 when it is not even signed", "[receiver]") {
  Shop shop;
  CHECK(status_of(ask(shop.receiver->address(), head_of({}, 1U << 30U))) == 413);
  CHECK(status_of(ask(shop.receiver->address(), head_of({.signature = "A: b\r\n"}, 1U << 30U))) ==
        401);
}

TEST_CASE("a push of 2 048 commits is taken, and one of 25 MB", "[receiver]") {
  Shop shop;
  std::string commits;
  for (int i = 0; i < 2048; ++i) {
    commits += (i == 0 ? "" : ",") + std::string("{\"id\":\"") + kNew + "\",\"modified\":[\"" +
               std::string(400, 'f') + "\"]}";
  }
  std::string body = a_push();
  body.insert(1, "\"commits\":[" + commits + "],");
  CHECK(status_of(shop.send({.body = body})) == 202);
  body.insert(1, "\"message\":\"" + std::string(24'000'000, 'm') + "\",");
  CHECK(status_of(shop.send({.body = body})) == 202);
  CHECK(shop.stored() == 2);
}

TEST_CASE("slow senders of unsigned bodies keep nobody out", "[receiver]") {
  receiver::Options options;
  options.pressed_time = 200ms;
  options.head_time = options.total_time = 5min;
  Shop shop(options);
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 120; ++i) {
    slow.push_back(std::make_unique<RawClient>(shop.receiver->address()));
    slow.back()->send(head_of({.secret = "wrong"}, 1000) + "{");
  }
  CHECK(status_of(shop.send({})) == 202);
}

TEST_CASE("a receiver that stops has answered what it stored", "[receiver]") {
  Shop shop;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<RawClient>(shop.receiver->address()));
    const Post post{.body = a_push("refs/heads/b" + std::to_string(i))};
    clients.back()->send(head_of(post, post.body.size()) + post.body);
  }
  while (shop.stored() == 0) std::this_thread::yield();
  shop.receiver.reset();
  std::size_t answered = 0;
  for (const auto& client : clients) answered += status_of(client->receive()) == 202 ? 1 : 0;
  CHECK(answered == shop.stored());
}
