#include "dataplane/ledger/anchor.hpp"

#include <memory>

namespace weir::ledger {
namespace {

struct Note {
  std::array<char, 8> magic{'w', 'e', 'i', 'r', 'h', 'e', 'a', 'd'};
  u64 number = 0;
  Tag tag{}, seal{};
};
static_assert(sizeof(Note) == 80);

Tag seal_of(const Note& note, const Key& key) {
  return key.tag_of({std::as_bytes(std::span(&note, 1)).first(offsetof(Note, seal))});
}

}  // namespace

Anchor anchor_in(Storage storage, const std::string& file, const Key& key) {
  const auto disk = std::make_shared<Storage>(std::move(storage));
  Anchor made;
  made.name = disk->folder + "/" + file;
  made.read = [=]() -> std::expected<std::optional<Head>, Error> {
    const auto bytes = disk->read(file);
    if (!bytes) return std::unexpected(bytes.error());
    if (!*bytes) return std::nullopt;
    Note note;
    if ((*bytes)->size() == sizeof note) note = load<Note>((*bytes)->data());
    if ((*bytes)->size() != sizeof note || note.magic != Note{}.magic || note.seal != seal_of(note, key))
      return std::unexpected(Error{"anchor " + disk->folder + "/" + file + ": damaged, or of another key"});
    return Head{note.number, note.tag};
  };
  made.advance = [=](const Head& head) -> Done {
    Note note;
    note.number = head.number;
    note.tag = head.tag.value_or(Tag{});
    note.seal = seal_of(note, key);
    const std::string fresh = file + ".new";
    return in_turn([&] { return disk->create(fresh); },
                   [&] { return disk->append(fresh, std::as_bytes(std::span(&note, 1))); },
                   [&] { return disk->sync(fresh); }, [&] { return disk->rename(fresh, file); }, disk->sync_folder);
  };
  return made;
}

}  // namespace weir::ledger
