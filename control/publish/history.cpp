#include "control/publish/history.hpp"

#include "control/publish/entry_text.hpp"
#include "control/publish/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>

namespace weir::control {
namespace {

namespace fs = std::filesystem;
using Done = std::expected<void, std::string>;

constexpr std::size_t entry_bytes_max = 16 << 20, image_bytes_max = std::size_t{4} << 30;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::expected<History, std::string> History::open(const std::string& state_directory, std::size_t keep) {
  const std::string directory = state_directory + "/history";
  std::error_code fault;
  fs::create_directories(directory, fault);
  if (fault) return std::unexpected(fmt::format("{}: {}", directory, fault.message()));
  fs::permissions(state_directory, fs::perms::owner_all, fault);
  Descriptor lock(::open((state_directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.get() < 0) {  // a directory that cannot be written can still be read
    lock = Descriptor(::open(directory.c_str(), O_RDONLY | O_CLOEXEC));
    if (lock.get() < 0) return std::unexpected(fmt::format("{}: {}", state_directory, std::strerror(errno)));
  }
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return std::unexpected(fmt::format("{}: another process keeps its history there", state_directory));
  History history(directory, std::move(lock), keep);
  history.read_all();
  return history;
}

std::string History::folder(std::uint64_t generation) const { return fmt::format("{}/{:06}", directory_, generation); }

void History::read_all() {
  if (const auto text = read_file(directory_ + "/signed", 64)) {
    std::from_chars(text->data(), text->data() + text->size(), signed_highest_);
  }
  std::error_code fault;
  for (const auto& one : fs::directory_iterator(directory_, fault)) {
    const std::string name = one.path().filename().string();
    if (name.ends_with(".new")) {  // begun and never finished
      std::error_code ignored;
      fs::remove_all(one.path(), ignored);
      continue;
    }
    std::uint64_t number = 0;
    const auto [end, no_number] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (no_number != std::errc() || end != name.data() + name.size()) continue;
    highest_ = std::max(highest_, number);
    const auto text = read_file(one.path().string() + "/entry.json", entry_bytes_max);
    auto entry = text ? entry_of(*text) : std::unexpected(text.error());
    if (entry && entry->generation != number) entry = std::unexpected("its number is another");
    if (!entry) {
      problems_.push_back(fmt::format("entry {}: {}", name, entry.error()));
      continue;
    }
    signed_highest_ = std::max(signed_highest_, entry->signed_generation);
    entries_.emplace(number, std::move(*entry));
  }
}

HistoryEntry* History::find(std::uint64_t generation) {
  const auto found = entries_.find(generation);
  return found == entries_.end() ? nullptr : &found->second;
}

std::expected<void, std::string> History::add(const HistoryEntry& entry, const Bundle& bundle,
                                              std::span<const std::byte> image) {
  HistoryEntry made = entry;
  made.root = bundle.root;
  made.sources = digest(bundle);
  made.image = digest(text_of(image));
  const std::string fresh = folder(entry.generation) + ".new";
  std::error_code fault;
  const auto failed = [&](const std::string& why) {
    std::error_code ignored;
    fs::remove_all(fresh, ignored);
    return std::unexpected(why);
  };
  fs::remove_all(fresh, fault);
  fs::create_directories(fresh + "/source", fault);
  if (fault) return failed(fmt::format("{}: {}", fresh, fault.message()));
  for (const auto& [name, text] : bundle.files) {
    const std::string path = fresh + "/source/" + name;
    fs::create_directories(fs::path(path).parent_path(), fault);
    if (fault) return failed(fmt::format("{}: {}", path, fault.message()));
    if (const Done written = write_file(path, text); !written) return failed(written.error());
  }
  if (const Done written = write_file(fresh + "/manifest", manifest(bundle)); !written) return failed(written.error());
  if (const Done written = write_file(fresh + "/policy.img", text_of(image)); !written) return failed(written.error());
  if (const Done written = write_file(fresh + "/entry.json", text_of(made)); !written) return failed(written.error());
  if (const Done held = make_durable(fresh); !held) return failed(held.error());
  fs::rename(fresh, folder(entry.generation), fault);
  if (fault) return failed(fmt::format("{}: {}", fresh, fault.message()));
  if (const Done held = make_durable(directory_); !held) return held;
  highest_ = std::max(highest_, entry.generation);
  entries_[entry.generation] = std::move(made);
  prune();
  return {};
}

std::expected<void, std::string> History::keep(const HistoryEntry& entry) {
  return replace_file(folder(entry.generation) + "/entry.json", text_of(entry));
}

std::expected<void, std::string> History::accept_signed(std::uint64_t generation) {
  signed_highest_ = std::max(signed_highest_, generation);
  return replace_file(directory_ + "/signed", fmt::format("{}\n", signed_highest_));
}

void History::remove(std::uint64_t generation) {
  std::error_code fault;
  const std::string path = folder(generation);
  fs::rename(path, path + ".new", fault);  // so that half of it is no entry
  fs::remove_all(path + ".new", fault);
  entries_.erase(generation);
}

// The oldest that nothing depends on go first.
void History::prune() {
  for (auto at = entries_.begin(); at != entries_.end() && entries_.size() > keep_;) {
    const EntryState state = at->second.state;
    const std::uint64_t generation = (at++)->first;
    const bool is_old = state == EntryState::replaced || state == EntryState::rolled_back ||
                        state == EntryState::staged || state == EntryState::was_shadow || state == EntryState::ended;
    if (is_old && generation + 1 < highest_) remove(generation);
  }
}

std::expected<Bundle, std::string> History::sources(const HistoryEntry& entry) const {
  Bundle bundle{entry.root, {}};
  std::error_code fault;
  const std::string below = folder(entry.generation) + "/source";
  for (fs::recursive_directory_iterator at(below, fault), end; !fault && at != end; at.increment(fault)) {
    if (at->is_directory(fault)) continue;
    const auto text = read_file(at->path().string(), bundle_bytes_max);
    if (!text) return std::unexpected(text.error());
    bundle.files[at->path().string().substr(below.size() + 1)] = *text;
    if (bundle.files.size() > include_files_max) break;
  }
  if (const auto why = bundle_fault(bundle))
    return std::unexpected(fmt::format("entry {}: {}", entry.generation, *why));
  if (digest(bundle) != entry.sources)
    return std::unexpected(fmt::format("entry {}: its rule files were changed", entry.generation));
  return bundle;
}

std::expected<std::vector<std::byte>, std::string> History::image(const HistoryEntry& entry) const {
  const auto text = read_file(folder(entry.generation) + "/policy.img", image_bytes_max);
  if (!text) return std::unexpected(text.error());
  if (digest(*text) != entry.image)
    return std::unexpected(fmt::format("entry {}: its image was changed", entry.generation));
  const auto* const begin = reinterpret_cast<const std::byte*>(text->data());
  return std::vector<std::byte>(begin, begin + text->size());
}

}  // namespace weir::control
