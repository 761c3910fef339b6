#include "server/api.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "drivers/json/fields.h"
#include "drivers/json/json.h"
#include "server/views.h"

namespace plumb::server {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

Actor actor_of(const local::Peer& peer) {
  Actor actor{"uid:" + std::to_string(peer.uid), "", Assurance::peer_uid};
  char buffer[4096];
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(peer.uid, &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) {
    actor.name = printable(entry.pw_name);
  }
  return actor;
}

}  // namespace

Api::Api(ApiParts parts) : parts_(std::move(parts)) {
  add_reads();
  add_commands();
  add_hooks();
}

bool Api::may_write(const local::Peer& peer) const {
  const auto& writers = parts_.config.writers;
  return peer.uid == 0 || peer.uid == ::geteuid() ||
         std::find(writers.begin(), writers.end(), peer.uid) != writers.end();
}

void Api::serve(local::Connection& connection, const local::Peer& peer, const std::stop_token& stop) {
  const auto frame = connection.receive(10s);
  if (!frame || !*frame || (*frame)->type != 'J') return;
  const Caller caller{peer, actor_of(peer)};
  const auto answered = answer(connection, caller, (*frame)->payload, stop);
  const Json reply = answered ? Json{{"result", *answered}} : Json{{"error", view(answered.error())}};
  static_cast<void>(connection.send('J', json::canonical(reply)));
}

Api::Answer Api::answer(local::Connection& connection, const Caller& caller, const std::string& text,
                        const std::stop_token& stop) {
  const Json request = TRY(json::parse(text, {.max_bytes = 16U << 20U, .max_depth = 16}));
  if (!request.is_object() || json::number(request, "v") != 1) {
    return fail(Errc::invalid, "this server speaks version 1 of the local socket", "", "install the plumb of this server");
  }
  const std::string name = json::text(request, "method");
  const auto method = methods_.find(name);
  if (method == methods_.end()) return fail(Errc::invalid, "no method '" + printable(name) + "'");
  if (method->second.writes && !may_write(caller.peer)) {
    return fail(Errc::denied, "you (" + caller.actor.id + ") may not " + name + " here", "",
                "add your uid to spec.access.writers of the server file, or ask who may");
  }
  const Json& params = json::object(request, "params");
  Request under_way{params, caller, connection, stop};
  return method->second.run(under_way);
}

}  // namespace plumb::server
