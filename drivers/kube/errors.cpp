#include "drivers/kube/errors.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "drivers/json/json.h"

namespace plumb::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxMessage = 1000;

json status_of(const Response& response) {
  plumb::json::Limits limits;
  limits.max_bytes = 1U << 20U;
  auto parsed = plumb::json::parse(response.body, limits);
  return parsed && parsed->is_object() ? *std::move(parsed) : json(json::object());
}

std::string text_at(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

bool contains(std::string_view text, std::string_view piece) {
  return text.find(piece) != std::string_view::npos;
}

Errc code_of(int status, std::string_view message) {
  switch (status) {
    case 401: return Errc::denied;
    case 403:
      // A namespace on its way out refuses new content with 403, but will be gone soon.
      return contains(message, "because it is being terminated") ? Errc::conflict : Errc::denied;
    case 409:
    case 410: return Errc::conflict;
    case 408:
    case 425:
    case 429: return Errc::unavailable;
    case 500: return is_schema_refusal(message) ? Errc::invalid : Errc::unavailable;
    default: break;
  }
  return status >= 400 && status < 500 ? Errc::invalid : Errc::unavailable;
}

std::string hint_of(int status) {
  if (status == 401) return "renew the token or client certificate of this cluster's kubeconfig";
  if (status == 403) return "the account of this cluster's kubeconfig needs the right (RBAC)";
  if (status >= 300 && status < 400) return "the address is not that of an API server";
  return {};
}

}  // namespace

bool is_schema_refusal(std::string_view message) {
  static constexpr std::array<std::string_view, 4> kPieces = {
      "failed to create typed patch object", "failed to convert new object",
      "failed to convert patch object", "failed to create typed new object"};
  if (std::any_of(kPieces.begin(), kPieces.end(),
                  [&](std::string_view piece) { return contains(message, piece); })) {
    return true;
  }
  return contains(message, ": expected ") && contains(message, ", got ");
}

std::string message_of(const Response& response) {
  const json status = status_of(response);
  std::string message = text_at(status, "message");
  if (message.empty()) message = response.body.substr(0, 200);
  std::replace(message.begin(), message.end(), '\n', ' ');
  while (!message.empty() && message.back() == ' ') message.pop_back();
  return printable(message, kMaxMessage);
}

bool is_unknown_kind(const Response& response) {
  if (response.status != 404) return false;
  const json status = status_of(response);
  const auto details = status.find("details");
  // "the server could not find the requested resource" and the bare "404 page not found" name
  // nothing.
  return details == status.end() || !details->is_object() || text_at(*details, "name").empty();
}

Result<> check(const Response& response) {
  if (response.status >= 200 && response.status < 300) return {};
  const std::string message = message_of(response);
  std::string text = message.empty() ? "no explanation" : message;
  const std::string number = std::to_string(response.status);
  if (response.status == 401)
    text = "the API server refuses our credential (401): " + text;
  else if (response.status < 400)
    text = "the API server answered with a redirect (" + number + ")";
  else if (response.status >= 500 || response.status == 429)
    text += " (" + number + ")";
  return fail(code_of(response.status, message), text, "", hint_of(response.status));
}

}  // namespace plumb::kube
