#pragma once
/// The JSON text in a delivery's body. Pure.
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "drivers/http/http.h"

namespace plumb::receiver {

enum class Media { json, form, other };
/// Of the content type, parameters aside.
[[nodiscard]] Media media_of(const http::Request& request);

/// The field `payload` of a form. invalid: it is missing or stands there twice.
[[nodiscard]] Result<std::string> form_payload(std::string_view body);

}  // namespace plumb::receiver
