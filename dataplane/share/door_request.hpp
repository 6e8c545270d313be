// What a request through the door may hold, act by act: what an act does not use is zero, so that a request of another
// time or hand is refused and never half understood. It judges the form alone: whether an image, a job or a port is
// acceptable is said by who knows.
#pragma once
#include "dataplane/base/bytes.hpp"
#include "dataplane/share/door.hpp"

#include <cstring>
#include <span>
#include <string_view>

namespace weir::door {

struct ActRow {
  Act act;
  bool takes_name;
  bool takes_descriptors;  // how many, the act says
};
inline constexpr ActRow act_rows[] = {
    {Act::install, true, true},         {Act::status, false, false},       {Act::flush, false, false},
    {Act::seal_job, true, false},       {Act::open_job, true, false},      {Act::members, true, false},
    {Act::alarms, false, false},        {Act::export_lessons, true, true}, {Act::import_lessons, true, true},
    {Act::release_port, true, false},   {Act::confirm, false, false},      {Act::flows, false, true},
    {Act::image, false, true},          {Act::cut_port, true, false},      {Act::quarantine, false, true},
    {Act::let_go, false, true},         {Act::quarantined, false, true},   {Act::shadow, false, true},
    {Act::end_shadow, false, false},    {Act::shadow_image, false, true},  {Act::mirror, false, true},
};

constexpr const ActRow* row_of(Act act) {
  for (const ActRow& row : act_rows)
    if (row.act == act) return &row;
  return nullptr;
}

// The name of a request that holds to its form.
inline std::string_view name_in(const Request& request) {
  return {request.name, strnlen(request.name, sizeof request.name)};
}

// A message as it came, with so many descriptors. Null, and `request` is what it says; or why it is no request.
inline const char* read_request(std::span<const std::byte> message, std::size_t descriptors, Request& request) {
  constexpr const char* other_version = "not a request of this version";
  if (message.size() != sizeof request) return other_version;
  std::memcpy(&request, message.data(), sizeof request);
  if (request.magic != magic_value || request.version != version_value) return other_version;
  const ActRow* const row = row_of(request.act);
  if (row == nullptr) return other_version;
  const std::size_t letters = name_in(request).size();
  for (std::size_t at = letters; at < sizeof request.name; ++at)
    if (request.name[at] != '\0') return "its name does not end";
  if (letters == sizeof request.name) return "its name does not end";
  if (letters != 0 && !row->takes_name) return "this act takes no name";
  if (descriptors != 0 && !row->takes_descriptors) return "this act takes no descriptor";
  if (request.act != Act::install && (request.force != 0 || request.confirm_within_ms != 0))
    return "only an install is forced or on trial";
  if (request.act == Act::install && letters != 0 && request.confirm_within_ms == 0)
    return "only what is on trial has a name";
  if (request.act != Act::confirm && request.generation != 0) return "only a confirmation names a generation";
  return nullptr;
}

}  // namespace weir::door
