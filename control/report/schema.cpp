// The key table as JSON Schema (draft-07, without oneOf, which editors report badly) and as reference pages.
#include "control/check/keys.hpp"
#include "control/report/report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace weir::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view name_pattern = "^[a-z][a-z0-9-]{0,62}$";

Json list_of(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }

Json one_or_many() { return {{"type", Json::array({"string", "array"})}, {"items", {{"type", "string"}}}}; }

Json table_schema(const TableRow& row);

Json value_schema(const KeyRow& key) {
  switch (key.type) {
    case KeyType::boolean: return {{"type", "boolean"}};
    case KeyType::integer: return {{"type", "integer"}, {"minimum", 0}};
    case KeyType::number: return {{"type", "number"}, {"minimum", 0}};
    case KeyType::integers: return list_of({{"type", "integer"}});
    case KeyType::date: return {{"type", "string"}, {"format", "date"}};
    case KeyType::names:
    case KeyType::address:
    case KeyType::macs: return one_or_many();
    case KeyType::texts: return list_of({{"type", "string"}});
    case KeyType::ports:
      return list_of({{"type", Json::array({"integer", "string"})}, {"pattern", "^[0-9]+(-[0-9]+)?$"}});
    case KeyType::icmp: return list_of({{"type", Json::array({"integer", "string"})}});
    case KeyType::protocols:
      return {{"type", Json::array({"string", "array"})},
              {"items", {{"type", Json::array({"integer", "string"})}}}};
    case KeyType::size: return {{"type", "string"}, {"pattern", "^[0-9.]+ ?([kMGTP]|[KMGT]i)?B$"}};
    case KeyType::rate: return {{"type", "string"}, {"pattern", "^[0-9.]+ ?([kMGT]?bit|[kMG]?B)/s$"}};
    case KeyType::frequency: return {{"type", "string"}, {"pattern", "^[0-9.]+ ?/(s|min|h|d)$"}};
    case KeyType::duration:
    case KeyType::at_least: return {{"type", "string"}, {"pattern", "^[0-9.]+ ?(ms|s|min|h|d)$"}};
    case KeyType::percent: return {{"type", "string"}, {"pattern", "^[0-9.]+ ?%$"}};
    case KeyType::map: return {{"type", "object"}};
    case KeyType::table: return table_schema(*find_table(fmt::format("{}.{}", key.table, key.key)));
    case KeyType::tables: return list_of(table_schema(*find_table(fmt::format("{}.{}", key.table, key.key))));
    default: return {{"type", "string"}};
  }
}

Json key_schema(const KeyRow& key) {
  Json made = value_schema(key);
  if (key.type == KeyType::choice) {
    Json choices = Json::array();
    for (std::size_t begin = 0; begin <= key.choices.size();) {
      const std::size_t end = std::min(key.choices.find('|', begin), key.choices.size());
      choices.push_back(key.choices.substr(begin, end - begin));
      begin = end + 1;
    }
    made["enum"] = choices;
  }
  made["description"] =
      key.enforced ? std::string(key.doc) : fmt::format("{} Not yet enforced: refused (E0110).", key.doc);
  return made;
}

Json table_schema(const TableRow& row) {
  Json properties = Json::object(), required = Json::array();
  for (const KeyRow& key : key_rows()) {
    if (key.table != row.name) continue;
    properties[std::string(key.key)] = key_schema(key);
    if (key.required) required.push_back(key.key);
  }
  Json made = {{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
  if (!required.empty()) made["required"] = required;
  return made;
}

std::string heading(const TableRow& row) {
  if (row.shape == Shape::array) return fmt::format("[[{}]]", row.name);
  if (row.shape == Shape::inner) return std::string(row.name);
  return row.shape == Shape::named ? fmt::format("[{}.NAME]", row.name) : fmt::format("[{}]", row.name);
}

void reference_rows(std::string_view table, bool table_enforced, std::string& out) {
  out += "| key | takes | | meaning |\n|---|---|---|---|\n";
  for (const KeyRow& key : key_rows()) {
    if (key.table != table) continue;
    std::string takes(row(key.type).shown);
    if (key.type == KeyType::choice) {
      takes.clear();
      for (const char c : key.choices) takes += c == '|' ? "`, `" : std::string(1, c);
      takes = fmt::format("`{}`", takes);
    }
    std::string state = key.required ? "required" : "";
    if (table_enforced && !key.enforced) state = "refused (E0110)";
    if (table_enforced && !key.deferred.empty()) state = fmt::format("`{}` refused (E0110)", key.deferred);
    out += fmt::format("| `{}` | {} | {} | {} |\n", key.key, takes, state, key.doc);
  }
}

}  // namespace

std::string json_schema() {
  Json properties = Json::object();
  for (const KeyRow& key : key_rows())
    if (key.table.empty()) properties[std::string(key.key)] = key_schema(key);
  for (const TableRow& row : table_rows()) {
    if (row.shape == Shape::inner) continue;
    Json inner = table_schema(row);
    if (row.shape == Shape::array) inner = list_of(inner);
    if (row.shape == Shape::named) inner = {{"type", "object"}, {"additionalProperties", inner}};
    if (row.shape == Shape::named && row.name != "port") inner["propertyNames"] = {{"pattern", name_pattern}};
    inner["description"] =
        row.enforced ? std::string(row.doc) : fmt::format("{} Not yet enforced: refused (E0110).", row.doc);
    properties[std::string(row.name)] = inner;
  }
  const Json whole = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                      {"title", "Weir policy"},
                      {"description", "Generated by `weir schema`; do not edit."},
                      {"type", "object"},
                      {"properties", properties},
                      {"additionalProperties", false}};
  return whole.dump(2) + "\n";
}

std::string reference() {
  std::string out = "### Top of a file\n\n";
  reference_rows("", true, out);
  for (const TableRow& table : table_rows()) {
    out += fmt::format("\n### `{}`\n\n{}", heading(table), table.doc);
    if (table.root_only) out += " Root file only.";
    if (!table.enforced) out += " Not yet enforced: a policy that declares it is refused (E0110).";
    out += "\n\n";
    reference_rows(table.name, table.enforced, out);
  }
  return out;
}

}  // namespace weir::control
