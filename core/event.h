#pragma once
/// What arrived: one push, delivery or observation. A hint, never a fact: whoever acts on it reads
/// the refs again.
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace plumb {

/// How sure we are of who it was, weakest first (design 8a).
enum class Assurance { claimed, peer_uid, platform, signed_push, token, oidc };
[[nodiscard]] std::string_view to_string(Assurance assurance) noexcept;
[[nodiscard]] Result<Assurance> parse_assurance(std::string_view word);

struct Actor {
  std::string id;    ///< stable: "uid:1000", "gitea:ana", "plumbline" for the server itself
  std::string name;  ///< for people; erasable
  Assurance assurance = Assurance::claimed;
};

/// The server itself, for what nobody asked for (scans, retries).
[[nodiscard]] Actor system_actor();

enum class Trigger { push, webhook, spool, scan, sync, rollback };
[[nodiscard]] std::string_view to_string(Trigger trigger) noexcept;
[[nodiscard]] Result<Trigger> parse_trigger(std::string_view word);

/// All zeros stand for "no such object", as in Git.
struct RefUpdate {
  std::string ref;  ///< full: "refs/heads/main"
  std::string old_oid;
  std::string new_oid;
  bool operator==(const RefUpdate&) const = default;
};

struct Event {
  std::string repository;  ///< name in the server's file
  std::vector<RefUpdate> refs;
  Trigger trigger = Trigger::push;
  std::string delivery_id;  ///< the sender's id; the same id never makes a second event
  Actor actor;
  std::string reason;  ///< free text of the person; "" when none
  UnixMillis received_at = 0;
};

}  // namespace plumb
