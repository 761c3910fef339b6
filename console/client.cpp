#include "console/client.h"

#include <nlohmann/json.hpp>

#include "console/exit_code.h"
#include "core/text.h"
#include "drivers/json/fields.h"
#include "drivers/json/json.h"
#include "drivers/local_socket/local_socket.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;

Error error_of(const Json& error) {
  const std::string code = json::text(error, "code");
  Error said{parse_errc(code), printable(json::text(error, "message"), 2000),
             printable(json::text(error, "where"), 500),
             printable(json::text(error, "hint"), 1000)};
  if (code == "not_found") said = not_found(said.message, said.hint);
  return said;
}

}  // namespace

Result<Json> Client::ask(const std::string& method,
                         const Json& params,
                         const OnEvent& on_event,
                         std::chrono::milliseconds patience) const {
  auto connected = local::Connection::connect(socket_, std::chrono::seconds(5));
  if (!connected) {
    return fail(Errc::unavailable,
                "no server at '" + printable(socket_) + "': " + connected.error().message, "",
                "is plumbd running? another socket:  --socket PATH  or  PLUMB_SOCKET");
  }
  auto connection = *std::move(connected);
  TRY(connection.send('J', Json{{"v", 1}, {"method", method}, {"params", params}}.dump(
                               -1, ' ', false, Json::error_handler_t::replace)));
  for (;;) {
    const auto frame = TRY_DOING("wait for plumbd", connection.receive(patience));
    if (!frame)
      return fail(Errc::unavailable, "plumbd ended before it answered", "",
                  "ask again; its log says why");
    if (frame->type != 'J') return fail(Errc::fault, "plumbd sent bytes where JSON belongs");
    const Json answer = TRY_DOING("read plumbd's answer", json::parse(frame->payload));
    if (answer.is_object() && answer.contains("result")) return answer["result"];
    if (answer.is_object() && answer.contains("error")) return Failure(error_of(answer["error"]));
    if (!answer.is_object() || !answer.contains("event"))
      return fail(Errc::fault, "plumbd answered something else");
    if (on_event) on_event(answer["event"]);
  }
}

}  // namespace plumb::console
