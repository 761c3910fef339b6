#include "drivers/http/exchange.h"

#include <algorithm>
#include <array>

#include <httplib.h>

#include "drivers/http/head.h"

namespace plumb::http {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kAnswerTime{10};
constexpr std::size_t kFreeBody = 64U << 10U;  // small deliveries pass when memory is short

/// What httplib reads from: our head, what came along with the sender's head, then the channel.
/// Never more than `most` bytes of body with its framing, so that nothing httplib collects can grow
/// past it.
class Wire final : public httplib::Stream {
 public:
  Wire(Channel& channel, std::string ready, std::size_t most)
      : channel_(channel), ready_(std::move(ready)), left_(most) {}

  [[nodiscard]] bool too_much() const { return left_ == 0; }
  [[nodiscard]] bool late() const { return channel_.state() == Channel::State::late; }

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }

  ssize_t read(char* into, size_t most) override {
    if (at_ == ready_.size()) {
      if (left_ == 0) return -1;
      ready_.resize(std::min(kPart, left_));
      const ssize_t got = channel_.read(ready_.data(), ready_.size());
      ready_.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
      at_ = 0;
      left_ -= ready_.size();
      if (got <= 0) return -1;  // a body that ends early is no body
    }
    const std::size_t size = std::min(most, ready_.size() - at_);
    std::copy_n(ready_.data() + at_, size, into);
    at_ += size;
    return static_cast<ssize_t>(size);
  }

  ssize_t write(const char* from, size_t size) override {
    if (!answering_) {
      answering_ = true;
      channel_.answer_until(steady_clock::now() + kAnswerTime);
    }
    return channel_.write(from, size);
  }
  /// A write before the body is read ("100 Continue") leaves the time for the body alone.
  void asks_for_body() { answering_ = true; }
  void answers() { answering_ = false; }

  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  // httplib answers 500 for a descriptor past FD_SETSIZE although it does not select on it here.
  ::socket_t socket() const override { return 0; }

 private:
  static constexpr std::size_t kPart = 16U << 10U;
  Channel& channel_;
  std::string ready_;
  std::size_t at_ = 0;
  std::size_t left_;
  bool answering_ = false;
};

/// The memory of one body, counted with that of all others.
class Body {
 public:
  Body(Load& load, const Options& options) : load_(load), options_(options) {}
  ~Body() { load_.body_bytes -= counted_; }
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;

  /// 0, or the status to refuse with.
  int add(const char* bytes, std::size_t size) {
    if (size > options_.max_body - text_.size()) return 413;
    const std::size_t sum = text_.size() + size;
    const std::size_t counted = sum > kFreeBody ? sum : 0;
    const std::size_t more = counted - counted_;
    counted_ = counted;
    if ((load_.body_bytes += more) > options_.max_bodies && more > 0) return 503;
    text_.append(bytes, size);
    return 0;
  }
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  Load& load_;
  const Options& options_;
  std::size_t counted_ = 0;
  std::string text_;
};

std::string_view reason(int status) {
  switch (status) {
    case 408: return "the request took too long";
    case 413: return "the body is too large";
    case 414: return "the path is too long";
    case 415: return "a compressed body is not taken";
    case 417: return "only Expect: 100-continue is taken";
    case 431: return "the headers are too many or too long";
    case 503: return "not now, try again";
    default: return "no well-formed HTTP request";
  }
}

Response refusal(int status) {
  Response made;
  made.status = status;
  made.body = "{\"error\":\"" + std::string(reason(status)) + "\"}\n";
  if (status == 503) made.headers.emplace_back("Retry-After", "5");
  return made;
}

/// The head httplib gets: always a POST to "/", with a length or in chunks.
std::string head_for_httplib(const Head& head, bool refused) {
  std::string made = "POST / HTTP/1.1\r\n";
  if (refused || !head.has_body()) return made + "Content-Length: 0\r\n\r\n";
  if (head.expects_continue) made += "Expect: 100-continue\r\n";
  if (head.chunked) return made + "Transfer-Encoding: chunked\r\n\r\n";
  return made + "Content-Length: " + std::to_string(*head.content_length) + "\r\n\r\n";
}

}  // namespace

