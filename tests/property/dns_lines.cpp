// Says of DNS messages what an independent builder compares (dns_built.py). Standard input: lines in hexadecimal, "-"
// for nothing; standard output: "no", or "query" or "answer", type, name in hexadecimal, bytes of it below its
// registered domain, and a query's options as code:hexadecimal. Each message is allocated to the byte.
#include "dataplane/inspect/dns.hpp"

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

using namespace weir;

namespace {

void say(std::span<const u8> bytes) {
  for (const u8 byte : bytes) std::printf("%02x", byte);
}

}  // namespace

int main() {
  for (std::string line; std::cin >> line;) {
    if (line == "-") line.clear();
    const std::size_t bytes = line.size() / 2;
    const auto message = std::make_unique<u8[]>(bytes);
    for (std::size_t i = 0; i < bytes; ++i)
      message[i] = static_cast<u8>(std::stoul(line.substr(2 * i, 2), nullptr, 16));
    DnsMessage read;
    if (!read_dns({message.get(), bytes}, read)) {
      std::puts("no");
      continue;
    }
    std::printf("%s %u ", read.is_answer ? "answer" : "query", read.type);
    say(read.name);
    std::printf(" %u", registered_at(read.name));
    each_dns_option(read.options, [](u16 code, std::span<const u8> data) {
      std::printf(" %u:", code);
      say(data);
    });
    std::putchar('\n');
  }
}
