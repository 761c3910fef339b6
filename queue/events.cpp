#include "queue_sql.h"

#include "queue/queue.h"

namespace plumb::queue {
namespace {

Result<EventState> parse_state(const std::string& word) {
  if (word == "received") return EventState::received;
  if (word == "planned") return EventState::planned;
  if (word == "ignored") return EventState::ignored;
  return fail(Errc::fault, "event state '" + word + "' in the database");
}

constexpr std::string_view kColumns =
    "id, repository, delivery_id, trigger, actor_id, actor_name, assurance, reason, received_at, "
    "state, note";

Result<std::vector<RefUpdate>> refs_of(sqlite::Connection& db, EventId id) {
  sqlite::Statement& rows = TRY(db.statement(
      "SELECT ref, old_oid, new_oid FROM event_ref WHERE event = ? ORDER BY position"));
  TRY(rows.bind(1, id));
  std::vector<RefUpdate> refs;
  while (TRY(rows.step())) refs.push_back({rows.text(0), rows.text(1), rows.text(2)});
  rows.reset();
  return refs;
}

Result<std::vector<StoredEvent>> read_events(sqlite::Connection& db, sqlite::Statement& rows) {
  std::vector<StoredEvent> found;
  while (TRY(rows.step())) {
    StoredEvent stored;
    stored.id = rows.integer(0);
    stored.event.repository = rows.text(1);
    stored.event.delivery_id = rows.text(2);
    stored.event.trigger = TRY(parse_trigger(rows.text(3)));
    const Assurance assurance = TRY(parse_assurance(rows.text(6)));
    stored.event.actor = {rows.text(4), rows.text(5), assurance};
    stored.event.reason = rows.text(7);
    stored.event.received_at = rows.integer(8);
    stored.state = TRY(parse_state(rows.text(9)));
    stored.note = rows.text(10);
    found.push_back(std::move(stored));
  }
  rows.reset();
  for (StoredEvent& stored : found) stored.event.refs = TRY(refs_of(db, stored.id));
  return found;
}

}  // namespace

sqlite::Component schema() {
  return {"queue", {sql::_0001_queue_sql}};
}

Result<Accepted> accept(sqlite::Transaction& tx, const Event& event, std::string_view raw) {
  sqlite::Statement& known =
      TRY(tx.statement("SELECT id FROM event WHERE repository = ? AND delivery_id = ?"));
  TRY(known.bind_all(event.repository, event.delivery_id));
  if (TRY(known.step())) {
    const Accepted first{known.integer(0), true};
    known.reset();
    return first;
  }
  known.reset();
  sqlite::Statement& insert =
      TRY(tx.statement("INSERT INTO event (repository, delivery_id, trigger, actor_id, actor_name, "
                       "assurance, reason, received_at,"
                       " state, note, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'received', '', ?)"));
  TRY(insert.bind_all(event.repository, event.delivery_id, to_string(event.trigger), event.actor.id,
                      event.actor.name, to_string(event.actor.assurance), event.reason,
                      event.received_at));
  if (!raw.empty()) TRY(insert.bind_blob(9, raw));
  TRY(insert.run());
  const EventId id = tx.last_insert_id();
  sqlite::Statement& ref = TRY(tx.statement(
      "INSERT INTO event_ref (event, position, ref, old_oid, new_oid) VALUES (?, ?, ?, ?, ?)"));
  for (std::size_t i = 0; i < event.refs.size(); ++i) {
    TRY(ref.bind_all(id, i, event.refs[i].ref, event.refs[i].old_oid, event.refs[i].new_oid));
    TRY(ref.run());
  }
  return Accepted{id, false};
}

Result<std::vector<StoredEvent>> unplanned(sqlite::Connection& db, int limit) {
  sqlite::Statement rows =
      TRY(db.prepare("SELECT " + std::string(kColumns) +
                     " FROM event WHERE state = 'received' ORDER BY id LIMIT ?"));
  TRY(rows.bind(1, limit));
  return read_events(db, rows);
}

Result<std::optional<StoredEvent>> find_event(sqlite::Connection& db, EventId id) {
  sqlite::Statement rows =
      TRY(db.prepare("SELECT " + std::string(kColumns) + " FROM event WHERE id = ?"));
  TRY(rows.bind(1, id));
  auto found = TRY(read_events(db, rows));
  if (found.empty()) return std::optional<StoredEvent>();
  return std::optional<StoredEvent>(std::move(found.front()));
}

Result<std::vector<StoredEvent>> events(sqlite::Connection& db,
                                        std::string_view repository,
                                        int limit) {
  sqlite::Statement rows =
      TRY(db.prepare("SELECT " + std::string(kColumns) +
                     " FROM event WHERE (?1 = '' OR repository = ?1) ORDER BY id DESC LIMIT ?2"));
  TRY(rows.bind_all(repository, limit));
  return read_events(db, rows);
}

Result<std::optional<std::string>> planned_commit(sqlite::Connection& db,
                                                  std::string_view repository,
                                                  std::string_view ref) {
  sqlite::Statement& row =
      TRY(db.statement("SELECT commit_id FROM planned_ref WHERE repository = ? AND ref = ?"));
  TRY(row.bind_all(repository, ref));
  std::optional<std::string> found;
  if (TRY(row.step())) found = row.text(0);
  row.reset();
  return found;
}

Result<> set_planned_commit(sqlite::Transaction& tx,
                            std::string_view repository,
                            std::string_view ref,
                            std::string_view commit) {
  sqlite::Statement& row = TRY(
      tx.statement("INSERT INTO planned_ref (repository, ref, commit_id) VALUES (?, ?, ?) "
                   "ON CONFLICT (repository, ref) DO UPDATE SET commit_id = excluded.commit_id"));
  TRY(row.bind_all(repository, ref, commit));
  return row.run();
}

}  // namespace plumb::queue
