#include "hooks/ask.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "core/oid.h"
#include "core/text.h"
#include "drivers/json/fields.h"
#include "drivers/json/json.h"
#include "drivers/process/process.h"

namespace plumb::hooks {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

constexpr std::size_t kPackFrame = 1U << 20U;

std::string request_text(const std::string& method, const Json& params) {
  return json::canonical({{"v", 1}, {"method", method}, {"params", params}});
}

Failure nonsense() {
  return fail(Errc::unavailable, "what answered on plumbd's socket is not plumbd");
}

/// The push's objects lie in the quarantine, which Git names in our environment. Everything else of
/// the environment, and every configuration but the repository's, stays away from the child.
std::vector<std::string> pack_environment() {
  std::vector<std::string> environment{"PATH=/usr/local/bin:/usr/bin:/bin",
                                       "HOME=/nonexistent",
                                       "LC_ALL=C",
                                       "GIT_CONFIG_NOSYSTEM=1",
                                       "GIT_CONFIG_GLOBAL=/dev/null",
                                       "GIT_NO_LAZY_FETCH=1",
                                       "GIT_NO_REPLACE_OBJECTS=1",
                                       "GIT_TERMINAL_PROMPT=0"};
  for (const char* name : {"GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
                           "GIT_QUARANTINE_PATH"}) {
    if (const char* value = std::getenv(name))
      environment.push_back(std::string(name) + "=" + value);
  }
  return environment;
}

/// GIT_DIR is relative to where Git started us.
std::string repository_folder() {
  std::error_code none;
  return std::filesystem::current_path(none);
}

}  // namespace

Json refs_json(const std::vector<RefUpdate>& refs) {
  Json list = Json::array();
  for (const RefUpdate& update : refs)
    list.push_back({{"ref", update.ref}, {"old", update.old_oid}, {"new", update.new_oid}});
  return list;
}

Json actor_json(const Actor& actor) {
  return {{"id", actor.id}, {"name", actor.name}, {"assurance", to_string(actor.assurance)}};
}

Result<Question> Question::ask(const std::string& socket,
                               const std::string& method,
                               const Json& params,
                               std::chrono::milliseconds timeout) {
  Question question(TRY(local::Connection::connect(socket, timeout)));
  TRY(question.connection_.send('J', request_text(method, params)));
  return question;
}

Result<std::optional<Question::Answer>> Question::next(std::chrono::milliseconds timeout) {
  if (!connection_.wait_readable(timeout)) return std::optional<Answer>();
  // A frame that has begun comes at once.
  auto frame = connection_.receive(std::max<std::chrono::milliseconds>(timeout, 5s));
  if (!frame) return fail(Errc::unavailable, "plumbd: " + frame.error().message);
  if (!*frame) return fail(Errc::unavailable, "plumbd went away before it answered");
  if ((*frame)->type != 'J') return nonsense();
  const auto value = json::parse((*frame)->payload, {.max_bytes = 16U << 20U, .max_depth = 32});
  if (!value || !value->is_object()) return nonsense();
  if (value->contains("error")) {
    const Json& error = json::object(*value, "error");
    return fail(parse_errc(json::text(error, "code")), json::text(error, "message"),
                json::text(error, "where"), json::text(error, "hint"));
  }
  const bool final = value->contains("result");
  const Json& said = json::object(*value, final ? "result" : "event");
  return std::optional<Answer>(Answer{final, json::canonical(said)});
}

Result<> Question::send_pack(const std::vector<RefUpdate>& refs,
                             std::chrono::milliseconds timeout) {
  process::RunOptions options;
  options.environment = pack_environment();
  options.folder = repository_folder();
  options.deadline = timeout;
  const auto git = TRY(process::find_program("git"));
  // pack-objects takes no --all on its input: what the repository has is said ref by ref.
  const auto had = TRY(process::run({git, "for-each-ref", "--format=^%(objectname)"}, options));
  std::string revisions = had.out;
  for (const RefUpdate& update : refs) {
    if (!is_zero_oid(update.new_oid)) revisions += update.new_oid + "\n";
  }
  options.input = revisions;
  options.on_output = [this](std::string_view bytes) -> Result<> {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kPackFrame))) {
      TRY(connection_.send('B', bytes.substr(0, kPackFrame)));
    }
    return {};
  };
  const auto packed =
      TRY_DOING("send the push's objects",
                process::run({git, "pack-objects", "--revs", "--thin", "--stdout", "-q"}, options));
  if (!had.exit.ok() || !packed.exit.ok()) {
    return fail(Errc::invalid, "the push's objects cannot be read: " + printable(packed.err, 200),
                "", "is an object missing from the push?  git fsck  in your repository says it");
  }
  return connection_.send('B', "");
}

void poke(const std::string& socket, const std::string& repository) {
  // The request fits into the socket's buffer; plumbd reads it although we have gone by then.
  static_cast<void>(Question::ask(socket, "poke", {{"repository_path", repository}}, 200ms));
}

}  // namespace plumb::hooks
