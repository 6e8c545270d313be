// Writes docs/image.md from the table of sections, or says whether the page still is what the table makes.
// usage: image_page PAGE [--write]
#include "control/compile/charges.hpp"
#include "dataplane/base/limits.hpp"
#include "dataplane/policy/image.hpp"
#include "tests/house/page.hpp"

#include <fmt/format.h>

using namespace weir;

namespace {

constexpr std::string_view opening = R"(# The policy image

A policy as the dataplane reads it: one file, made by `control/compile`, verified by `dataplane/policy/verify.cpp`,
asked by `dataplane/policy/policy.cpp`. `weir dump IMAGE` shows one as text. This page is made from the table in
`dataplane/policy/image.hpp` (a test compares them): `build/tests/house/image_page docs/image.md --write`.

Integers are native (little-endian), places are offsets, never pointers. An image is local to a machine; what travels
between machines is the rule source. The same rules give the same bytes but for the generation and the checksum.

## Frame

A header of 64 bytes, a table of sections, the sections in the table's order. Each starts on 64 bytes; the gaps between
them, and behind the last one up to 64 bytes, are zero.

| header field | bytes | what |
|---|---|---|
| `magic` | 8 | `WEIRIMG1` |
| `version` | 4 | of this format; a reader takes exactly its own |
| `sections_count` | 4 | |
| `total_bytes` | 8 | of the file |
| `checksum` | 8 | of everything behind this field |
| `generation` | 8 | counts the policies of a machine |
| `reserved` | 24 | zero |

A table entry is the section's number, the bytes of an element, the offset, and the count of elements. The checksum is
64 bits wide and made of steps that are bijections: two images that differ in one word never have the same.

## Sections

)";

constexpr std::string_view meaning = R"(
## How a first packet is judged

1. **Address to atom.** Segments, lists and pins overlap; the pieces into which they cut the address space, told apart
   only by what contains them, are atoms. Atom 0 is what nobody named. The longest-prefix structure (root, nodes,
   leaves) leads from an address to its atom.
2. **Atom to zone.** Segments that no rule tells apart are one zone; zone 0 is in no rule's `from` or `to`. Which
   segments count depends on the port: a port's name leads to its class, and a class to one row of `source_zones` and
   one of `target_zones`. A source that its port may not use has the zone `ffff`, spoofed, and nothing else is asked.
3. **Packet to service.** The target port of TCP, UDP and SCTP, type and code of ICMP, the protocol's number, or of a
   queue pair the connection manager's port (0 where none opens it), leads by two table steps to a service: points that
   no rule tells apart. Nothing of RoCEv2 is ever asked about as UDP.
4. **Decision.** Rules are numbered in the order in which they decide: forbids, then allows, each from the most specific
   (fewest pairs of addresses, then fewest service points, then by name) to the widest. The lowest rule that covers the
   packet decides, so that any forbid wins over every allow, and the most specific allow is the one that is named.
   An allow whose time is over is passed by. No rule: denied.

The compiler chooses how decisions are stored. A **matrix** holds, for each pair of zones, a row of decisions by
service; equal rows are stored once. It is used while it is small. **Vectors** hold sets of rules, as bits, for each
source zone, target zone and service. Rules with neighbouring targets share words of 64 bits, so that the sets of one
packet meet in few words whatever the number of rules. A set stores only the words that are not zero, found by the
bits of a summary; rules for every target have words of their own, which a source lists.

## How bytes are charged and connections limited

Places that some budget or limit tells apart are different zones, and a zone's facts say what it is to them: as a
source an index of `charge_sources`, as a target a number; target 0 is what is in no segment. A service leads to a
column the same way. The source's list of targets, or its row for all others, and the column give a **charge**:
accounts that bytes going that way draw on, all or none, and limits that connections dialled that way meet. A flow
asks twice when it begins, once for each direction; a source that may not be where it is, and a frame without an
address, are charged as the port's class. To nowhere, every budget of the source counts, whatever its targets and
services.

