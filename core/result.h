#pragma once
/// How a step says that it failed: the only error type and the only macro of the project.
///
///   Errors are values. An `Error` is named by what the worker must do next (`Errc`), because that
///   is the one fact a caller acts on. Messages are lowercase, quote values, put the cause last and
///   never hold a secret. docs/decisions/0001 says why not exceptions.
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace plumb {

enum class Errc {
  invalid,      ///< the pushed content is wrong: reject, tell the author
  denied,       ///< signature, right or policy said no: reject, tell the author
  conflict,     ///< the world changed under us: plan again
  unavailable,  ///< network, lock, rate limit: retry with back-off
  fault,        ///< our bug or a broken disk: stop this job, call the operator
};

[[nodiscard]] std::string_view to_string(Errc code) noexcept;

/// Inverse of to_string; an unknown word is `fault`.
[[nodiscard]] Errc parse_errc(std::string_view word) noexcept;

struct Error {
  Errc code = Errc::fault;
  std::string message;  ///< "render 'web/prod': read 'a.yaml': no such file"
  std::string where{};  ///< "file.yaml:7:3", or empty
  std::string hint{};   ///< what to type next, or empty

  /// The same error with "doing: " before its message.
  [[nodiscard]] Error during(std::string_view doing) &&;
};

using Failure = tl::unexpected<Error>;

/// A value, or the reason there is none. To drop one is a compile error (-Werror=unused-result).
template <class T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {
  using tl::expected<T, Error>::expected;
};

[[nodiscard]] inline Failure fail(Errc code,
                                  std::string message,
                                  std::string where = {},
                                  std::string hint = {}) {
  return Failure(Error{code, std::move(message), std::move(where), std::move(hint)});
}

template <class T>
T take(Result<T>&& result) {
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

}  // namespace plumb

/// Unwraps a Result, or returns its Error from this function. GNU and Clang only; do not nest.
#define TRY(...)                                                   \
  __extension__({                                                  \
    auto tried = (__VA_ARGS__);                                    \
    if (!tried) return ::plumb::Failure(std::move(tried).error()); \
    ::plumb::take(std::move(tried));                               \
  })

/// As TRY, and says what was being done: TRY_DOING("read 'a.yaml'", read(path)).
#define TRY_DOING(doing, ...)                                                    \
  __extension__({                                                                \
    auto tried = (__VA_ARGS__);                                                  \
    if (!tried) return ::plumb::Failure(std::move(tried).error().during(doing)); \
    ::plumb::take(std::move(tried));                                             \
  })
