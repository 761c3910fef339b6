#include "tests/unit/queue/support.h"

using namespace plumb;
using test::must;
using test::TestQueue;

TEST_CASE("a repeated delivery gets the first id and makes no second event") {
  TestQueue q;
  const auto first = q.accept("d1");
  q.accept("d2");
  const auto again = q.accept("d1");
  CHECK_FALSE(first.duplicate);
  CHECK(again.duplicate);
  CHECK(again.id == first.id);
  CHECK(q.read<std::vector<queue::StoredEvent>>([](auto& db) {
           return queue::unplanned(db, 10);
         }).size() == 2);
}

TEST_CASE("the same delivery id of another repository is another event") {
  TestQueue q;
  const auto first = q.accept("d1");
  const Event other{"other", {}, Trigger::webhook, "d1", system_actor(), "", 1};
  const auto made =
      must(q.write<queue::Accepted>([&](auto& tx) { return queue::accept(tx, other); }));
  CHECK_FALSE(made.duplicate);
  CHECK(made.id != first.id);
}

TEST_CASE("an event is read back as it was stored, with all its refs") {
  TestQueue q;
  Event event{"shop",
              {},
              Trigger::webhook,
              "d",
              {"gitea:ana", "Ana \"A\" \xc3\x96", Assurance::platform},
              "because",
              7};
  for (const char* ref : {"refs/heads/b", "refs/heads/a"}) {
    event.refs.push_back({ref, std::string(40, '1'), std::string(40, '2')});
  }
  const auto id = must(q.write<queue::Accepted>([&](auto& tx) {
                    return queue::accept(tx, event, "{raw}");
                  })).id;
  const auto stored = q.read<std::optional<queue::StoredEvent>>([&](auto& db) {
                         return queue::find_event(db, id);
                       }).value();
  CHECK(stored.event.refs == event.refs);
  CHECK(stored.event.trigger == Trigger::webhook);
  CHECK(stored.event.actor.name == event.actor.name);
  CHECK(stored.event.actor.assurance == Assurance::platform);
  CHECK(stored.event.reason == "because");
  CHECK(stored.event.received_at == 7);
  CHECK(stored.state == queue::EventState::received);
}

TEST_CASE("an event is planned once; without applications it is ignored with a note") {
  TestQueue q;
  const auto id = q.accept("d1").id;
  must(q.write<std::vector<JobId>>(
      [&](auto& tx) { return queue::plan_event(tx, id, {}, "no application", 1); }));
  const auto again =
      q.write<std::vector<JobId>>([&](auto& tx) { return queue::plan_event(tx, id, {}, "", 1); });
  CHECK(again.error().code == Errc::conflict);
  const auto stored = q.read<std::optional<queue::StoredEvent>>([&](auto& db) {
                         return queue::find_event(db, id);
                       }).value();
  CHECK(stored.state == queue::EventState::ignored);
  CHECK(stored.note == "no application");
}

TEST_CASE("the planned commit of a ref is none at first, then the last one set") {
  TestQueue q;
  const auto planned = [&] {
    return q.read<std::optional<std::string>>(
        [](auto& db) { return queue::planned_commit(db, "shop", "refs/heads/main"); });
  };
  CHECK_FALSE(planned());
  for (const char* commit : {"aaa", "bbb"}) {
    must(q.change([&](auto& tx) {
      return queue::set_planned_commit(tx, "shop", "refs/heads/main", commit);
    }));
  }
  CHECK(planned() == "bbb");
}
