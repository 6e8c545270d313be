#include "dataplane/share/decision_line.hpp"

namespace weir {
namespace {

constexpr std::size_t name_bytes_max = 512;
// Keys, punctuation, two 20-digit numbers each for index, flow and generation, the time and the longest reason.
static_assert(4 * (name_bytes_max + 2) + 400 <= decision_line_bytes_max);

struct Line {
  char* at;

  void text(std::string_view piece) {
    std::memcpy(at, piece.data(), piece.size());
    at += piece.size();
  }
  void number(u64 value) {
    char digits[20];
    std::size_t first = sizeof digits;
    do {
      digits[--first] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
    text({digits + first, sizeof digits - first});
  }
  void seconds(Tick time) {
    number(time / tick_second);
    u64 fraction = time % tick_second;
    char digits[7] = {'.'};
    for (std::size_t digit = 6; digit > 0; --digit, fraction /= 10)
      digits[digit] = static_cast<char>('0' + fraction % 10);
    text({digits, sizeof digits});
  }
};

// Length of the well-formed UTF-8 character at the front (RFC 3629), 0 when there is none.
std::size_t utf8_bytes(std::string_view text) {
  const auto byte = [&](std::size_t index) { return static_cast<u8>(text[index]); };
  const u8 lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return 0;
  for (std::size_t index = 1; index < bytes; ++index)
    if ((byte(index) & 0xc0) != 0x80) return 0;
  const u8 second = byte(1);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool beyond = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
  return overlong || beyond ? 0 : bytes;
}

// One character, escaped. Returns how many bytes of `text` it took; `piece` holds at most 6 characters.
std::size_t escape(std::string_view text, char (&piece)[8], std::size_t& piece_bytes) {
  constexpr char hex[] = "0123456789abcdef";
  const std::size_t bytes = utf8_bytes(text);
  const u8 first = static_cast<u8>(text[0]);
  if (bytes == 0 || first < 0x20 || first == 0x7f) {
    const u16 code = bytes == 0 ? 0xfffd : first;
    const char escaped[] = {'\\', 'u', hex[code >> 12], hex[code >> 8 & 15], hex[code >> 4 & 15], hex[code & 15]};
    std::memcpy(piece, escaped, piece_bytes = sizeof escaped);
    return 1;
  }
  const bool quoted = first == '"' || first == '\\';
  piece[0] = '\\';
  std::memcpy(piece + quoted, text.data(), bytes);
  piece_bytes = bytes + quoted;
  return bytes;
}

void name(Line& line, std::string_view key, std::string_view value) {
  line.text(key);
  if (value.empty()) return line.text("null");
  line.text("\"");
  for (std::size_t room = name_bytes_max; !value.empty();) {
    char piece[8];
    std::size_t piece_bytes = 0;
    const std::size_t taken = escape(value, piece, piece_bytes);
    if (piece_bytes > room) break;
    line.text({piece, piece_bytes});
    room -= piece_bytes;
    value = {value.data() + taken, value.size() - taken};  // substr() would bring in the library's range error
  }
  line.text("\"");
}

}  // namespace

std::size_t format_decision(std::span<char, decision_line_bytes_max> out, const DecisionContext& context,
                            const Outcome& outcome, const DecisionNames& names) {
  Line line{out.data()};
  line.text("{\"index\":");
  line.number(context.index);
  line.text(",\"time\":");
  line.seconds(context.time);
  line.text(context.port % 2 == 0 ? ",\"port\":\"inside\"" : ",\"port\":\"outside\"");
  line.text(",\"verdict\":\"");
  line.text(verdict_name(outcome.verdict));
  line.text("\",\"reason\":\"");
  line.text(row(outcome.reason).name);
  name(line, "\",\"rule\":", names.rule);
  name(line, ",\"from\":", names.from);
  name(line, ",\"to\":", names.to);
  line.text(",\"flow\":");
  if (context.flow_number == no_flow_number) line.text("null");
  else line.number(context.flow_number);
  line.text(",\"generation\":");
  line.number(outcome.generation);
  if (outcome.depth != 0) {
    line.text(",\"depth\":");
    line.number(outcome.depth);
  }
  if (!names.found.empty()) name(line, ",\"found\":", names.found);
  line.text("}\n");
  return static_cast<std::size_t>(line.at - out.data());
}

}  // namespace weir
