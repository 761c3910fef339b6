#pragma once
/// The server's certificate and key, loaded once. A Context may be shared by all threads.
#include <memory>
#include <string>

#include "core/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace plumb::http {

struct FreeContext {
  void operator()(ssl_ctx_st* raw) const noexcept;
};
using Context = std::unique_ptr<ssl_ctx_st, FreeContext>;

struct FreeSession {
  void operator()(ssl_st* raw) const noexcept;
};
using Session = std::unique_ptr<ssl_st, FreeSession>;

/// TLS 1.2 or newer. invalid: a file cannot be read, or they do not belong together.
[[nodiscard]] Result<Context> load_context(const std::string& certificate, const std::string& key);

}  // namespace plumb::http
