#include "console/command_line.h"

#include <algorithm>
#include <list>
#include <ostream>

#include <CLI/CLI.hpp>

#include "console/help.h"
#include "core/text.h"

namespace plumb::console {
namespace {

using Kind = Argument::Kind;

/// What CLI11 fills in for one verb.
struct Bound {
  const Verb* verb = nullptr;
  CLI::App* app = nullptr;
  std::map<std::string, std::string> texts;  // node addresses stay: CLI11 holds them
  std::map<std::string, bool> flags;

  [[nodiscard]] Typed typed() const {
    Typed typed;
    for (const auto& [name, text] : texts) {
      if (app->get_option(name)->count() > 0) typed.values[name] = text;
    }
    for (const auto& [name, flag] : flags) {
      if (flag) typed.values[name] = "yes";
    }
    return typed;
  }
};

struct Parser {
  CLI::App app{"plumb"};
  std::string output = "table";
  std::string socket;
  bool help = false;
  std::string topic, topic_second;
  CLI::App* help_verb = nullptr;
  std::list<Bound> bound;

  Parser() {
    app.set_help_flag("");
    app.fallthrough();
    app.allow_extras();
    app.require_subcommand(0, 1);
    app.add_option("-o,--output", output);
    app.add_option("--socket", socket);
    app.add_flag("-h,--help", help);
    for (const Verb& verb : verbs()) add(verb);
    help_verb = prepared(app.add_subcommand("help", ""));
    help_verb->add_option("TOPIC", topic);
    help_verb->add_option("SECOND", topic_second);
  }

  static CLI::App* prepared(CLI::App* sub) {
    sub->set_help_flag("");
    sub->fallthrough();
    sub->allow_extras();
    return sub;
  }

  void add(const Verb& verb) {
    CLI::App* parent = &app;
    std::string name = verb.name;
    if (const auto space = name.find(' '); space != std::string::npos) {
      const std::string noun = name.substr(0, space);
      name = name.substr(space + 1);
      const auto same =
          app.get_subcommands([&](const CLI::App* sub) { return sub->get_name() == noun; });
      parent = same.empty() ? nullptr : same.front();
      if (parent == nullptr) {
        parent = prepared(app.add_subcommand(noun, ""));
        parent->require_subcommand(0, 1);
        if (verb.of_noun) bind(verb, parent);
      }
    }
    bind(verb, prepared(parent->add_subcommand(name, "")));
  }

  void bind(const Verb& verb, CLI::App* sub) {
    Bound& one = bound.emplace_back();
    one.verb = &verb;
    one.app = sub;
    for (const Argument& argument : verb.arguments) {
      if (argument.kind == Kind::flag) {
        sub->add_flag(argument.name, one.flags[argument.name]);
      } else {
        sub->add_option(argument.name, one.texts[argument.name]);
      }
    }
  }

  /// The innermost subcommand that was typed; null: none.
  [[nodiscard]] const CLI::App* chosen() const {
    const CLI::App* at = &app;
    for (auto next = at->get_subcommands(); !next.empty(); next = at->get_subcommands())
      at = next.front();
    return at == &app ? nullptr : at;
  }

