// A ledger's file: frames, one for each commit, and the items in them. Each frame names its predecessor's tag and ends
// with its own, so that frames are a chain and each can be told from chance by whoever has the key. docs/ledger.md
// has the tables. It knows bytes only; what items mean is dataplane/ledger/books.hpp.
#pragma once
#include "dataplane/budget/budget_clock.hpp"
#include "dataplane/ledger/key.hpp"

namespace weir::ledger {

enum class FrameKind : u16 {
  snapshot = 1,   // of all accounts, at the beginning of a file
  last_snapshot,  // with this the file is complete, and takes the older one's place
  commit,
};

// When something was recorded. The wall clock is a label for people and decides nothing.
struct Stamp {
  BudgetTime budget_us = 0;
  ClockReading clock;
  u64 wall_us = 0;  // since 1970
};
static_assert(sizeof(Stamp) == 48);

struct FrameHeader {
  static constexpr u32 magic_number = 0x4c524957;  // "WIRL"
  static constexpr u16 version_number = 1;
  u32 magic = magic_number;
  u16 version = version_number;
  FrameKind kind = FrameKind::commit;
  u64 payload_bytes = 0;
  u64 number = 0;  // counts all frames of this ledger, over all its files
  Stamp stamp;
  Tag previous{};
};
static_assert(sizeof(FrameHeader) == 104);

inline constexpr u64 payload_bytes_max = u64{4} << 20;
inline constexpr u64 frame_bytes_max = payload_bytes_max + sizeof(FrameHeader) + sizeof(Tag);

struct Frame {
  FrameHeader header;
  std::span<const std::byte> payload;
  Tag tag{};
  u64 offset = 0;
};

void append_frame(Bytes& to, const FrameHeader& header, std::span<const std::byte> payload, const Key& key, Tag& tag);

struct Walk {
  u64 frames = 0, sound_bytes = 0, torn_bytes = 0;  // torn: at the end, of an append that no one was told to have ended
  FrameHeader last;
  Tag last_tag{};
  Tag before_first{};
  u64 first_number = 0;
};

// Every frame in order. An incomplete last append is cut and told as torn_bytes; damage before that, a broken chain, a
// snapshot without its end, or what `visit` says, is an error that names `file` and the byte.
std::expected<Walk, Error> walk(const std::string& file, std::span<const std::byte> bytes, const Key& key,
                                const std::function<Done(const Frame&)>& visit);

enum class ItemKind : u16 { begin = 1, rule, account, entries, note, description };

enum class What : u32 {
  grant = 1,  // a lease: bytes that may leave from here on
  spent,  // bytes of leases that have left, by the frame's time at the latest
  returned,  // bytes of leases that came back
  throttled,  // bytes that left beyond the windows, through the bucket
  retire,  // no policy names the account any more
  forgive,  // by an operator's command: as if nothing had left
};

struct Entry {
  u32 account;
  What what;
  u64 bytes;
};
static_assert(sizeof(Entry) == 16);

// Items, written one after another: kind and length, then so many bytes, padded to eight.
class ItemWriter {
 public:
  void begin(ItemKind kind);
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto* at = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), at, at + sizeof value);
  }
  void put_text(const std::string& text);
  void end();
  const Bytes& bytes() const { return bytes_; }
  bool is_empty() const { return bytes_.empty(); }
  void clear() { bytes_.clear(); }

 private:
  Bytes bytes_;
  std::size_t began_ = 0;
};

// Reads what ItemWriter wrote; past the end everything is zero and is_sound() false, so that one check at the end does.
class ItemReader {
 public:
  explicit ItemReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  bool has_more() const { return is_sound_ && !bytes_.empty(); }
  bool is_sound() const { return is_sound_; }
  // The next item, its body in a reader of its own.
  ItemReader item(ItemKind& kind);
  template <class T>
  T get() {
    static_assert(std::is_trivially_copyable_v<T>);
    if (bytes_.size() < sizeof(T)) {
      is_sound_ = false;
      bytes_ = {};
      return T{};
    }
    const T value = load<T>(bytes_.data());
    bytes_ = bytes_.subspan(sizeof(T));
    return value;
  }
  std::string get_text();

 private:
  std::span<const std::byte> bytes_;
  bool is_sound_ = true;
};

}  // namespace weir::ledger
