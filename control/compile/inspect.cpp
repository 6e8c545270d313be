// One row an inspection, one a rule.
#include "control/compile/inspect.hpp"

#include "control/compile/covert.hpp"
#include "control/compile/rows.hpp"
#include "dataplane/inspect/pattern_image.hpp"

namespace weir::control {

namespace {

image::Inspection row_of(const Model& model, const Inspection& stated, const std::vector<image::Text>& files,
                         Contents& contents) {
  image::Inspection row{};
  row.name = contents.text(stated.name);
  row.file = file_of(files, stated.span);
  row.line = model.line_of(stated.span);
  row.first_bytes = stated.first_bytes;
  for (const u32 set : stated.sets) row.sets |= u64{1} << set;
  row.monitor_until = monitored_until(stated.monitor, stated.monitor_until_s);
  row.max_quarantined = static_cast<u16>(stated.max_quarantined);
  row.ways = static_cast<u8>((stated.out ? image::inspect_opener : 0) | (stated.in ? image::inspect_replier : 0));
  row.tensors = stated.tensors;
  row.on_match = static_cast<image::OnMatch>(stated.on_match);
  row.opaque = static_cast<image::Opaque>(stated.opaque);
  row.busy = static_cast<image::Busy>(stated.busy);
  return row;
}

image::Look look_of(const Statement& statement) {
  image::Look row{};
  if (statement.is_forbid) return row;
  for (const u32 inspection : statement.inspections) row.inspections |= u64{1} << inspection;
  row.protocols = statement.rdma.protocols;
  add_covert(statement.covert, row);
  return row;
}

// An image of patterns that has the names of the sets and nothing to scan with.
std::vector<u8> named(const std::vector<PatternSet>& sets) {
  PatternImageHeader header{pattern_image_magic, 0, static_cast<u32>(sets.size()), 0, 0, 0, 0};
  std::vector<u32> places;
  std::string names;
  for (const PatternSet& set : sets) {
    places.push_back(static_cast<u32>(names.size()));
    names.append(set.name).push_back('\0');
  }
  header.names_bytes = static_cast<u32>(names.size());
  std::vector<u8> bytes;
  const auto append = [&](const void* part, u64 count) {
    const auto* begin = static_cast<const u8*>(part);
    bytes.insert(bytes.end(), begin, begin + count);
    bytes.resize(to_eight(bytes.size()));
  };
  append(&header, sizeof header);
  append(places.data(), places.size() * sizeof(u32));
  append(names.data(), names.size());
  return bytes;
}

}  // namespace

void put_inspections(const Model& model, std::span<const u32> order, const std::vector<image::Text>& files,
                     std::span<const std::byte> patterns, Contents& contents) {
  for (const Inspection& one : model.inspections) contents.inspections.push_back(row_of(model, one, files, contents));
  for (const u32 index : order) contents.looks.push_back(look_of(model.statements[index]));
  if (model.pattern_sets.empty()) return;
  const auto* begin = reinterpret_cast<const u8*>(patterns.data());
  if (patterns.empty()) contents.patterns = named(model.pattern_sets);
  else contents.patterns.assign(begin, begin + patterns.size());
}

}  // namespace weir::control
