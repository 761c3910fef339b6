#include <set>

#include "console/help.h"
#include "drivers/process/process.h"
#include "tests/unit/console/typed.h"

namespace plumb::test {
namespace {

using Catch::Contains;

process::Output plumb(std::vector<std::string> words, std::vector<std::string> environment = {}) {
  words.insert(words.begin(), PLUMB_PROGRAM);
  process::RunOptions options;
  options.environment = std::move(environment);
  return must(process::run(std::move(words), options));
}

TEST_CASE("every verb has help with three examples that begin with its name", "[console]") {
  for (const console::Verb& verb : console::verbs()) {
    INFO(verb.name);
    const std::string noun = verb.name.substr(0, verb.name.find(' '));
    for (const auto& example : verb.examples) {
      CHECK((example.starts_with(verb.name) || (verb.of_noun && example.starts_with(noun))));
    }
    const Said said = type({"help", verb.name});
    CHECK(said.exit == 0);
    CHECK_THAT(said.out, Contains("usage: plumb " + verb.name) && Contains("Examples:"));
  }
}

TEST_CASE("the examples of help are taken by the parser", "[console]") {
  for (const console::Verb& verb : console::verbs()) {
    std::vector<std::string> words;
    std::istringstream first(verb.examples.front());
    for (std::string word; first >> word;) words.push_back(word);
    words.insert(words.end(), {"--help"});
    INFO(verb.examples.front());
    CHECK(type(words).exit == 0);
  }
}

TEST_CASE("a mistyped verb, option or topic gets the nearest one as a hint", "[console]") {
  CHECK_THAT(type({"statsu"}).err, Contains("error[invalid]: unknown verb \"statsu\"") &&
                                       Contains("did you mean  status"));
  CHECK_THAT(type({"sync", "web", "--reaply"}).err,
             Contains("unknown option \"--reaply\"") && Contains("did you mean  --reapply"));
  CHECK_THAT(type({"audit", "verfy"}).err,
             Contains("unknown \"verfy\" of  plumb audit") && Contains("did you mean  verify"));
  CHECK_THAT(type({"help", "exit-code"}).err, Contains("did you mean  exit-codes"));
  CHECK_THAT(type({"jobs", "--state", "quued"}).err, Contains("did you mean  queued"));
}

TEST_CASE("wrong use is exit code 2 and names what is missing", "[console]") {
  const Said nothing = type({});
  CHECK(nothing.exit == 2);
  CHECK_THAT(nothing.err, Contains("usage: plumb VERB"));
  const Said no_app = type({"why"});
  CHECK(no_app.exit == 2);
  CHECK_THAT(no_app.err, Contains("APP is missing") && Contains("hint: plumb why web/prod"));
  CHECK(type({"hooks"}).exit == 2);
  CHECK(type({"status", "-o", "yaml"}).exit == 2);
  CHECK(type({"status", "web", "extra"}).exit == 2);
  CHECK(type({"history", "web", "--limit", "0"}).exit == 2);
  CHECK(type({"wait", "web", "--timeout", "soon"}).exit == 2);
  CHECK(type({"audit", "verify", "--head", "12:abc"}).exit == 2);
}

TEST_CASE("the program says wrong use of an option without a value, too", "[console]") {
  const auto output = plumb({"history", "web", "--limit"});
  CHECK(output.exit.code == 2);
  CHECK_THAT(output.err, Contains("error[invalid]") && Contains("--limit"));
}

TEST_CASE("a server that is not there is exit code 5, and the socket is named", "[console]") {
  const Said said = type({"status"}, "/nowhere/plumbd.sock");
  CHECK(said.exit == 5);
  CHECK_THAT(said.err, Contains("no server at '/nowhere/plumbd.sock'") && Contains("PLUMB_SOCKET"));
  const auto by_variable = plumb({"status"}, {"PLUMB_SOCKET=/elsewhere/s"});
  CHECK(by_variable.exit.code == 5);
  CHECK_THAT(by_variable.err, Contains("/elsewhere/s"));
  const auto by_option = plumb({"status", "--socket", "/third/s"}, {"PLUMB_SOCKET=/elsewhere/s"});
  CHECK_THAT(by_option.err, Contains("/third/s"));
}

TEST_CASE("control characters of a typed word do not reach the terminal", "[console]") {
  const Said said = type({"st\x1b[2Jatus"});
  CHECK(said.err.find('\x1b') == std::string::npos);
}

TEST_CASE("help names every exit code of the table", "[console]") {
  const Said said = type({"help", "exit-codes"});
  CHECK(said.exit == 0);
  for (const char* code : {"0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "7 ", "70 ", "130 "}) {
    CHECK_THAT(said.out, Contains("  " + std::string(code)));
  }
}

TEST_CASE("help fits a terminal and is ASCII", "[console]") {
  for (const auto& topic : console::help_topics()) {
    const auto text =
        topic == "help" ? std::optional(console::help_text()) : console::help_on(topic);
    REQUIRE(text);
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      CHECK(line.size() <= 120);
      CHECK(std::all_of(line.begin(), line.end(), [](char c) { return c >= 0x20 && c < 0x7F; }));
    }
  }
}

}  // namespace
}  // namespace plumb::test
