#include <fstream>

#include "audit_sql.h"
#include <nlohmann/json.hpp>

#include "audit/actors.h"
#include "audit/audit.h"
#include "audit/chain.h"
#include "core/text.h"
#include "drivers/json/json.h"

namespace plumb::audit {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxText = 4096;  // bytes of one value: a leaf stays for ever

Json text_or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return printable(text, kMaxText);
}

Json number_or_null(std::int64_t number) {
  if (number == 0) return nullptr;
  return number;
}

/// The kernel's boot id: shows which leaves share a monotonic clock.
const std::string& boot_id() {
  static const std::string id = [] {
    std::string line;
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::getline(file, line);
    return line;
  }();
  return id;
}

/// A key that comes twice gets a number: nothing of a step is dropped.
Json detail_of(const Entry& entry) {
  if (entry.detail.empty()) return nullptr;
  Json detail = Json::object();
  for (const auto& [name, value] : entry.detail) {
    const std::string key = printable(name, kMaxText);
    std::string unused = key;
    for (int i = 2; detail.contains(unused); ++i) unused = key + "#" + std::to_string(i);
    detail[unused] = printable(value, kMaxText);
  }
  return detail;
}

std::string leaf_of(const Entry& entry,
                    const Pseudonym& actor,
                    std::int64_t sequence,
                    UnixMillis now) {
  const Json leaf{
      {"actor", actor.id},
      {"actor_commitment", actor.commitment},
      {"application", text_or_null(entry.application)},
      {"assurance", std::string(to_string(entry.actor.assurance))},
      {"at", now},
      {"boot", text_or_null(boot_id())},
      {"cluster_uid", text_or_null(entry.cluster_uid)},
      {"commit", text_or_null(entry.commit)},
      {"detail", detail_of(entry)},
      {"epoch", number_or_null(entry.epoch)},
      {"event", number_or_null(entry.event)},
      {"format", 1},
      {"job", number_or_null(entry.job)},
      {"new_oid", text_or_null(entry.new_oid)},
      {"old_oid", text_or_null(entry.old_oid)},
      {"plan", text_or_null(entry.plan_digest)},
      {"project", text_or_null(entry.project)},
      {"reason", text_or_null(entry.reason)},
      {"ref", text_or_null(entry.ref)},
      {"repository", text_or_null(entry.repository)},
      {"result", text_or_null(entry.result)},
      {"sequence", sequence},
      {"verb", entry.verb},
  };
  return json::canonical(leaf);
}

struct NewRow {
  std::int64_t sequence;
  std::string leaf;
  std::string chain;  // raw
};

/// The searchable columns are read from the leaf by the statement that stores it.
Result<> store_leaf(sqlite::Transaction& tx, const NewRow& row) {
  sqlite::Statement& store =
      TRY(tx.statement("INSERT INTO audit_leaf (sequence, leaf, chain, at, verb, actor, "
                       "application, repository, commit_id)"
                       " VALUES (?1, ?2, ?3, json_extract(?2, '$.at'), json_extract(?2, '$.verb'), "
                       "json_extract(?2, '$.actor'),"
                       " json_extract(?2, '$.application'), json_extract(?2, '$.repository'),"
                       " coalesce(json_extract(?2, '$.commit'), json_extract(?2, '$.new_oid')))"));
  TRY(store.bind_all(row.sequence, row.leaf));
  TRY(store.bind_blob(3, row.chain));
  return store.run();
}

}  // namespace

sqlite::Component schema() {
  return {"audit", {sql::_0001_audit_sql}};
}

Result<std::int64_t> append(sqlite::Transaction& tx, const Entry& entry, UnixMillis now) {
  const Pseudonym actor = TRY(pseudonym_of(tx, entry.actor));
  sqlite::Statement& last =
      TRY(tx.statement("SELECT sequence, chain FROM audit_leaf ORDER BY sequence DESC LIMIT 1"));
  const bool any = TRY(last.step());
  const std::int64_t sequence = any ? last.integer(0) + 1 : 1;
  const std::string before = any ? last.blob(1) : chain_start();
  last.reset();
  const std::string leaf = leaf_of(entry, actor, sequence, now);
  TRY(store_leaf(tx, {sequence, leaf, chain_value(before, leaf)}));
  return sequence;
}

}  // namespace plumb::audit
