// Diagnostics as text: for people in the manner of rustc, as JSON, and as SARIF 2.1.0. It writes strings, never files.
#pragma once
#include "control/model/diagnostic.hpp"
#include "control/source/sources.hpp"

#include <string>
#include <string_view>

namespace weir::control {

// One diagnostic, with its source lines. With `colour`, ANSI colours.
std::string human(const Diagnostic& diagnostic, const Sources& sources, bool colour);
// All of them and a last line that counts.
std::string human(const Diagnostics& diagnostics, const Sources& sources, bool colour);
// {"diagnostics":[{"code","level","sentence","place":{...},"labels":[...],"notes":[...],"help":[...]}],"errors":n,...}
std::string json(const Diagnostics& diagnostics, const Sources& sources);
std::string sarif(const Diagnostics& diagnostics, const Sources& sources, std::string_view version);

// Text that cannot steer a terminal: control characters and bytes that are not UTF-8 are replaced.
std::string harmless(std::string_view text);

// The key table as a draft-07 JSON Schema, and as the reference section of docs/rules.md.
std::string json_schema();
std::string reference();

}  // namespace weir::control
