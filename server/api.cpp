#include "server/api.h"

#include <algorithm>

#include <nlohmann/json.hpp>
#include <pwd.h>
#include <unistd.h>

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

void Api::serve(local::Connection& connection,
                const local::Peer& peer,
                const std::stop_token& stop) {
  const auto frame = connection.receive(10s);
  if (!frame || !*frame || (*frame)->type != 'J') return;
  const Caller caller{peer, actor_of(peer)};
  const Json reply = reply_to(connection, caller, (*frame)->payload, stop);
  static_cast<void>(connection.send('J', json::canonical(reply)));
}

Json Api::reply_to(local::Connection& connection,
                   const Caller& caller,
                   const std::string& text,
                   const std::stop_token& stop) {
  const auto refused = [](const Error& error) { return Json{{"error", view(error)}}; };
  const auto request = json::parse(text, {.max_bytes = 16U << 20U, .max_depth = 16});
  if (!request) return refused(request.error());
  if (!request->is_object() || json::number(*request, "v") != 1) {
    return refused({Errc::invalid, "this server speaks version 1 of the local socket", "",
                    "install the plumb of this server"});
  }
  Request under_way{json::object(*request, "params"), caller, connection, stop};
  const auto answered = call(under_way, json::text(*request, "method"));
  if (answered) return Json{{"result", *answered}};
  Json reply = refused(answered.error());
  if (under_way.not_found) reply["error"]["code"] = "not_found";
  return reply;
}

Api::Answer Api::call(Request& request, const std::string& name) {
  const auto method = methods_.find(name);
  if (method == methods_.end()) return fail(Errc::invalid, "no method '" + printable(name) + "'");
  if (method->second.writes && !may_write(request.caller.peer)) {
    return fail(Errc::denied, "you (" + request.caller.actor.id + ") may not " + name + " here", "",
                "add your uid to spec.access.writers of the server file, or ask who may");
  }
  return method->second.run(request);
}

}  // namespace plumb::server
