/// Real `git push` through the built plumb-hook.
#include "tests/unit/hooks/push.h"

#include <fstream>

#include <sys/stat.h>

#include "core/guarded.h"
#include "core/oid.h"

using namespace plumb;
using namespace plumb::test;
using namespace std::chrono_literals;

namespace {

Json bad_verdict() {
  return {{"accepted", false},
          {"tracked", true},
          {"applications", {{{"application", "web/dev@eu-1"}, {"ok", false}}}},
          {"verdicts",
           {{{"effect", "deny"},
             {"rule", "schema.unknown"},
             {"application", "web/dev@eu-1"},
             {"file", "web/a.yaml"},
             {"line", 5},
             {"column", 1},
             {"message", "no such key in ConfigMap (v1, 1.34)"},
             {"subject", "dato"},
             {"hint", "did you mean \"data\"?"},
             {"source", {{{"line", 5}, {"text", "dato:"}}}}}}}};
}

std::string zero() {
  return std::string(40, '0');
}

/// What a client that is not git could send: ref updates with any names.
Pushed send_raw(const Push& push,
                const std::vector<std::string>& commands,
                const std::string& pack) {
  const auto packet = [](const std::string& text) {
    char length[5];
    std::snprintf(length, sizeof length, "%04zx", text.size() + 4);
    return length + text;
  };
  std::string input;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    input += packet(commands[i] +
                    (i == 0 ? std::string("\0 report-status side-band-64k agent=x", 37) : ""));
  }
  const auto done = push.run_git({"receive-pack", push.bare()}, "/", {}, input + "0000" + pack);
  return {done.exit.ok(), done.out + done.err};
}

}  // namespace

TEST_CASE(
    "a push that plumbd accepts moves the ref, and plumbd got all there is to know about it") {
  Push push;
  push.install();
  push.serve(accept_all);
  const std::string commit = push.commit("web/a.yaml", "a: 1\n");
  push.git({"branch", "topic"});
  const auto pushed =
      push.push({"-o", "plumb.reason=INC-1", "-o", "other=x", "origin", "main", "topic"},
                {"GITEA_PUSHER_NAME=ana\x1b[31m"});
  CHECK(pushed.says("remote: plumb: 1 commit touches 1 of 1 application"));
  REQUIRE(pushed.ok);
  CHECK(push.head() == commit);
  const auto asked = push.requests("pre_receive").at(0);
  CHECK(asked["repository_path"] == std::filesystem::canonical(push.bare()).string());
  CHECK(asked["refs"].size() == 2);
  CHECK(asked["refs"][0] == Json{{"ref", "refs/heads/main"}, {"old", zero()}, {"new", commit}});
  CHECK(asked["quarantine"].get<std::string>().find("/objects/tmp_objdir-incoming-") !=
        std::string::npos);
  CHECK(asked["object_dirs"][0] == std::filesystem::canonical(push.bare() + "/objects").string());
  CHECK(asked["options"] == Json{"plumb.reason=INC-1"});
  CHECK(asked["actor"]["id"] == "gitea:ana?[31m");
  CHECK(asked["actor"]["assurance"] == "claimed");
  CHECK(push.requests("poke").at(0)["repository_path"] == asked["repository_path"]);
  const auto after = push.requests("post_receive").at(0);
  CHECK(after["options"] == Json{"plumb.reason=INC-1"});
  REQUIRE(push.spool().size() == 1);
  CHECK(push.spool()[0].ends_with(".committed"));
  std::ifstream file(push.bare() + "/plumbline/spool/" + push.spool()[0]);
  const Json record = Json::parse(file);
  CHECK(record["options"] == Json{"plumb.reason=INC-1"});
  CHECK(record["refs"] == Json{{{"ref", "refs/heads/main"}, {"old", zero()}, {"new", commit}}});
  CHECK(record["actor"]["id"] == "gitea:ana?[31m");
}

