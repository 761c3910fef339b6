#pragma once
/// One HTTP exchange on a curl easy handle. Private to drivers/kube; belongs to the client's thread
/// from the moment it is submitted.
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <curl/curl.h>

#include "core/result.h"
#include "drivers/kube/client.h"
#include "drivers/kube/credentials.h"

namespace plumb::kube {

struct FreeEasy {
  void operator()(CURL* raw) const noexcept { curl_easy_cleanup(raw); }
};
struct FreeList {
  void operator()(curl_slist* raw) const noexcept { curl_slist_free_all(raw); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

class Transfer {
 public:
  using Done = std::function<void(Result<Response>)>;
  using LineSink = std::function<void(std::string_view)>;

  Transfer(std::uint64_t id, Request request, std::shared_ptr<const Identity> identity, Done done)
      : id_(id),
        request_(std::move(request)),
        identity_(std::move(identity)),
        done_(std::move(done)) {}

  void stream_to(LineSink sink) { sink_ = std::move(sink); }
  [[nodiscard]] bool is_stream() const { return static_cast<bool>(sink_); }
  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] std::chrono::steady_clock::time_point deadline() const { return deadline_; }
  [[nodiscard]] std::chrono::steady_clock::time_point started() const { return started_; }
  [[nodiscard]] const Response& response() const { return response_; }

  /// Puts everything into `easy`, which the transfer then owns.
  Result<> prepare(Easy easy, const Access& access);
  [[nodiscard]] CURL* raw() const { return easy_.get(); }
  Easy release() { return std::move(easy_); }

  /// What curl's end code and the answer amount to. Calls done; never call it twice.
  void finish(CURLcode code, const Access& access);
  void finish(Result<Response> result) { done_(std::move(result)); }

 private:
  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
  void header(std::string_view line);
  bool body(std::string_view bytes);
  Result<> set_headers();
  void set_tls(const Access& access);

  std::uint64_t id_;
  Request request_;
  std::shared_ptr<const Identity> identity_;
  Done done_;
  LineSink sink_;
  Easy easy_;
  HeaderList headers_;
  HeaderList connect_to_;
  Response response_;
  std::string line_;  // of a stream, until its newline comes
  bool too_large_ = false;
  char curl_error_[CURL_ERROR_SIZE] = {};
  std::chrono::steady_clock::time_point started_{};
  std::chrono::steady_clock::time_point deadline_ =
      std::chrono::steady_clock::now() + request_.timeout;
};

/// A curl error in the words of an operator.
[[nodiscard]] Error transport_error(CURLcode code, const char* detail, const Access& access);

}  // namespace plumb::kube
