#include "dataplane/ledger/record.hpp"

#include "dataplane/base/check.hpp"

namespace weir::ledger {
namespace {

struct ItemHeader {
  ItemKind kind;
  u16 zero;
  u32 bytes;
};

template <class T>
std::span<const std::byte> raw(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

// The frame at the beginning of `bytes`, if there is one that the key made.
std::optional<Frame> authentic(std::span<const std::byte> bytes, const Key& key) {
  if (bytes.size() < sizeof(FrameHeader) + sizeof(Tag)) return std::nullopt;
  Frame frame{load<FrameHeader>(bytes.data()), {}, {}, 0};
  const u64 length = frame.header.payload_bytes;
  if (frame.header.magic != FrameHeader::magic_number || length > payload_bytes_max ||
      length > bytes.size() - sizeof(FrameHeader) - sizeof(Tag))
    return std::nullopt;
  frame.payload = bytes.subspan(sizeof(FrameHeader), length);
  frame.tag = load<Tag>(bytes.data() + sizeof(FrameHeader) + length);
  if (key.tag_of({bytes.first(sizeof(FrameHeader)), frame.payload}) != frame.tag) return std::nullopt;
  return frame;
}

// Where, after a frame that is none, another begins. Only one append at a time is unsynced, and an append is one frame:
// so behind what a crash tore, there is none.
std::optional<u64> authentic_after(std::span<const std::byte> bytes, u64 offset, const Key& key) {
  for (u64 at = offset + 1; at + sizeof(FrameHeader) + sizeof(Tag) <= bytes.size(); ++at)
    if (load<u32>(bytes.data() + at) == FrameHeader::magic_number && authentic(bytes.subspan(at), key)) return at;
  return std::nullopt;
}

std::string at_byte(const std::string& file, u64 offset) {
  return "ledger " + file + ", byte " + std::to_string(offset) + ": ";
}

constexpr char what_to_do[] =
    "; all that it covers stays closed: keep the file for whoever asks what left, and start a new ledger "
    "(docs/ledger.md)";

std::unexpected<Error> broken(const std::string& file, u64 offset, const std::string& what) {
  return std::unexpected(Error{at_byte(file, offset) + what + what_to_do});
}

// What is wrong with this frame behind the others, or nothing.
const char* misfit(const Frame& frame, const Walk& so_far, bool complete) {
  if (frame.header.version != FrameHeader::version_number) return "the format is of another version of Weir";
  if (frame.header.kind < FrameKind::snapshot || frame.header.kind > FrameKind::commit)
    return "an unknown kind of frame";
  if ((frame.header.kind == FrameKind::commit) != complete) return "a snapshot in the wrong place";
  if (so_far.frames == 0) return nullptr;
  if (frame.header.number != so_far.last.number + 1) return "a frame is missing";
  if (frame.header.previous != so_far.last_tag) return "the chain is broken: this frame follows another one";
  if (frame.header.stamp.budget_us < so_far.last.stamp.budget_us) return "time goes back";
  return nullptr;
}

}  // namespace

void append_frame(Bytes& to, const FrameHeader& header, std::span<const std::byte> payload, const Key& key, Tag& tag) {
  WEIR_CHECK(payload.size() == header.payload_bytes && payload.size() <= payload_bytes_max);
  tag = key.tag_of({raw(header), payload});
  for (const auto part : {raw(header), payload, raw(tag)}) to.insert(to.end(), part.begin(), part.end());
}

std::expected<Walk, Error> walk(const std::string& file, std::span<const std::byte> bytes, const Key& key,
                                const std::function<Done(const Frame&)>& visit) {
  Walk found;
  bool complete = false;
  for (u64 offset = 0; offset < bytes.size();) {
    std::optional<Frame> frame = authentic(bytes.subspan(offset), key);
    if (!frame) {
      // A snapshot is on the disk before its file has this name.
      if (!complete) return broken(file, offset, "this is no ledger of this key, or its snapshot is damaged");
      if (const auto later = authentic_after(bytes, offset, key))
        return broken(file, offset, "damaged, while the frame at byte " + std::to_string(*later) + " is sound");
      if (bytes.size() - offset > frame_bytes_max) return broken(file, offset, "damaged, over more than one frame");
      found.torn_bytes = bytes.size() - offset;
      break;
    }
    frame->offset = offset;
    if (const char* wrong = misfit(*frame, found, complete)) return broken(file, offset, wrong);
    if (found.frames == 0) found.before_first = frame->header.previous, found.first_number = frame->header.number;
    if (const Done done = visit(*frame); !done) return broken(file, offset, done.error().sentence);
    complete = complete || frame->header.kind == FrameKind::last_snapshot;
    ++found.frames;
    found.last = frame->header;
    found.last_tag = frame->tag;
    offset += sizeof(FrameHeader) + frame->payload.size() + sizeof(Tag);
    found.sound_bytes = offset;
  }
  if (!complete) return broken(file, bytes.size(), "the file ends within its snapshot");
  return found;
}

void ItemWriter::begin(ItemKind kind) {
  began_ = bytes_.size();
  put(ItemHeader{kind, 0, 0});
}

void ItemWriter::end() {
  const u32 length = static_cast<u32>(bytes_.size() - began_ - sizeof(ItemHeader));
  std::memcpy(bytes_.data() + began_ + offsetof(ItemHeader, bytes), &length, sizeof length);
  while (bytes_.size() % 8 != 0) bytes_.push_back(std::byte{0});
}

void ItemWriter::put_text(const std::string& text) {
  put(static_cast<u32>(text.size()));
  const auto* at = reinterpret_cast<const std::byte*>(text.data());
  bytes_.insert(bytes_.end(), at, at + text.size());
}

ItemReader ItemReader::item(ItemKind& kind) {
  const auto header = get<ItemHeader>();
  kind = header.kind;
  const u64 padded = (u64{header.bytes} + 7) / 8 * 8;
  if (!is_sound_ || padded > bytes_.size()) {
    is_sound_ = false;
    ItemReader none{{}};
    none.is_sound_ = false;
    return none;
  }
  ItemReader body(bytes_.first(header.bytes));
  bytes_ = bytes_.subspan(padded);
  return body;
}

std::string ItemReader::get_text() {
  const u32 length = get<u32>();
  if (length > bytes_.size()) {
    is_sound_ = false;
    bytes_ = {};
    return {};
  }
  const std::string text(reinterpret_cast<const char*>(bytes_.data()), length);
  bytes_ = bytes_.subspan(length);
  return text;
}

}  // namespace weir::ledger
