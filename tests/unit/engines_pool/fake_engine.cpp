/// Speaks the engine pipe and then does what the name of the folder says.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

void send(const std::string& body) {
  const auto size = static_cast<std::uint32_t>(body.size());
  for (const int shift : {24, 16, 8, 0}) std::putchar(static_cast<int>(size >> shift & 255U));
  std::fwrite(body.data(), 1, body.size(), stdout);
  std::fflush(stdout);
}

std::string receive() {
  std::uint32_t size = 0;
  for (int i = 0; i < 4; ++i) {
    const int byte = std::getchar();
    if (byte == EOF) std::exit(0);
    size = size << 8U | static_cast<std::uint32_t>(byte);
  }
  std::string body(size, '\0');
  if (std::fread(body.data(), 1, size, stdin) != size) std::exit(0);
  return body;
}

void done(const std::string& text, const char* more = "") {
  send(R"({"op":"done","objects":[{"json":")" + text +
       R"(","origin_path":"p","origin_kind":"K","origin_name":"n"}])" + more + "}");
}

std::string attempt(bool good) {
  return good ? "yes" : ::strerrorname_np(errno);
}

std::string what_is_open_to_us() {
  return "socket " + attempt(::socket(AF_INET, SOCK_STREAM, 0) >= 0) + ", file " +
         attempt(::open("/etc/passwd", O_RDONLY) >= 0) + ", write " +
         attempt(::open("/tmp/plumb-fake-engine", O_WRONLY | O_CREAT, 0600) >= 0) + ", process " +
         attempt(::fork() >= 0) + ", home " + (std::getenv("HOME") == nullptr ? "none" : "some");
}

void render(const std::string& folder) {
  if (folder == "crash") std::abort();
  if (folder == "hang") {
    for (;;) ::pause();
  }
  if (folder == "bomb") {
    std::vector<std::string> kept;
    for (;;) kept.emplace_back(std::size_t{1} << 20U, 'x');
  }
  if (folder == "garbage") return send("no JSON");
  if (folder == "flood") {
    for (int i = 0; i < 4; ++i) std::putchar(255);
    std::fflush(stdout);
    return;
  }
  if (folder == "empty") return send("{}");
  if (folder == "ask") {
    send(R"({"op":"read","path":"a.yaml"})");
    const std::string answer = receive();
    return done(answer.find("aGVsbG8=") != std::string::npos ? "hello" : "something else");
  }
  if (folder == "open") return done(what_is_open_to_us());
  if (folder == "failed") return send(R"({"op":"failed","message":"your fault"})");
  done(std::to_string(::getpid()), folder == "recycle" ? R"(,"recycle":true)" : "");
}

}  // namespace

int main() {
  for (;;) {
    const std::string request = receive();
    if (request.find("\"hello\"") != std::string::npos) {
      send(R"({"op":"hello","v":1,"kustomize":"v0"})");
      continue;
    }
    const std::string key = R"("folder":")";
    const auto at = request.find(key) + key.size();
    render(request.substr(at, request.find('"', at) - at));
  }
}
