// `weir completion SHELL`: what a shell may offer behind `weir`, made from the commands themselves, so that it is never
// out of date. It runs nothing and asks nobody.
#pragma once

namespace CLI {
class App;
}

namespace weir {

void add_completion(CLI::App& app, int& exit_code);

}  // namespace weir
