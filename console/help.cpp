#include "console/help.h"

#include <algorithm>

namespace plumb::console {
namespace {

constexpr std::size_t kColumn = 28;

std::string line(const std::string& left, const std::string& right) {
  const std::size_t space = left.size() + 2 < kColumn ? kColumn - left.size() : 2;
  return "  " + left + std::string(space, ' ') + right + "\n";
}

std::string exit_codes() {
  return "Exit codes, the same in every verb:\n\n"
         "  0    done, or the answer is yes\n"
         "  1    the answer is no: differs, failed, does not verify\n"
         "  2    wrong use, or bad input\n"
         "  3    not found: no such application, commit, repository\n"
         "  4    you are not allowed to\n"
         "  5    not reached; a retry may help\n"
         "  6    time is over\n"
         "  7    overtaken by a newer commit, or the plan has changed\n"
         "  70   a fault of plumb or plumbd itself\n"
         "  130  interrupted; what runs on the server goes on\n";
}

std::string environment() {
  return "Environment:\n\n"
         "  PLUMB_SOCKET    socket of plumbd (default /run/plumbline/plumbd.sock); --socket goes "
         "first\n"
         "  PLUMB_ENGINES   plumb-engines for render and affected (default: beside plumb)\n"
         "  NO_COLOR        set: no colours; there are none anyway when output is piped\n";
}

std::string option_text(const Argument& argument) {
  return argument.name + (argument.value.empty() ? "" : " " + argument.value);
}

std::string usage(const Verb& verb) {
  std::string text = "plumb " + verb.name;
  for (const Argument& argument : verb.arguments) {
    if (argument.kind == Argument::Kind::word) text += " " + argument.name;
    if (argument.kind == Argument::Kind::maybe_word) text += " [" + argument.name + "]";
  }
  return text + " [OPTIONS]";
}

}  // namespace

std::string help_text() {
  std::string text =
      "plumb: asks and steers plumbd, which holds clusters true to Git.\n\nusage: plumb VERB [APP] "
      "[OPTIONS]\n";
  std::vector<std::string> groups;
  for (const Verb& verb : verbs()) {
    if (std::find(groups.begin(), groups.end(), verb.group) == groups.end())
      groups.push_back(verb.group);
  }
  for (const std::string& group : groups) {
    text += "\n" + group + "\n";
    for (const Verb& verb : verbs()) {
      if (verb.group == group) text += line(verb.name, verb.summary);
    }
  }
  text += "\nEverywhere\n" +
          line("-o, --output table|json", "people and pipes, or one JSON document") +
          line("--socket PATH", "which plumbd") + line("-h, --help", "help; also  plumb help VERB");
  return text +
         "\nExamples:\n  plumb status\n  plumb why web/prod\n  plumb diff web/prod\n\n"
         "More: plumb help exit-codes, plumb help environment\n";
}

std::string help_text(const Verb& verb) {
  std::string text =
      "plumb " + verb.name + ": " + verb.summary + "\n\nusage: " + usage(verb) + "\n\n";
  for (const Argument& argument : verb.arguments) {
    if (!argument.help.empty()) text += line(option_text(argument), argument.help);
  }
  text += line("-o, --output table|json", "people and pipes, or one JSON document") +
          line("--socket PATH", "which plumbd");
  text += "\nExamples:\n";
  for (const std::string& example : verb.examples) text += "  plumb " + example + "\n";
  return text;
}

std::optional<std::string> help_on(const std::string& topic) {
  if (topic == "exit-codes") return exit_codes();
  if (topic == "environment") return environment();
  std::string text;
  for (const Verb& verb : verbs()) {
    if (verb.name == topic || verb.name.starts_with(topic + " "))
      text += (text.empty() ? "" : "\n") + help_text(verb);
  }
  if (text.empty()) return std::nullopt;
  return text;
}

std::vector<std::string> help_topics() {
  std::vector<std::string> topics;
  for (const Verb& verb : verbs()) {
    topics.push_back(verb.name.substr(0, verb.name.find(' ')));
    if (topics.back() != verb.name) topics.push_back(verb.name);
  }
  topics.insert(topics.end(), {"help", "exit-codes", "environment"});
  return topics;
}

}  // namespace plumb::console
