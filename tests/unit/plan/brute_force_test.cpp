#include <iostream>
#include <random>

#include "tests/unit/plan/planning.h"
#include "tests/unit/plan/random_repo.h"

using namespace plumb;
using namespace plumb::test;

namespace {

/// What a full render of everything says, with no memory of any other commit.
struct Truth {
  bool denied = false;
  std::map<AppId, std::string> digests;  // with the rules that are not in the plan
};

std::string rules_of(const Application& app) {
  return std::string(to_string(app.sync)) + (app.prune ? " prune" : "") + " " + app.path;
}

Truth brute_force(Planning& planning, const std::string& commit) {
  const plan::Update all = planning.update(plan::RepoState(), commit);
  Truth truth;
  truth.denied = any_denied(all.verdicts);
  for (const plan::Affected& affected : all.affected) {
    truth.digests[affected.application.id] =
        affected.plan.digest + " " + rules_of(affected.application);
  }
  return truth;
}

std::vector<std::string> difference(const Truth& before, const Truth& after) {
  std::map<AppId, std::string> names;
  for (const auto& [id, digest] : after.digests) {
    const auto old = before.digests.find(id);
    if (old == before.digests.end()) names[id] = "+";
    if (old != before.digests.end() && old->second != digest) names[id] = "~";
  }
  for (const auto& [id, digest] : before.digests) {
    if (!after.digests.contains(id)) names[id] = "-";
  }
  std::vector<std::string> sorted;
  for (const auto& [id, sign] : names) sorted.push_back(sign + id.to_string());
  return sorted;
}

struct Round {
  std::vector<Tree> trees;
  std::vector<std::string> stories;
  std::vector<std::string> commits;
};

/// A few commits at once are cheap; broken ones among them do not break the next round.
Round make_round(Planning& planning, RandomRepo& random) {
  Round round;
  for (int i = 0; i < 10; ++i) {
    random.change();
    round.trees.push_back(random.tree());
    round.stories.push_back(random.story());
  }
  round.commits = planning.repo.commits(round.trees);
  return round;
}

unsigned seed_of_the_day() {
  if (const char* given = std::getenv("PLUMB_SEED"))
    return static_cast<unsigned>(std::stoul(given));
  return std::random_device()();
}

int commits_wanted() {
  const char* given = std::getenv("PLUMB_COMMITS");
  return given == nullptr ? 1000 : std::stoi(given);
}

}  // namespace

TEST_CASE("the applications named by a push are those whose full render changed") {
  const unsigned seed = seed_of_the_day();
  std::cout << "seed " << seed << " (PLUMB_SEED=" << seed << " repeats it)" << std::endl;
  Planning planning;
  RandomRepo random(seed);
  Tree accepted = random.tree();
  const std::string first = planning.repo.commit(accepted);
  auto state = planning.update(plan::RepoState(), first).next;
  REQUIRE(state);
  Truth truth = brute_force(planning, first);
  const int wanted = commits_wanted();
  int refused = 0, affected = 0, rendered = 0, quiet = 0;
  for (int made = 0; made < wanted;) {
    const Round round = make_round(planning, random);
    for (std::size_t i = 0; i < round.commits.size() && made < wanted; ++i, ++made) {
      const plan::Update update = planning.update(*state, round.commits[i]);
      const Truth now = brute_force(planning, round.commits[i]);
      INFO("seed " << seed << ", commit " << made << ": " << round.stories[i]);
      for (const Verdict& verdict : update.verdicts) {
        UNSCOPED_INFO(verdict.application << " " << verdict.place.to_string() << ": "
                                          << verdict.message);
      }
      REQUIRE(any_denied(update.verdicts) == now.denied);
      rendered += update.rendered;
      refused += now.denied ? 1 : 0;
      if (now.denied) continue;  // the next one is compared with what was accepted last
      REQUIRE(named(update) == difference(truth, now));
      affected += static_cast<int>(update.affected.size());
      quiet += update.affected.empty() ? 1 : 0;
      state = update.next;
      truth = now;
      accepted = round.trees[i];
    }
    random.restore(accepted);
  }
  std::cout << wanted << " commits on " << truth.digests.size() << " applications: " << affected
            << " affected, " << rendered << " renders, " << quiet << " touched nothing, " << refused
            << " refused" << std::endl;
  CHECK(affected > wanted / 2);
  CHECK(quiet > wanted / 50);
  CHECK(refused < wanted / 2);
}
