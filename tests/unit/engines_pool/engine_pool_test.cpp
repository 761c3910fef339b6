#include "plan/engine_pool.h"

#include <set>
#include <thread>

#include "tests/unit/plan/planning.h"

using namespace plumb;
using namespace plumb::test;
using namespace std::chrono_literals;

namespace {

struct Pool {
  explicit Pool(plan::EngineOptions options = {}) {
    if (options.program.empty()) options.program = PLUMB_FAKE_ENGINE;
    options.memory_bytes = 64U << 20U;
    pool = std::make_unique<plan::EnginePool>(options);
    tree = repo.tree_of(repo.commit(files({{"a.yaml", "hello"}})));
  }
  Result<std::string> render(const std::string& folder, const std::string& project = "default") {
    plan::TreeSource source(repo.get(), tree);
    auto objects = pool->kustomize(project, folder, source);
    if (!objects) return Failure(std::move(objects).error());
    return objects->at(0).json;
  }
  TempRepo repo;
  std::string tree;
  std::unique_ptr<plan::EnginePool> pool;
};

plan::EngineOptions options(int children, std::chrono::milliseconds deadline = 10s) {
  plan::EngineOptions options;
  options.max_children = children;
  options.deadline = deadline;
  return options;
}

}  // namespace

TEST_CASE("a child answers many renders of one project and asks its parent for files") {
  Pool pool(options(2));
  CHECK(must(pool.pool->version()) == "kustomize v0");
  const std::string pid = must(pool.render("any"));
  CHECK(must(pool.render("any")) == pid);
  CHECK(must(pool.render("ask")) == "hello");
  CHECK(must_fail(pool.render("failed")).message == "your fault");
  CHECK(must(pool.render("any")) == pid);
}

TEST_CASE("a crash costs that render alone") {
  Pool pool(options(1));
  const std::string pid = must(pool.render("any"));
  const Error error = must_fail(pool.render("crash"));
  CHECK(plan::is_lost_render(error));
  CHECK(error.code == Errc::fault);
  CHECK(error.message == "the render engine crashed (signal 6)");
  CHECK(must(pool.render("any")) != pid);
}

TEST_CASE("a render that hangs ends at its deadline and costs that render alone") {
  Pool pool(options(1, 300ms));
  const Error error = must_fail(pool.render("hang"));
  CHECK(plan::is_lost_render(error));
  CHECK(error.code == Errc::unavailable);
  CHECK(error.message == "the render took longer than 300 ms");
  // Starting the next child may take longer than this deadline on a busy machine.
  Result<std::string> next = pool.render("any");
  for (int i = 0; i < 100 && !next; ++i) next = pool.render("any");
  CHECK(next);
}

TEST_CASE("a render that eats memory is the author's fault and costs that render alone") {
  Pool pool(options(1));
  const Error error = must_fail(pool.render("bomb"));
  CHECK(error.code == Errc::invalid);
  CHECK(error.message.find("memory") != std::string::npos);
  CHECK(pool.render("any"));
}

TEST_CASE("a child that breaks the protocol is replaced") {
  Pool pool(options(1));
  for (const char* folder : {"garbage", "flood", "empty"}) {
    INFO(folder);
    CHECK(must_fail(pool.render(folder)).code == Errc::fault);
    CHECK(pool.render("any"));
  }
}

TEST_CASE("a child never serves two projects, and gives way when another needs its place") {
  Pool pool(options(2));
  const std::string a = must(pool.render("any", "a"));
  const std::string b = must(pool.render("any", "b"));
  CHECK(a != b);
  CHECK(must(pool.render("any", "a")) == a);
  const std::string c = must(pool.render("any", "c"));
  CHECK(c != a);
  CHECK(c != b);
}

TEST_CASE("a child is recycled when it has rendered enough, or says that it must be") {
  auto few = options(1);
  few.renders_per_child = 3;  // the first warms it up
  Pool pool(few);
  const std::string first = must(pool.render("any"));
  CHECK(must(pool.render("any")) != first);
  Pool other(options(1));
  const std::string second = must(other.render("recycle"));
  CHECK(must(other.render("any")) != second);
}

TEST_CASE("more renders than children wait for each other") {
  Pool pool(options(2));
  std::vector<std::string> pids(8);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < pids.size(); ++i) {
      threads.emplace_back([&, i] {
        const auto repository = git::Repository::open(pool.repo.path());
        if (!repository) return;
        plan::TreeSource source(**repository, pool.tree);
        const auto objects = pool.pool->kustomize("default", "any", source);
        if (objects) pids[i] = objects->at(0).json;
      });
    }
  }
  const std::set<std::string> distinct(pids.begin(), pids.end());
  CHECK_FALSE(distinct.contains(""));
  CHECK(distinct.size() <= 2);
}

TEST_CASE("a program that is missing or no engine is said at once, not at the deadline") {
  auto missing = options(1, 60s);
  missing.program = "/nowhere/plumb-engines";
  const Error error = must_fail(Pool(missing).render("any"));
  CHECK_FALSE(plan::is_lost_render(error));
  CHECK(error.code == Errc::unavailable);
  CHECK(error.message.find("start a render engine") != std::string::npos);
  auto wrong = options(1, 60s);
  wrong.program = "/bin/true";
  const Error no_engine = must_fail(Pool(wrong).render("any"));
  CHECK(no_engine.code == Errc::unavailable);
  CHECK_FALSE(plan::is_lost_render(no_engine));
}

TEST_CASE("a child has no network, no files, no processes and no environment") {
  Pool pool(options(1));
  const std::string said = must(pool.render("open"));
  INFO(said);
  CHECK(said.find("yes") == std::string::npos);
  CHECK(said.find("some") == std::string::npos);
}

TEST_CASE("the real engine survives a bomb of aliases, and what comes after it renders") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) bomb += ", " + before;
    bomb += "]\n";
  }
  Planning planning;
  const auto refused = planning.render(
      files({{"a/kustomization.yaml", "resources: [x.yaml]\n"},
             {"a/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n" + bomb}}),
      an_app("a"));
  CHECK(any_denied(refused.verdicts));
  const auto fine = planning.render(files({{"a/kustomization.yaml", "resources: [x.yaml]\n"},
                                           {"a/x.yaml", config_map("x", "1")}}),
                                    an_app("a"));
  CHECK(fine.objects.size() == 1);
}
