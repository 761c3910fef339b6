#include <thread>

#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/receiver/sender.h"

using namespace plumb;        // NOLINT: tests
using namespace plumb::test;  // NOLINT: tests

TEST_CASE("a signed push of each forge is stored, then answered with its event", "[receiver]") {
  FakeClock clock;
  receiver::Options options;
  options.clock = &clock;
  Shop shop(options);
  for (const std::string& endpoint : {kGithub, kGitea}) {
    const std::string answer = shop.send({.endpoint = endpoint});
    CHECK(status_of(answer) == 202);
  }
  REQUIRE(shop.events.size() == 2);
  const Event& event = shop.events.front();
  CHECK(event.repository == "shop");
  CHECK(event.refs == std::vector<RefUpdate>{{"refs/heads/main", kOld, kNew}});
  CHECK(event.trigger == Trigger::webhook);
  CHECK(event.actor.id == "github:ana");
  CHECK(event.actor.assurance == Assurance::platform);
  CHECK(event.received_at == clock.now());
  CHECK(shop.raws.front() == a_push());
  CHECK(shop.events.back().actor.id == "gitea:ana");
}

TEST_CASE("a replay gets the first event's id, whatever its unsigned headers say", "[receiver]") {
  Shop shop;
  CHECK(body_of(shop.send({.more = "X-Gitea-Delivery: one\r\n"})) == "{\"event\":1}\n");
  CHECK(body_of(shop.send({.body = a_push("refs/heads/live")})) == "{\"event\":2}\n");
  const std::string again = shop.send({.more = "X-Gitea-Delivery: two\r\n"});
  CHECK(status_of(again) == 202);
  CHECK(body_of(again) == "{\"event\":1,\"duplicate\":true}\n");
  CHECK(shop.stored() == 2);
}

TEST_CASE("50 equal deliveries at the same time make one event", "[receiver]") {
  Shop shop;
  std::atomic<int> same = 0;
  std::vector<std::jthread> senders;
  for (int i = 0; i < 50; ++i) {
    senders.emplace_back([&] {
      if (body_of(shop.send({})).starts_with("{\"event\":1")) ++same;
    });
  }
  senders.clear();
  CHECK(same == 50);
  CHECK(shop.stored() == 1);
}

TEST_CASE("what cannot be stored is 503 with a time to come back, never 500", "[receiver]") {
  Shop shop;
  shop.broken = true;
  const std::string answer = shop.send({});
  CHECK(status_of(answer) == 503);
  CHECK(answer.find("Retry-After: 5\r\n") != std::string::npos);
  CHECK(answer.find("disk") == std::string::npos);
  shop.broken = false;
  CHECK(body_of(shop.send({})) == "{\"event\":1}\n");
}

TEST_CASE("pings, tests and events of no use are 200 and store nothing", "[receiver]") {
  Shop shop;
  for (const std::string event : {"ping", "issues", "some_new_event"}) {
    CHECK(status_of(shop.send({.endpoint = kGithub, .event = event, .body = "{\"zen\":\"x\"}"})) ==
          200);
  }
  CHECK(status_of(shop.send({.event = "pull_request", .body = "{}"})) == 200);
  CHECK(shop.stored() == 0);
  CHECK(shop.metric("plumb_deliveries_total{forge=\"github\",result=\"ignored\"}") == 3);
}

TEST_CASE("a repository that the endpoint is not for is ignored", "[receiver]") {
  Shop shop;
  std::string body = a_push();
  body.replace(body.find("shop/deploy"), 11, "evil/deploy");
  const std::string answer = shop.send({.body = body});
  CHECK(status_of(answer) == 200);
  CHECK(body_of(answer).find("not one of this endpoint") != std::string::npos);
  CHECK(shop.stored() == 0);
}

TEST_CASE("an authentic push that cannot be read has every branch looked at", "[receiver]") {
  Shop shop;
  const std::string body = R"({"ref":7,"repository":{"full_name":"shop/deploy"}})";
  CHECK(status_of(shop.send({.body = body})) == 202);
  REQUIRE(shop.events.size() == 1);
  REQUIRE(shop.events[0].refs.size() == 2);
  CHECK(shop.events[0].refs[1].ref == "refs/heads/live");
  CHECK(shop.metric("plumb_deliveries_total{forge=\"gitea\",result=\"invalid\"}") == 1);
}

TEST_CASE("GitHub's form is signed as it is sent", "[receiver]") {
  Shop shop;
  std::string form = "payload=";
  for (const char c : a_push()) {
    form +=
        c == '"' || c == '{' || c == '}' ? "%" + crypto::hex(std::string(1, c)) : std::string(1, c);
  }
  Post post{.endpoint = kGithub, .body = form, .type = "application/x-www-form-urlencoded"};
  CHECK(status_of(shop.send(post)) == 202);
  CHECK(shop.raws.at(0) == a_push());
  post.signature = signature_line({.endpoint = kGithub, .body = a_push()});
  CHECK(status_of(shop.send(post)) == 401);
  for (const std::string wrong :
       {"payload=%7", "payload=%zz", "x=1", "payload={}&payload={}", ""}) {
    CHECK(status_of(shop.send(
              {.endpoint = kGithub, .body = wrong, .type = "application/x-www-form-urlencoded"})) ==
          400);
  }
}

TEST_CASE("a secret inside the payload proves nothing and is not kept", "[receiver]") {
  Shop shop;
  std::string body = a_push();
  body.insert(1, "\"secret\":\"" + kSecret + "\",");
  CHECK(status_of(shop.send({.body = body, .secret = "wrong"})) == 401);
  CHECK(status_of(shop.send({.body = body})) == 202);
  CHECK(shop.raws.at(0).find(kSecret) == std::string::npos);
}

TEST_CASE("a delivery of the other forge says which provider to set", "[receiver]") {
  Shop shop;
  const std::string gitea = shop.send({.endpoint = kGithub, .more = "X-Gitea-Event: push\r\n"});
  CHECK(status_of(gitea) == 400);
  CHECK(body_of(gitea).find("provider: gitea") != std::string::npos);
  Post github{.more = "X-GitHub-Event: push\r\n"};
  std::string request = head_of(github, github.body.size()) + github.body;
  request.replace(request.find("X-Gitea-Event"), 13, "X-Other-Event");
  CHECK(status_of(ask(shop.receiver->address(), request)) == 400);
}