  [[nodiscard]] const Bound* bound_to(const CLI::App* sub) const {
    const auto found =
        std::find_if(bound.begin(), bound.end(), [&](const Bound& one) { return one.app == sub; });
    return found == bound.end() ? nullptr : &*found;
  }
};

Error wrong_use(const std::string& message, const std::string& hint) {
  return {Errc::invalid, message, "", hint};
}

std::string did_you_mean(const std::string& word,
                         const std::vector<std::string>& known,
                         const std::string& otherwise) {
  const auto near = nearest(word, known);
  return near ? "did you mean  " + *near + "  ?" : otherwise;
}

/// A word that nothing took.
Error unexpected(const std::string& word, const Bound* verb, const std::string& noun) {
  const std::string said = "\"" + printable(word, 80) + "\"";
  if (word.starts_with("-")) {
    std::vector<std::string> options{"--output", "--socket", "--help"};
    if (verb != nullptr) {
      for (const auto& argument : verb->verb->arguments) options.push_back(argument.name);
    }
    const std::string bare = word.substr(0, word.find('='));
    return wrong_use(
        "unknown option " + said,
        did_you_mean(bare, options, "plumb " + (verb ? verb->verb->name + " --help" : "help")));
  }
  if (verb != nullptr && noun.empty()) {
    return wrong_use("unexpected word " + said + " after  plumb " + verb->verb->name,
                     "plumb " + verb->verb->name + " --help");
  }
  std::vector<std::string> known;
  for (const Verb& each : verbs()) {
    if (noun.empty()) known.push_back(each.name.substr(0, each.name.find(' ')));
    if (!noun.empty() && each.name.starts_with(noun + " "))
      known.push_back(each.name.substr(noun.size() + 1));
  }
  const std::string what = noun.empty() ? "verb " + said : said + " of  plumb " + noun;
  return wrong_use("unknown " + what,
                   did_you_mean(word, known, noun.empty() ? "plumb help" : "plumb help " + noun));
}

int say(std::ostream& err, const Error& error) {
  err << error_text(error);
  return exit_code_of(error);
}

int run_help(const std::string& topic, const Surroundings& around) {
  if (topic.empty()) {
    around.out << help_text();
    return kYes;
  }
  const auto text = help_on(topic);
  if (!text)
    return say(around.err, wrong_use("no help on \"" + printable(topic, 80) + "\"",
                                     did_you_mean(topic, help_topics(), "plumb help")));
  around.out << *text;
  return kYes;
}

/// The first word of the verb that is missing, as an error.
std::optional<Error> missing_word(const Bound& bound, const Typed& typed) {
  for (const Argument& argument : bound.verb->arguments) {
    if (argument.kind == Kind::word && typed.text(argument.name).empty()) {
      return wrong_use(argument.name + " is missing", "plumb " + bound.verb->examples.front());
    }
  }
  return std::nullopt;
}

int run_verb(const Parser& parser, const Bound& bound, const Surroundings& around) {
  const Typed typed = bound.typed();
  if (const auto missing = missing_word(bound, typed)) return say(around.err, *missing);
  Console console{around.out,
                  around.err,
                  around.style,
                  parser.output == "json",
                  Client(parser.socket.empty() ? around.socket : parser.socket),
                  around.engines,
                  around.hook_program,
                  around.folder,
                  around.now,
                  around.notice_fd};
  const auto exit = bound.verb->run(typed, console);
  around.out.flush();
  return exit ? *exit : say(around.err, exit.error());
}

}  // namespace

int run(const std::vector<std::string>& words, const Surroundings& around) {
  Parser parser;
  parser.app.parse(
      std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes them from the back
  const CLI::App* chosen = parser.chosen();
  const Bound* bound = parser.bound_to(chosen);
  const bool is_noun =
      chosen != nullptr && !chosen->get_subcommands([](const CLI::App*) { return true; }).empty();
  if (chosen == parser.help_verb && chosen != nullptr) {
    return run_help(parser.topic + (parser.topic_second.empty() ? "" : " " + parser.topic_second),
                    around);
  }
  if (parser.help)
    return run_help(bound != nullptr    ? bound->verb->name
                    : chosen != nullptr ? chosen->get_name()
                                        : "",
                    around);
  const auto extras = parser.app.remaining(true);
  if (!extras.empty())
    return say(around.err, unexpected(extras.front(), bound, is_noun ? chosen->get_name() : ""));
  if (parser.output != "table" && parser.output != "json") {
    return say(around.err,
               wrong_use("\"" + printable(parser.output, 40) + "\" is no form of output",
                         "-o table  or  -o json"));
  }
  if (bound != nullptr) return run_verb(parser, *bound, around);
  if (is_noun)
    return say(around.err, wrong_use("plumb " + chosen->get_name() + "  needs one word more",
                                     "plumb help " + chosen->get_name()));
  around.err << help_text();
  return kWrongUse;
}

std::optional<Error> usage_error(const std::exception& thrown) {
  const auto* parsing = dynamic_cast<const CLI::ParseError*>(&thrown);
  if (parsing == nullptr) return std::nullopt;
  return wrong_use(printable(parsing->what(), 300), "plumb help");
}

}  // namespace plumb::console