A budget has one account, or one for each segment of its `from`; with `scope = "host"` each of these stands for as
many accounts as the segment has hosts. Amounts are those of one of `instances` enforcement points, rounded down. What
an account covers are ranges of `covers`: its sources, and its budget's targets and services. A place is a port and an
address or network; who is known by one of them has every one of the other. Two accounts whose sources, targets and
services all meet share what was spent, whichever policies they are of ([decision
11](adr/0011-budgets-in-the-image.md)). A side of more than 256 ranges is widened until it has so many.

## What queue pairs may do

By rule stand the operations that its queue pairs may do, and what READ costs. Where some allow opens RDMA, zones are
told apart by the assets that they hold: READ passes without being stated unless the side that is read holds an asset
that the reader does not. Zones carry the jobs that they are members of, too. Declared queue pairs are one element for
each direction, sorted by source, target and number; what they declare must be allowed all the same, as the
declaration's `from` asks for it with port 0.

## What is looked at

By rule stands what is looked at in what it opens: inspections, a bit each in the order of their names; the protocols
as one of which a connection must begin; terms of DNS; what becomes of the payload of ICMP and of header fields that
can carry something. The signatures of every inspection are one piece, made by `control/inspect/compile_patterns.cpp`: a
set has a bit in an inspection's `sets`. An image that was made to be asked and not to be installed has the sets' names
and no databases: verification takes it, the loader of patterns does not.

## What verification checks

Everything that a reader follows: the frame, the checksum, that sections have the sizes that the counts in `meta`
imply, and that every index in every table names something. The tries must be numbered breadth first without gaps, so
that every node has one parent and the depth is bounded by the address. Decisions of one rule each come first, a chain
of expiring ones only goes down, a source's targets ascend, accounts belong to one budget each, amounts are within
what counters are built for, and a decision must agree with its rule about being a forbid. What verification cannot
know is whether the tables mean what the rules said: that is what tests compare, table by table, with naive twins.

## Limits

)";

std::string page() {
  std::string text{opening};
  text += "| # | section | element | bytes | what |\n|---|---|---|---|---|\n";
  u32 number = 0;
#define WEIR_SECTION(identifier, element, sentence) \
  text += fmt::format("| {} | `{}` | {} | {} | {} |\n", number++, #identifier, #element, sizeof(image::element), \
                      sentence);
  WEIR_IMAGE_SECTIONS(WEIR_SECTION)
#undef WEIR_SECTION
  text += meaning;
  text += "| limit | most | refused as |\n|---|---|---|\n";
  text += fmt::format("| segments and lists | {} | E0601 |\n", 0xffff - 1);
  text += fmt::format("| statements | {} | E0602 |\n", decisions_max - 1);
  text += fmt::format("| atoms | {} | E0603 |\n", image::node_flag - 1);
  text += fmt::format("| services | {} | E0604 |\n", services_max);
  text += fmt::format("| port names and patterns | {} | E0605 |\n", port_classes_max - 1);
  text += fmt::format("| zones of sources, of targets | {} | E0606 |\n", zones_max);
  text += fmt::format("| networks in `vni` | {} | E0610 |\n", networks_max);
  text += fmt::format("| reserves | {} | E0609 |\n", image::reserve_classes - 1);
  text += fmt::format("| budgets | {} | E0612 |\n", budgets_max);
  text += fmt::format("| limits | {} | E0612 |\n", limits_max);
  text += fmt::format("| accounts, hosts included | {} | E0611 |\n", accounts_max);
  text += fmt::format("| cells of charges | {} | E0615 |\n", control::charge_cells_max);
  text += fmt::format("| assets beside RDMA | {} | E0617 |\n", image::rdma_assets_max);
  text += fmt::format("| jobs | {} | E0618 |\n", image::jobs_max);
  text += fmt::format("| declared queue pairs | {} | E0619 |\n", image::static_pairs_max / 2);
  text += fmt::format("| bytes | {} | E0608 |\n", image_bytes_max);
  return text;
}

}  // namespace

int main(int count, char** arguments) { return keep_page(page(), count, arguments); }
