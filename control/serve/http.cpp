#include "control/serve/http.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace weir::control {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_word(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](char a, char b) { return lower(a) == lower(b); });
}

bool is_token(std::string_view text) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::ranges::all_of(text, is_letter);
}

bool is_control(char c) { return (c >= '\0' && c < ' ') || c == 0x7f; }

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
  return -1;
}

// %41 to A; nothing where that is not well formed or hides a control character.
std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    char letter = text[at];
    if (letter == '%') {
      if (at + 2 >= text.size() || hex_value(text[at + 1]) < 0 || hex_value(text[at + 2]) < 0) return std::nullopt;
      letter = static_cast<char>(hex_value(text[at + 1]) << 4 | hex_value(text[at + 2]));
      at += 2;
    }
    if (is_control(letter)) return std::nullopt;
    out += letter;
  }
  return out;
}

std::string_view status_text(int status) {
  struct Row {
    int status;
    std::string_view text;
  };
  constexpr Row rows[] = {{200, "OK"},
                          {202, "Accepted"},
                          {400, "Bad Request"},
                          {403, "Forbidden"},
                          {404, "Not Found"},
                          {405, "Method Not Allowed"},
                          {408, "Request Timeout"},
                          {409, "Conflict"},
                          {411, "Length Required"},
                          {413, "Content Too Large"},
                          {422, "Unprocessable Content"},
                          {431, "Request Header Fields Too Large"},
                          {501, "Not Implemented"},
                          {502, "Bad Gateway"},
                          {503, "Service Unavailable"},
                          {505, "HTTP Version Not Supported"}};
  for (const Row& row : rows)
    if (row.status == status) return row.text;
  return "Internal Server Error";
}

}  // namespace

HttpReader::State HttpReader::broken(int status, std::string sentence) {
  fault_ = {status, std::move(sentence)};
  is_broken_ = true;
  return State::broken;
}

HttpReader::State HttpReader::take(std::string_view& bytes) {
  if (is_broken_) return State::broken;
  if (!in_body_) {
    while (head_.empty() && (bytes.starts_with('\r') || bytes.starts_with('\n'))) bytes.remove_prefix(1);
    const std::size_t had = head_.size() < 3 ? 0 : head_.size() - 3;
    const std::size_t room = head_bytes_max + 1 - head_.size();
    const std::size_t before = head_.size();
    head_ += bytes.substr(0, room);
    const std::size_t end = head_.find("\r\n\r\n", had);
    if (end == std::string::npos) {
      bytes.remove_prefix(head_.size() - before);
      if (head_.size() > head_bytes_max) return broken(431, "the request's head is larger than 16 KiB");
      return State::needs_more;
    }
    bytes.remove_prefix(end + 4 - before);
    head_.resize(end + 2);
    return read_head();
  }
  const std::size_t rest = *body_bytes_ - request_.body.size();
  request_.body += bytes.substr(0, rest);
  bytes.remove_prefix(std::min(bytes.size(), rest));
  return request_.body.size() == *body_bytes_ ? State::whole : State::needs_more;
}

// All lines are there, each with its end.
HttpReader::State HttpReader::read_head() {
  std::string_view rest = head_;
  for (bool is_first = true; !rest.empty(); is_first = false) {
    const std::size_t end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    if (std::ranges::any_of(line, [](char c) { return is_control(c) && c != '\t'; }))
      return broken(400, "a control character stands in the request's head");
    if (!(is_first ? read_request_line(line) : read_field(line))) return State::broken;
  }
  if (request_.method == "POST" && !body_bytes_) return broken(411, "a POST states the length of its body");
  in_body_ = true;
  if (!body_bytes_) body_bytes_ = 0;
  return *body_bytes_ == 0 ? State::whole : State::head_read;
}

bool HttpReader::read_request_line(std::string_view line) {
  const auto refuse = [&](int status, const char* sentence) {
    broken(status, sentence);
    return false;
  };
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refuse(400, "this is no request line of HTTP/1.1");
  const std::string_view method = line.substr(0, first), target = line.substr(first + 1, last - first - 1),
                         version = line.substr(last + 1);
  if (!is_token(method) || !version.starts_with("HTTP/")) return refuse(400, "this is no request line of HTTP/1.1");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return refuse(505, "HTTP/1.1 is spoken here");
  if (method != "GET" && method != "POST") return refuse(501, "only GET and POST are known here");
  if (!target.starts_with('/') || target.find(' ') != std::string_view::npos)
    return refuse(400, "a target begins with / and has no spaces");
  const std::size_t mark = target.find('?');
  const auto path = decoded(target.substr(0, mark));
  if (!path) return refuse(400, "the target is not well encoded");
  request_.method = method;
  request_.path = *path;
  request_.query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  request_.keeps_alive = version == "HTTP/1.1";
  return true;
}

bool HttpReader::read_field(std::string_view line) {
  const auto refuse = [&](int status, const char* sentence) {
    broken(status, sentence);
    return false;
  };
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  if (colon == std::string_view::npos || !is_token(name)) return refuse(400, "this is no header field");
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (same_word(name, "transfer-encoding")) return refuse(411, "bodies come with a stated length, and not in chunks");
  if (same_word(name, "connection") && same_word(value, "close")) request_.keeps_alive = false;
  if (same_word(name, "expect") && same_word(value, "100-continue")) request_.awaits_continue = true;
  if (!same_word(name, "content-length")) return true;
  std::size_t bytes = 0;
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), bytes);
  if (body_bytes_ || fault != std::errc() || end != value.data() + value.size())
    return refuse(400, "the body's length is not stated as one number");
  if (bytes > body_bytes_max) return refuse(413, "a body has at most 32 MiB");
  body_bytes_ = bytes;
  return true;
}

HttpRequest HttpReader::finish() {
  HttpRequest done = std::move(request_);
  *this = HttpReader();
  return done;
}

std::string http_head(int status, std::string_view type, std::optional<std::size_t> body_bytes, bool keeps_alive) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\n", status, status_text(status), type);
  if (body_bytes) head += fmt::format("Content-Length: {}\r\n", *body_bytes);
  return head + (keeps_alive && body_bytes ? "\r\n" : "Connection: close\r\n\r\n");
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view part = query.substr(0, end);
    query = end == std::string_view::npos ? "" : query.substr(end + 1);
    const std::size_t equals = part.find('=');
    if (part.substr(0, equals) != name) continue;
    std::string value(equals == std::string_view::npos ? "" : part.substr(equals + 1));
    std::ranges::replace(value, '+', ' ');
    return decoded(value);
  }
  return std::nullopt;
}

}  // namespace weir::control