TEST_CASE("a push that plumbd refuses moves nothing and leaves nothing") {
  Push push;
  push.install();
  push.serve([](local::Connection& c, const Json&) { answer(c, bad_verdict()); });
  push.commit("web/a.yaml", "dato: 1\n");
  const auto pushed = push.push();
  CHECK_FALSE(pushed.ok);
  CHECK(pushed.says("remote: error: push refused, nothing changed: 1 of 1 application is invalid"));
  CHECK(pushed.says("remote:   web/a.yaml:5"));
  CHECK(pushed.says("remote: hint: did you mean \"data\"?"));
  CHECK(push.head().empty());
  CHECK(push.spool().empty());
}

TEST_CASE(
    "while plumbd is down only the branches that deploy are refused, or none where the repository "
    "says so") {
  Push push;
  const std::string commit = push.commit("web/a.yaml", "a: 1\n");
  SECTION("strict") {
    push.install(true);
    const auto pushed = push.push();
    CHECK_FALSE(pushed.ok);
    CHECK(pushed.says("push refused, nothing changed: plumbd did not answer"));
    CHECK(push.head().empty());
    const auto topic = push.push({"origin", "main:refs/heads/topic"});
    CHECK(topic.ok);
    CHECK_FALSE(topic.says("remote:"));
  }
  SECTION("lenient") {
    push.install(false);
    const auto pushed = push.push();
    CHECK(pushed.ok);
    CHECK(pushed.says("warning: accepted unchecked: plumbd did not answer"));
    CHECK(pushed.says("plumb wait " + short_oid(commit)));
    CHECK(push.head() == commit);
    CHECK(push.spool().size() == 1);
  }
  SECTION("it answers too late, or breaks") {
    push.install(true, 1s);
    const std::string how = GENERATE("late", "fault", "nonsense", "closes");
    push.serve([how](local::Connection& c, const Json&) {
      if (how == "late") static_cast<void>(c.receive(10s));
      if (how == "fault")
        static_cast<void>(c.send('J', R"({"error":{"code":"fault","message":"disk"}})"));
      if (how == "nonsense") static_cast<void>(c.send('J', "HTTP/1.1 400"));
    });
    const auto pushed = push.push();
    CHECK_FALSE(pushed.ok);
    CHECK(pushed.says("plumbd did not answer"));
  }
  SECTION("it says that it does not know the repository") {
    push.install(false);
    push.serve([](local::Connection& c, const Json&) {
      static_cast<void>(c.send(
          'J',
          R"({"error":{"code":"invalid","message":"not in the server's file","hint":"add it"}})"));
    });
    const auto pushed = push.push();
    CHECK_FALSE(pushed.ok);
    CHECK(pushed.says("not in the server's file"));
    CHECK(pushed.says("hint: add it"));
  }
}

TEST_CASE(
    "a plumbd that cannot read the quarantine gets a pack that is whole on top of the repository") {
  Push push("a:b \"quoted\".git");
  push.install();
  push.serve(accept_all);
  push.commit("web/a.yaml", std::string(5000, 'a'));
  REQUIRE(push.push().ok);
  Guarded<std::optional<std::string>> received;  // set once the pack has ended
  push.serve([&](local::Connection& c, const Json& request) {
    if (request["method"] != "pre_receive") return accept_all(c, request);
    static_cast<void>(c.send('J', R"({"event":{"need":"pack"}})"));
    std::string pack;
    for (;;) {
      const auto frame = c.receive(10s);
      if (!frame || !*frame || (*frame)->type != 'B') break;
      if ((*frame)->payload.empty()) {
        received.with([&](auto& whole) { whole = pack; });
        break;
      }
      pack += (*frame)->payload;
    }
    answer(c, good_verdict());
  });
  const std::string commit = push.commit("web/b.yaml", std::string(3U << 20U, 'b'));
  const auto pushed = push.push();
  CAPTURE(pushed.text);
  REQUIRE(pushed.ok);
  const auto pack = received.with([](const auto& whole) { return whole; });
  REQUIRE(pack);
  // Into a repository that has only what was there before.
  push.git({"clone", "-q", "--bare", push.bare(), push.folder() / "other.git"}, "/");
  const std::string other = push.folder() / "other.git";
  push.git({"update-ref", "refs/heads/main", commit + "~1"}, other);
  const auto indexed = push.run_git({"index-pack", "--stdin", "--fix-thin"}, other, {}, *pack);
  CHECK(indexed.exit.ok());
  CHECK(push.git({"cat-file", "-t", commit}, other) == "commit");
}

TEST_CASE("a push that only deletes works without a quarantine") {
  Push push;
  push.install();
  push.serve(accept_all);
  push.commit("a", "1");
  REQUIRE(push.push({"origin", "main", "main:refs/heads/old"}).ok);
  REQUIRE(push.push({"origin", ":old"}).ok);
  const auto asked = push.requests("pre_receive", 2).at(1);
  CHECK(asked["quarantine"].is_null());
  CHECK(asked["refs"][0]["new"] == zero());
}

TEST_CASE("1000 refs are one question") {
  Push push;
  push.install();
  push.serve(accept_all);
  const std::string commit = push.commit("a", "1");
  REQUIRE(push.push().ok);
  std::string refs;
  for (int i = 0; i < 1000; ++i)
    refs += "create refs/tags/v" + std::to_string(i) + " " + commit + "\n";
  REQUIRE(push.run_git({"update-ref", "--stdin"}, "", {}, refs).exit.ok());
  REQUIRE(push.push({"--atomic", "origin", "--tags"}).ok);
  CHECK(push.requests("pre_receive", 2).at(1)["refs"].size() == 1000);
  CHECK(push.spool().size() == 1);
}

TEST_CASE("names that git would not take refuse the whole push, whatever they pretend") {
  Push push;
  push.install(false);
  push.serve(accept_all);
  const std::string commit = push.commit("a", "1");
  const std::string pack = [&] {
    const auto done =
        push.run_git({"pack-objects", "--revs", "--stdout", "-q"}, "", {}, commit + "\n");
    return done.out;
  }();
  const std::string main = zero() + " " + commit + " refs/heads/main";
  const std::string evil = GENERATE_COPY(
      zero() + " " + commit + " refs/heads/x\n" + zero() + " " + zero() + " refs/heads/main",
      zero() + " " + commit + " refs/heads/\x1b[31mred", zero() + " " + commit + " HEAD", main);
  const auto pushed = send_raw(push, {main, evil}, pack);
  CHECK(pushed.says("push refused, nothing changed: a ref name that git would not"));
  CHECK(push.head().empty());
  CHECK(push.requests("pre_receive", 0).empty());
}

TEST_CASE("options that are not ours, too many, too long or hostile reach nobody") {
  Push push;
  push.install();
  push.serve(accept_all);
  push.commit("a", "1");
  std::vector<std::string> arguments{
      "-o", "plumb.reason=; rm -rf / \x1b]0;x",      "-o", "--exec=x", "-o", "plumb.Evil=1",
      "-o", "plumb.reason=" + std::string(5000, 'x')};
  for (int i = 0; i < 30; ++i)
    arguments.insert(arguments.end(), {"-o", "plumb.reason=" + std::to_string(i)});
  arguments.insert(arguments.end(), {"origin", "main"});
  REQUIRE(push.push(arguments).ok);
  const auto options = push.requests("pre_receive").at(0)["options"];
  CHECK(options.size() == 13);
  CHECK(options[0] == "plumb.reason=; rm -rf / ?]0;x");
}

TEST_CASE("the rollout is shown as it goes, and how to wait for the rest") {
  Push push;
  push.install();
  const std::string commit = push.commit("a", "1");
  const auto event = [](local::Connection& c, const char* state, const char* phase) {
    static_cast<void>(c.send('J', Json{{"event",
                                        {{"application", "web/dev@eu-1"},
                                         {"state", state},
                                         {"phase", phase},
                                         {"configured", 1},
                                         {"elapsed_ms", 1800}}}}
                                      .dump()));
  };
  SECTION("to its end") {
    push.serve([&](local::Connection& c, const Json& request) {
      if (request["method"] != "post_receive") return accept_all(c, request);
      event(c, "queued", "queued");
      event(c, "running", "apply");
      event(c, "running", "apply");
      event(c, "healthy", "done");
      answer(c, {{"done", true},
                 {"ok", true},
                 {"items", {{{"application", "web/dev@eu-1"}, {"state", "healthy"}}}}});
    });
    const auto pushed = push.push();
    CHECK(pushed.says("remote:   web/dev@eu-1   ~1      applied 1/1   healthy 1.8 s"));
    CHECK(pushed.says("remote: success: " + short_oid(commit) + " is rolled out: web/dev@eu-1"));
    CHECK_FALSE(pushed.says("queued"));
  }
  SECTION("until the time is over") {
    push.serve([&](local::Connection& c, const Json& request) {
      if (request["method"] != "post_receive") return accept_all(c, request);
      event(c, "running", "health");
      static_cast<void>(c.receive(10s));
    });
    const auto pushed = push.push({"-o", "plumb.wait=500ms", "origin", "main"});
    CHECK(pushed.ok);
    CHECK(pushed.says("the rollout goes on without you"));
    CHECK(pushed.says("plumb wait " + short_oid(commit)));
  }
  SECTION("not at all") {
    push.serve(accept_all);
    const auto pushed = push.push({"-o", "plumb.nowait", "origin", "main"});
    CHECK(pushed.says("plumb: not waiting; follow it with  plumb wait " + short_oid(commit)));
    CHECK(push.requests("post_receive").at(0)["wait_ms"] == 0);
  }
  SECTION("a person must say yes") {
    push.serve([&](local::Connection& c, const Json& request) {
      if (request["method"] != "post_receive") return accept_all(c, request);
      event(c, "waiting", "queued");
      static_cast<void>(c.receive(30s));
    });
    const auto pushed = push.push({"-o", "plumb.wait=60s", "origin", "main"});
    CHECK(pushed.says("warning: not applied yet: web/dev@eu-1: waits"));
  }
}

TEST_CASE(
    "a hook that is killed: pre-receive rejects the push, prepared aborts or is found, "
    "post-receive costs nothing") {
  Push push;
  push.install();
  push.serve(accept_all);
  const std::string commit = push.commit("a", "1");
  SECTION("pre-receive") {
    CHECK_FALSE(push.push({"origin", "main"}, {"PLUMB_FAIL=hook.pre_receive=kill"}).ok);
    CHECK(push.head().empty());
    CHECK(push.spool().empty());
  }
  SECTION("reference-transaction, after its record is durable and before the ref moves") {
    CHECK_FALSE(push.push({"origin", "main"}, {"PLUMB_FAIL=hook.spool_prepared=kill"}).ok);
    CHECK(push.head().empty());
  }
  SECTION("post-receive") {
    CHECK(push.push({"origin", "main"}, {"PLUMB_FAIL=hook.post_receive=kill"}).ok);
    CHECK(push.head() == commit);
    CHECK(push.spool().size() == 1);
  }
}

TEST_CASE("the hooks that were there before run first, with the same input, and may say no") {
  Push push;
  const auto script = [&](const std::string& name, const std::string& text) {
    const std::string path = push.bare() + "/hooks/" + name;
    std::ofstream(path) << text;
    REQUIRE(::chmod(path.c_str(), 0755) == 0);
  };
  script("pre-receive",
         "cat > seen-pre; echo earlier pre-receive; test ! -e deny\n");  // no first line: git runs
                                                                         // it with sh
  script("post-receive", "#!/bin/sh\nread line; echo \"$line\" > seen-post\n");
  script("reference-transaction", "#!/bin/sh\necho \"$1\" >> seen-transaction; cat > /dev/null\n");
  push.install();
  push.serve(accept_all);
  const std::string commit = push.commit("a", "1");
  const auto read = [&](const std::string& name) {
    std::ifstream file(push.bare() + "/" + name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const auto pushed = push.push();
  REQUIRE(pushed.ok);
  const std::string line = zero() + " " + commit + " refs/heads/main\n";
  CHECK(read("seen-pre") == line);
  CHECK(read("seen-post") == line);
  CHECK(read("seen-transaction") == "prepared\ncommitted\n");
  CHECK(pushed.text.find("earlier pre-receive") < pushed.text.find("plumb: 1 commit"));
  std::ofstream(push.bare() + "/deny") << "x";
  push.commit("a", "2");
  CHECK_FALSE(push.push().ok);
  CHECK(push.requests("pre_receive").size() == 1);  // it was not even asked
}
