#pragma once
/// What the files of the ledger share. Private to worker/.
#include <string>
#include <string_view>
#include <vector>

#include "apply/inventory.h"
#include "audit/audit.h"
#include "core/event.h"
#include "queue/queue.h"

namespace plumb::worker::ledger {

inline constexpr std::size_t kMaxDetail =
    200;  // objects named in one leaf; the plan holds them all

inline constexpr std::string_view kConfirmed = "prune-confirmed";  // in Job::options
inline constexpr std::string_view kReapply = "reapply";
inline constexpr std::string_view kSuspended = "suspended";  // how the message of a held job begins

/// Why a job of this application may not start by itself; "" when it may.
[[nodiscard]] std::string hold_reason(const queue::AppRow& row);

void add_objects(audit::Entry& entry, const std::vector<apply::InventoryItem>& items);
void add_identities(audit::Entry& entry, const std::vector<std::string>& identities);
[[nodiscard]] audit::Entry event_entry(std::string_view verb, const Event& event, EventId id);

}  // namespace plumb::worker::ledger