struct Exchange::Parser : private httplib::Server {
 public:
  Parser(const http::Options& options, const Check& check, const Serve& serve, Load& load)
      : options_(options), check_(check), serve_(serve), load_(load) {
    set_payload_max_length(options.max_body);
    set_pre_routing_handler([this](const httplib::Request&, httplib::Response& answer) {
      if (!refusal_ && head_.has_body()) return HandlerResponse::Unhandled;
      fill(answer, refusal_ ? *refusal_ : serve_(head_.request, {}));
      return HandlerResponse::Handled;
    });
    Post("/", [this](const httplib::Request&, httplib::Response& answer,
                     const httplib::ContentReader& reader) { with_body(answer, reader); });
    set_exception_handler([this](const httplib::Request&, httplib::Response& answer,
                                 std::exception_ptr) { fill(answer, refusal(503)); });
  }

  void run(Channel& channel, ssl_ctx_st* context) {
    channel.set_deadline(channel.started() + std::min(options_.head_time, options_.total_time));
    if (!channel.secure(context)) return;
    std::string rest;
    if (!read_head(channel, rest)) return;
    if (!refusal_) refusal_ = judge();
    channel.set_deadline(channel.started() + options_.total_time);
    const std::size_t framed = 2 * options_.max_body + (64U << 10U);
    Wire wire(channel, head_for_httplib(head_, refusal_.has_value()) + rest, framed);
    if (!refusal_ && head_.expects_continue && head_.has_body()) wire.asks_for_body();
    wire_ = &wire;
    bool closed = false;
    process_request(wire, true, closed, {});
    wire_ = nullptr;
    channel.finish();
  }

 private:
  bool process_and_close_socket(::socket_t) override { return false; }  // never listens

  /// False: nobody is there to get an answer.
  bool read_head(Channel& channel, std::string& rest) {
    head_ = {};
    refusal_.reset();
    std::string bytes;
    std::array<char, 4096> part;
    while (true) {
      const std::size_t seen = bytes.size() < 3 ? 0 : bytes.size() - 3;
      const ssize_t got = channel.read(part.data(), part.size());
      if (got <= 0) {
        if (channel.state() != Channel::State::late || bytes.empty()) return false;
        refusal_ = refusal(408);
        return true;
      }
      bytes.append(part.data(), static_cast<std::size_t>(got));
      const auto end = bytes.find("\r\n\r\n", seen);
      if (end != bytes.npos && end + 4 <= options_.max_head) {
        head_ = parse_head(std::string_view(bytes).substr(0, end + 4));
        rest = bytes.substr(end + 4);
        return true;
      }
      if (bytes.size() > options_.max_head) {
        refusal_ = refusal(431);
        return true;
      }
    }
  }

  std::optional<Response> judge() {
    if (head_.refuse_with != 0) return refusal(head_.refuse_with);
    if (auto refused = check_(head_.request)) return refused;
    if (head_.content_length.value_or(0) > options_.max_body) return refusal(413);
    return std::nullopt;
  }

  void with_body(httplib::Response& answer, const httplib::ContentReader& reader) {
    Body body(load_, options_);
    int refused = 0;
    const bool whole = reader([&](const char* bytes, std::size_t size) {
      refused = body.add(bytes, size);
      return refused == 0;
    });
    if (refused == 0 && !whole) refused = wire_->late() ? 408 : wire_->too_much() ? 413 : 400;
    wire_->answers();
    fill(answer, refused != 0 ? refusal(refused) : serve_(head_.request, body.text()));
  }

  void fill(httplib::Response& answer, const Response& from) const {
    answer.status = from.status;
    if (head_.request.method != "HEAD") answer.set_content(from.body, from.content_type);
    for (const auto& [name, value] : from.headers) answer.set_header(name, value);
  }

  const http::Options& options_;  // qualified: httplib has a method of that name
  const Check& check_;
  const Serve& serve_;
  Load& load_;
  Head head_;
  std::optional<Response> refusal_;
  Wire* wire_ = nullptr;
};

Exchange::Exchange(const Options& options, const Check& check, const Serve& serve, Load& load)
    : parser_(std::make_unique<Parser>(options, check, serve, load)) {}
Exchange::~Exchange() = default;

void Exchange::run(Channel& channel, ssl_ctx_st* context) {
  parser_->run(channel, context);
}

}  // namespace plumb::http
