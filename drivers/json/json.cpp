#include "drivers/json/json.h"

#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/text.h"

namespace plumb::json {
namespace {

using Json = nlohmann::json;

/// Builds the value itself, because the library's own reader keeps the last of two equal keys.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const Limits& limits) : limits_(limits) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return stop("binary value"); }
  bool start_object(std::size_t /*elements*/) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t /*elements*/) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    Json& object = *open_.back();
    if (limits_.refuse_duplicate_keys && object.contains(name)) {
      return stop("key \"" + printable(name) + "\" twice in one object");
    }
    slot_ = &object[std::move(name)];
    return true;
  }

  // The library's text quotes what it read last, which may be a secret: only the position is kept.
  bool parse_error(std::size_t position,
                   const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    problem_ = "not JSON at byte " + std::to_string(position);
    return false;
  }

  [[nodiscard]] Json take_root() { return std::move(root_); }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  bool stop(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  Json* place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) return &open_.back()->emplace_back(std::move(value));
    *slot_ = std::move(value);
    return slot_;
  }

  template <class Value>
  bool put(Value&& value) {
    place(Json(std::forward<Value>(value)));
    return true;
  }

  // Pointers stay valid: only the innermost container grows, and it holds none of the open ones.
  bool open(Json empty) {
    if (open_.size() >= static_cast<std::size_t>(limits_.max_depth)) {
      return stop("nested deeper than " + std::to_string(limits_.max_depth) + " levels");
    }
    open_.push_back(place(std::move(empty)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const Limits& limits_;
  Json root_;
  std::vector<Json*> open_;
  Json* slot_ = nullptr;
  std::string problem_;
};

}  // namespace

Result<Json> parse(std::string_view text, const Limits& limits) {
  if (text.size() > limits.max_bytes) {
    return fail(Errc::invalid, "JSON of " + std::to_string(text.size()) + " bytes, more than " +
                                   std::to_string(limits.max_bytes));
  }
  Builder builder(limits);
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
    return fail(Errc::invalid, builder.problem());
  }
  return builder.take_root();
}

std::string canonical(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace plumb::json
