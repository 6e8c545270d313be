// What a change of policy does to traffic: every packet that is newly allowed, newly denied or treated otherwise from
// now on, in few rectangles with one example each, and what else behaves differently. About behaviour and not text:
// names, order and files make no difference. Both policies are whole; nothing here reads rule files.
#pragma once
#include "control/check/resolve.hpp"
#include "control/diff/region.hpp"
#include "dataplane/policy/policy.hpp"

#include <algorithm>
#include <array>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::control {

struct PolicySide {
  const Model& model;
  const Names* names;    // groups and services by name; may be null
  const Policy& policy;  // compiled from `model`
};

// One packet that is treated otherwise, as both compiled policies judge it.
struct DiffExample {
  std::array<Question, 2> questions;    // by policy: port classes are numbered by each
  std::array<Judgement, 2> judgements;
  std::string source, target, service;  // addresses, "tcp/443"
  std::string port;                     // it comes in by; empty: a tunnel without a number
  std::string out_port;                 // it leaves by; empty where that makes no difference
  std::optional<u32> network;           // inside it; then there are no ports
};

// Places of one side, by port class of both policies together: all of `addresses` on each of `classes`.
struct DiffPlaces {
  std::vector<u32> classes;   // of Diff::classes
  AddressSet addresses;
};

struct DiffEntry {
  ChangeKind kind;
  std::array<std::vector<FatePiece>, 2> fates;  // by policy, of treated_otherwise
  bool ipv4 = false, ipv6 = false;
  std::string family;                           // "IPv4" or "IPv6" where the words would mean both
  std::string domain;                           // "network 100", empty on the wire
  std::string from, to, services;               // in words
  std::vector<DiffPlaces> sources, targets;     // the same, exactly
  ServicePoints points;
  std::array<std::vector<u32>, 2> statements;  // by policy: those of Model::statements that cover some of it, by rank
  DiffExample example;
};

// Source addresses that ports newly take, or now refuse as spoofed.
struct DiffClaim {
  std::vector<std::string> ports;  // "pf0hpf", "vf*", "any other port"
  bool accepted;
  bool all_but;  // every address but `prefixes`
  std::vector<std::string> prefixes;
};

struct DiffSetting {
  std::string key, before, after;  // "state.profile", "strict", "loose"; "none" where there is nothing
};

// How far an asset's bound has moved: as `weir bound` has it, by bound_labels; empty where a policy has no such asset.
inline constexpr std::array<std::string_view, 7> bound_labels{
    "1 h", "1 d", "30 d", "ever", "a copy", "a copy at 16:1", "a copy at its compression"};
struct DiffBound {
  std::string asset;
  std::array<std::vector<std::string>, 2> figures;  // by policy
  bool moved() const { return figures[old_policy] != figures[new_policy]; }
};

struct Diff {
  std::vector<JointClass> classes;
  std::vector<std::string> inspections;  // lists of names, by FatePiece::inspections
  std::vector<DiffEntry> entries;  // by kind, then words
  std::vector<DiffClaim> claims;
  std::vector<DiffSetting> settings;  // by key
  std::vector<DiffBound> bounds;  // by asset, also those that have not moved
  std::vector<std::array<std::string, 2>> renamed;  // statements with another name and nothing else; no difference

  bool same() const {
    return entries.empty() && claims.empty() && settings.empty() && std::ranges::none_of(bounds, &DiffBound::moved);
  }
};

// From `now_s` on, seconds since the Unix epoch. The error is a sentence: both policies together are too large, or an
// example was judged otherwise than computed, which is a fault of this program.
std::expected<Diff, std::string> diff(const PolicySide& old_side, const PolicySide& new_side, std::int64_t now_s);

}  // namespace weir::control
