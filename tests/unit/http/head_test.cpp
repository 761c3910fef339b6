#include "drivers/http/head.h"

#include "tests/support/catch.h"
#include "tests/support/must.h"

using plumb::http::Head;
using plumb::http::parse_head;

namespace {

int status(const std::string& lines) {
  return parse_head(lines + "\r\n\r\n").refuse_with;
}

}  // namespace

TEST_CASE("a plain head is taken as it was sent", "[http]") {
  const Head head = parse_head(
      "POST /hooks/a%62?x=1 HTTP/1.1\r\nHost: h\r\nX-Sign:  %41b \r\nContent-Length: 12\r\n\r\n");
  CHECK(head.refuse_with == 0);
  CHECK(head.request.method == "POST");
  CHECK(head.request.path == "/hooks/a%62");
  CHECK(head.request.header("x-sign") == "%41b");  // httplib would decode it
  CHECK(head.content_length == 12U);
  CHECK(head.has_body());
}

TEST_CASE("a header that stands there twice has no value", "[http]") {
  const Head head = parse_head("GET / HTTP/1.1\r\nA: 1\r\na: 2\r\n\r\n");
  CHECK(head.request.count("a") == 2);
  CHECK(!head.request.header("a"));
  CHECK(!head.request.header("b"));
}

TEST_CASE("an ambiguous length is refused: that is how requests are smuggled", "[http]") {
  CHECK(status("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked") == 400);
  CHECK(status("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1") == 400);
  CHECK(status("POST / HTTP/1.1\r\nTransfer-Encoding: xchunked") == 400);
  CHECK(status("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked") == 400);
  CHECK(status("POST / HTTP/1.1\r\nTransfer-Encoding : chunked") == 400);
  CHECK(status("POST / HTTP/1.1\r\nContent-Length: -1") == 400);
  CHECK(status("POST / HTTP/1.1\r\nContent-Length: +1") == 400);
  CHECK(status("POST / HTTP/1.1\r\nContent-Length: 0x1") == 400);
  CHECK(status("POST / HTTP/1.1\r\nContent-Length:") == 400);
  CHECK(status("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999") == 413);
  CHECK(status("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked") == 0);
}

TEST_CASE("folded lines, control characters and bare line ends are refused", "[http]") {
  CHECK(status("GET / HTTP/1.1\r\nA: 1\r\n 2") == 400);
  CHECK(status("GET / HTTP/1.1\r\nA: 1\n2") == 400);
  CHECK(status("GET / HTTP/1.1\r\nA: 1\rB: 2") == 400);
  CHECK(status(std::string("GET / HTTP/1.1\r\nA: \0", 20)) == 400);
  CHECK(status("GET / HTTP/1.1\r\nA\x01: 1") == 400);
  CHECK(status("GET / HTTP/1.1\r\n: 1") == 400);
  CHECK(status("GET / HTTP/1.1\r\nno colon") == 400);
  CHECK(status("") == 400);
}

TEST_CASE("a request line is a method, a path and a version", "[http]") {
  CHECK(status("GET /") == 400);
  CHECK(status("GET / HTTP/2.0") == 400);
  CHECK(status("GET / HTTP/1.0") == 0);
  CHECK(status("GET http://elsewhere/ HTTP/1.1") == 400);
  CHECK(status("GET /a b HTTP/1.1") == 400);
  CHECK(status("G(T / HTTP/1.1") == 400);
  CHECK(status("GET /" + std::string(1100, 'a') + " HTTP/1.1") == 414);
}

TEST_CASE("more than 100 headers are too many", "[http]") {
  std::string lines = "GET / HTTP/1.1";
  for (int i = 0; i < 100; ++i) lines += "\r\nA" + std::to_string(i) + ": b";
  CHECK(status(lines) == 0);
  CHECK(status(lines + "\r\nmore: b") == 431);
}

TEST_CASE("a compressed body is refused before a byte of it is read", "[http]") {
  CHECK(status("POST / HTTP/1.1\r\nContent-Encoding: gzip") == 415);
  CHECK(status("POST / HTTP/1.1\r\nContent-Encoding: identity\r\nContent-Encoding: br") == 415);
  CHECK(status("POST / HTTP/1.1\r\nContent-Encoding: identity") == 0);
  CHECK(status("POST / HTTP/1.1\r\nExpect: more") == 417);
}

TEST_CASE("an address is a host and a port", "[http]") {
  using plumb::http::is_loopback;
  using plumb::http::parse_address;
  using plumb::test::must;
  CHECK(must(parse_address("[::1]:80")).host == "::1");
  CHECK(must(parse_address("0.0.0.0:8080")).port == 8080);
  for (const char* wrong : {"", ":80", "host", "host:", "host:x", "host:70000", "host:-1"}) {
    CHECK(plumb::test::must_fail(parse_address(wrong)).code == plumb::Errc::invalid);
  }
  for (const char* loopback : {"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"}) {
    CHECK(is_loopback(must(parse_address(loopback))));
  }
  for (const char* open : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.example.com:1"}) {
    CHECK(!is_loopback(must(parse_address(open))));
  }
}
