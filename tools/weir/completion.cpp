#include "tools/weir/completion.hpp"

#include "tools/weir/commands.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace weir {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* one) { return !one->get_name().empty(); });
}

// "--stats", "-o".
std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

std::vector<std::string> names_of(const std::vector<const CLI::App*>& apps) {
  std::vector<std::string> names;
  for (const CLI::App* one : apps) names.push_back(one->get_name());
  return names;
}

void print_bash(const CLI::App& app) {
  fmt::print(
      "# weir: completion for bash; source it, or put it into /usr/share/bash-completion/completions/weir\n"
      "_weir() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}} offered\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    COMPREPLY=($(compgen -W \"{}\" -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case $command in\n",
      fmt::join(names_of(commands_of(app)), " "));
  for (const CLI::App* one : commands_of(app)) {
    std::vector<std::string> offered = options_of(*one);
    for (const CLI::App* inner : commands_of(*one)) {
      offered.push_back(inner->get_name());
      for (const std::string& name : options_of(*inner))
        if (std::ranges::find(offered, name) == offered.end()) offered.push_back(name);
    }
    fmt::print("    {}) offered=\"{}\" ;;\n", one->get_name(), fmt::join(offered, " "));
  }
  fmt::print(
      "    *) offered= ;;\n"
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$offered\" -- \"$word\"))\n"
      "  [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$word\"))\n"
      "}}\n"
      "complete -o filenames -F _weir weir\n");
}

// In single quotes.
std::string quoted(const std::string& text) {
  std::string made = "'";
  for (const char letter : text) made += letter == '\'' ? std::string("\\'") : std::string(1, letter);
  return made + "'";
}

void print_fish(const CLI::App& app) {
  fmt::print("# weir: completion for fish; put it into ~/.config/fish/completions/weir.fish\n");
  for (const CLI::App* one : commands_of(app)) {
    const std::string name = one->get_name();
    fmt::print("complete -c weir -n __fish_use_subcommand -f -a {} -d {}\n", name, quoted(one->get_description()));
    for (const CLI::App* inner : commands_of(*one))
      fmt::print("complete -c weir -n '__fish_seen_subcommand_from {}' -f -a {} -d {}\n", name, inner->get_name(),
                 quoted(inner->get_description()));
    for (const CLI::Option* option : one->get_options())
      for (const std::string& word : option->get_lnames())
        fmt::print("complete -c weir -n '__fish_seen_subcommand_from {}' -l {}{} -d {}\n", name, word,
                   option->get_type_size() == 0 ? "" : " -r", quoted(option->get_description()));
  }
}

}  // namespace

void add_completion(CLI::App& app, int& exit_code) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print what a shell completes behind `weir`");
  command->add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([shell, &app, &exit_code] {
    if (*shell == "zsh") fmt::print("autoload -U +X bashcompinit && bashcompinit\n");
    *shell == "fish" ? print_fish(app) : print_bash(app);
    exit_code = exit_yes;
  });
}

}  // namespace weir
