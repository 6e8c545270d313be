// Long texts: what it means, why it is so, and what to write instead.
#include "control/report/catalogue.hpp"

#include <algorithm>

namespace weir::control {
namespace {

constexpr CodeRow rows[] = {
    {"E0101", "the file is not TOML",
     "The text could not be read as TOML 1.0. The usual reasons: text without quotes, a quote or bracket that is not "
     "closed, a comma forgotten between values, a key written twice, or a table defined twice. Nothing else of this "
     "file is checked until it reads."},
    {"E0102", "unknown key or table",
     "The rule language has a fixed set of tables and keys; anything else is refused, since a misspelt key that is "
     "ignored would be a rule that is not enforced. In TOML a key belongs to the header above it until the next "
     "header: `version` or `include` below `[policy]` are keys of [policy]. Keys of the file itself stand first."},
    {"E0103", "a value of the wrong kind",
     "Each key takes one kind of value; docs/rules.md lists them. Lists stay lists when they have one member: "
     "tcp = [443]. Dates stand without quotes. Statements are arrays of tables: [[allow]], not [allow]."},
    {"E0104", "a required key is missing",
     "The table cannot mean anything without this key. An allow states `from` and `to`: there is no implied "
     "\"everybody\" on the side that permits. A segment states `cidr`, `except` or `attach`. The root file states "
     "`version = 1`."},
    {"E0105", "a file cannot be read",
     "A file that the policy names does not exist, is not a regular file, is a symbolic link, or may not be read. A "
     "literal path in `include` must exist; a pattern may match nothing (W0101)."},
    {"E0106", "a path that may not be named",
     "Includes and lists are relative paths below the directory of the file that states them: no absolute path, no "
     "`..`, no recursion with `**`. So a policy is a directory that can be copied, signed and reviewed as one."},
    {"E0107", "too large or too deep",
     "Limits on what is read: 16 MiB a rule file, 256 MiB a list, 4096 files, 32 levels of nesting, groups "
     "within groups to 64 levels. They keep a broken or hostile file from exhausting the machine that checks it."},
    {"E0108", "may stand only in the root file",
     "Only the root file may hold [policy], [segment], [group], [asset], [link], [state], [flood], [rdma], [port], "
     "[fleet], [delegate], [[invariant]], `include` and `mode`. Included files add services, lists, statements and "
     "tests. So whoever owns the root decides who is who, and a team's file cannot redefine it."},
    {"E0109", "unknown version of the rule language",
     "This program knows version 1. A later version may give words another meaning, so it is not guessed at."},
    {"E0110", "known, but not yet enforced",
     "The word is part of the rule language, but this version of Weir does not enforce it. A policy that declares it "
     "is refused rather than loaded without it: a budget that is written and not kept is worse than none. Take the "
     "statement out until a version enforces it, knowing that what it would have limited is then unlimited."},
    {"E0111", "an unquoted port range",
     "TOML has no ranges: 8000-8010 without quotes reads as a broken date. Write it as text: \"8000-8010\"."},
    {"E0112", "a value that is not permitted",
     "The key takes one of a few words, or a number within bounds; the message lists them."},
    {"E0113", "a number that does not fit",
     "Integers have 64 bits. A larger one would silently become the largest, so it is refused."},
    {"E0114", "a governance key is missing",
     "[policy] require = [...] demands these keys of every allow: who owns it, why it exists, where it was decided, "
     "until when it holds. Forbids and tests may state them as well."},
    {"E0115", "a breakglass allow that nobody answers for",
     "An allow with `breakglass` is closed until somebody opens it in a hurry, by its `name`. `owner` and `why` say "
     "whom to ask, and what it is for; `weir breakglass` tells them to whoever opens it."},
    {"E0201", "an unknown segment, group or list",
     "`from`, `to` and `members` name what [segment], [group] or [list] define, in any file. Addresses do not stand "
     "in statements: give them a name, so that a reader knows who is meant and a change is made in one place."},
    {"E0202", "an unknown service",
     "`with` names what [service] defines. Ports do not stand in statements: name them."},
    {"E0203", "a name defined twice",
     "Files merge as sets, without order, so that neither of two definitions could win. Segments, groups and lists "
     "share one namespace; services have one; allows and forbids share one, since decisions are reported by name."},
    {"E0204", "not a name",
     "A name has lower-case letters, digits and dashes, begins with a letter, and has at most 63 characters. Names "
     "of ports are those of the devices: printable, without blanks. `*` stands only at the end of a pattern in "
     "`attach`."},
    {"E0205", "a group that contains itself", "Following the members of this group leads back to it."},
    {"E0206", "segments that cannot be told apart",
     "Two segments are attached to one port and their addresses overlap, or one of them has none: a packet from that "
     "port would belong to both or to either. Give them disjoint `cidr`, or one port each."},
    {"E0207", "an empty list",
     "An empty `from`, `to`, `with` or `members` names nothing, and a statement with it would silently do nothing. "
     "Delete the statement, or name somebody."},
    {"E0208", "a segment on a port and in a network",
     "`attach` says by which port a segment's own frames come, `vni` that its addresses live inside a tunnel's "
     "network. Inside one, the port is that of whoever runs the tunnel, and says nothing of who sends."},
    {"E0209", "an unknown asset", "`asset` names what [asset] defines in the root file."},
    {"E0210", "an asset behind a port without a pin",
     "Bytes are charged to the port they come in by, and on a shared segment the pin decides which of its addresses a "
     "port may use. Where an asset is held, every attached port needs one: [port.NAME] addresses = [...]. [policy] "
     "pins = \"optional\" waives that for the whole policy, and `bound` then lists it as an assumption."},
    {"E0211", "a reserve for more than one",
     "The part of a budget that `reserve` keeps belongs to one segment, one list or one service. Split a group into "
     "its members, and give a name that means two things another spelling."},
    {"E0212", "services of one allow that are recognised differently",
     "A service with `protocol` opens only what its first bytes show. A connection does not say which service of its "
     "allow it is of, so that services which are recognised by other protocols, or by ports alone, need an allow of "
     "their own."},
    {"E0213", "an unknown inspection",
     "`inspect` of an allow names tables [inspect.NAME] in any file of the policy."},
    {"E0214", "an inspection that looks for nothing",
     "An inspection needs `signatures`, at least one [[inspect.NAME.pattern]], `tensors = true`, or another word for "
     "`opaque` than \"allow\"; and a pattern exactly one of `hex`, `text` and `regex`."},
    {"E0215", "an unknown signature set",
     "`signatures` names sets that are shipped with the program, as `weights`, or files: a name with a slash or that "
     "ends in .toml is a path relative to the root file (docs/signatures.md)."},
    {"E0216", "a protocol that is recognised elsewhere than on TCP",
     "What a connection speaks is told by the first bytes of a TCP stream. A service with such a `protocol` needs "
     "`tcp` ports, and may have `rdma`; other ports and protocols would open whatever is spoken there. Give those a "
     "service and an allow of their own."},
    {"E0217", "unknown terms of DNS", "`dns` of an allow names a table [dns.NAME] in any file of the policy."},
    {"E0301", "bytes would flow from a higher class to a lower one",
     "Classes order segments by how sensitive they are: public < internal < restricted < secret. An allow opens a "
     "connection, and bytes flow both ways on it: an answer pulled through an interface is as much an exit as a "
     "push. If either direction goes down in class, something must bound how much may leave: a [[budget]] whose "
     "`from`, `to` and `with` contain every source, target and service of the flow, alone or together with others.\n"
     "An address in several segments has the highest of their classes as a source and the lowest as a target. A list "
     "without a class counts as `public` as a target and as `secret` as a source.\n"
     "A budget counts when it denies or throttles and is not in monitor mode; one that only alerts counts for sources "
     "that hold no asset, with a warning (W0301), and leaves every bound unlimited."},
    {"E0302", "a segment without a class",
     "If one segment has a class, all must have one: an unclassed segment between a secret and a public one would be "
     "a way around every class. Lists may go without."},
    {"E0304", "a breakglass allow without a budget",
     "An allow with `breakglass` is opened in a hurry, by one person, for a while. What may leave meanwhile must be "
     "bounded before: budgets that deny or throttle, alone or together, contain every (source, target, service) by "
     "which bytes leave whatever holds an asset, in either direction. Where the policy names no asset, nobody can tell "
     "which side holds something, and both directions are covered. One that only alerts, or is in monitor mode, covers "
     "nothing here."},
    {"E0401", "a quantity without a unit",
     "Sizes, rates and times are written with their unit, as text: \"20 Mbit/s\", \"150 GB\", \"1 GiB\", \"1d\", "
     "\"10/min\". A bare number would leave bits or bytes, seconds or days, to be guessed."},
    {"E0402", "a quantity that cannot be read",
     "A quantity is a decimal number, at most one blank, and a unit. Units are case-sensitive: kB, MB, GB are powers "
     "of 1000, KiB, MiB, GiB of 1024; bit/s counts bits, B/s bytes."},
    {"E0403", "not an address or prefix",
     "Addresses are dotted quads without leading zeros (010 is octal to some programs and decimal to others) or IPv6 "
     "as in RFC 4291; a prefix adds / and a length of at most 32 or 128. Host names are not looked up: what they "
     "mean would change under the policy."},
    {"E0404", "a prefix with host bits",
     "10.20.0.7/18 could mean one host or the 16384 around it. The message shows the prefix it lies in; one address "
     "is written without a length."},
    {"E0405", "not a port", "A port is a number from 1 to 65535, a range is \"8000-8010\", in quotes."},
    {"E0406", "a range that runs backwards",
     "The lower port stands first. An empty range would open nothing, silently."},
    {"E0407", "not an ICMP type",
     "`icmp` takes names that exist in both families, such as \"echo\". Numbers mean different things in ICMP and "
     "ICMPv6: write them under `icmp4` or `icmp6`, as \"8\" (every code) or \"8/0\". Errors such as unreachable "
     "follow their flow by state and are never named."},
    {"E0408", "not an IP protocol",
     "`protocol` takes names such as \"esp\" or numbers 0 to 255, for protocols without ports. TCP, UDP, SCTP and "
     "ICMP have keys of their own."},
    {"E0409", "not a MAC address", "Six bytes in hex, separated by colons; not a group address and not zero."},
    {"E0410", "a list with many faults",
     "Each line of a list is one prefix or address, or blank; `#` begins a comment. The first faults are shown, the "
     "rest are counted."},
    {"E0411", "a number out of bounds",
     "The value can be read and cannot be kept: a timeout longer than a flow's deadline can express, a ceiling of zero "
     "(which would be a forbid), a burst beyond what a clock can pay back. The message says what is possible. To be "
     "without a ceiling, leave the key out."},
    {"E0412", "reserves of more than the whole",
     "`reserve` keeps a share of the flow table for the flows of one segment. Together they cannot exceed 100 %, and "
     "what they leave is all that everybody else has."},
    {"E0413", "a burst without its rate",
     "A burst says how much may come at once at a rate; without that rate nothing is limited and the burst would "
     "silently mean nothing."},
    {"E0414", "windows that say nothing, or two things",
     "A budget says how much in how long: `bytes` with `every`, or a table of `windows`, never both, and no length "
     "twice. \"lifetime\" is the window without end."},
    {"E0415", "a throttle beside a lifetime window",
     "Behind a throttle bytes go on leaving at its rate for as long as anyone sends; a lifetime window says that there "
     "is an end. Only one of the two can be meant."},
    {"E0417", "a limit that limits nothing",
     "[[limit]] needs at least one of `rate`, `packets`, `new_connections` and `connections`."},
    {"E0418", "not a tag",
     "A job's tag is the number by which NCCL tells communicators apart (its magic): 64 bits in hexadecimal, as in "
     "tag = \"0x0123456789abcdef\". Without one any of them is taken."},
    {"E0419", "not a queue pair",
     "A declared queue pair joins two hosts of one family, each by one address, and states the number at one of them "
     "or at both. A number can be declared once for each host that sends to it."},
    {"E0420", "not bytes in hex",
     "Two hexadecimal digits a byte, blanks between bytes: hex = \"7B 22 5F 5F\"."},
    {"E0421", "a signature that cannot be looked for",
     "A pattern of an inspection, or a file of them, that cannot be read, or that Hyperscan does not take: it has no "
     "look-around, no back-references, and bounds on repetition. The message is Hyperscan's own where the expression "
     "is at fault."},
    {"E0422", "terms that could never hold",
     "`dns` says that what an allow opens carries DNS messages and nothing else, so that the allow may open UDP and "
     "TCP ports alone, by name. `icmp_payload` needs an allow that opens ICMP. A `window` needs `information` or "
     "`domains`, which count in it."},
    {"E0501", "a test failed",
     "`allow` holds when every combination of source, target and port that it names is allowed; `deny` when every "
     "one is denied. The compiled policy was asked, as the dataplane asks it, about a new connection's first packet. "
     "The message shows an example that contradicts, and where there is a mixture one of each."},
    {"E0502", "a test that cannot be read",
     "A claim is \"TARGET SERVICE\", \"ADDRESS SERVICE\" or \"ADDRESS PROTO/PORT\": \"internet https\", "
     "\"10.31.0.5 tcp/2049\", \"gateway icmp/echo\"."},
    {"E0503", "a test about nobody",
     "No address and port can be the source or target that the test names: the segment is empty, or every address of "
     "it is spoofed wherever it could come from. A test that can never be asked proves nothing."},
    {"E0504", "an invariant does not hold",
     "`never` holds when no packet can pass between any source and any target of the pair, whichever side dials. It is "
     "asked of the compiled policy, over every place that some rule tells apart and every service. With via = \"any\" "
     "also over others: bytes that reach a segment may leave it again wherever an allow lets them, and within a "
     "segment they are taken to go freely. The message shows the way."},
    {"E0505", "an invariant that claims nothing",
     "An invariant is either `never` with a pair, or an `asset` with `at_least` or `at_most`."},
    {"E0506", "more can leave than an invariant permits",
     "`at_least` holds when one copy of the asset cannot be gone in less time, `at_most` when no more can ever leave: "
     "over all exits in `to`, through any number of hops, by the bound that `weir bound` prints (docs/bound.md). The "
     "message shows the budgets, limits and rates that decide, with their part; where nothing bounds a way, the allows "
     "that open it. Lower a budget that decides, add one, or take an exit away."},
    {"E0601", "too many segments", "Segments and lists together; the message says how many an image can hold."},
    {"E0602", "too many statements",
     "Allows and forbids together; the message says how many an image can hold. Statements that differ only in one "
     "side "
     "or one service can be one statement with lists."},
    {"E0603", "too many address atoms",
     "Overlapping segments are split into disjoint pieces of the address space; there are more than an image can hold. "
     "Fewer overlaps make fewer pieces."},
    {"E0604", "too many disjoint services",
     "Overlapping port sets are split into disjoint services; there are more than an image can hold."},
    {"E0605", "too many port names and patterns", "Distinct names and patterns in `attach` and [port] together."},
    {"E0606", "too many zones",
     "Zones are sets of addresses that some statement tells apart; there are more than an image can hold. Segments "
     "that "
     "statements treat alike cost nothing: name groups rather than single segments where you can."},
    {"E0607", "too many zones for a decision matrix",
     "The table of (zone, zone, service) would be larger than an image can hold."},
    {"E0608", "the image is too large", "The message says by how much."},
    {"E0609", "too many reserves",
     "A flow remembers which reserve it belongs to in four bits: 15 segments can have one."},
    {"E0610", "too many networks", "Distinct numbers in `vni`; the message says how many an image can hold."},
    {"E0611", "too many accounts",
     "A budget has one account for the fleet, one for each segment, or one for each host, by its `scope`; all of them "
     "are kept in memory and on disk. The message says how many there can be."},
    {"E0612", "too many budgets, limits, windows or reserves", "The message says how many there can be."},
    {"E0613", "accounts for hosts that nobody counted",
     "`scope = \"host\"` gives every host an account: one for each attached port, and where there is none one for each "
     "address (IPv6: each /64). `hosts` on the segment says how many there are; host N + 1 gets no account and is "
     "dropped by name, so that inventing addresses buys nothing."},
    {"E0614", "too many places to judge classes between",
     "Classes are judged over every pair of places that some budget or class tells apart, and there are too many."},
    {"E0615", "budgets and limits tell too much apart",
     "The table of what each source, target and service is charged would be larger than an image can hold. Budgets of "
     "groups, and services that several budgets share, make it smaller."},
    {"E0616", "more budgets and limits on one connection than it can be charged to",
     "A flow keeps what it is charged to: its limits, and for each direction the accounts that its bytes draw on, each "
     "with the reserves that it may use, the bucket of a throttle, and what `max_share` leaves one host. The message "
     "says which budgets and limits meet, and how many places each of them takes. Give budgets that count the same "
     "traffic one statement with several `windows`, and reserves to fewer segments. A frame without addresses (ARP) is "
     "charged to every budget of its segment, so that a segment cannot be in too many `from`."},
    {"E0617", "too many assets beside RDMA",
     "Where some allow opens RDMA, every address is known by the assets that it holds, 64 at the most: a READ takes "
     "from whoever is asked, so that it passes only where the reader holds what the other side holds. Join assets that "
     "the same segments hold."},
    {"E0618", "too many jobs", "An address is known by its jobs; the message says how many there can be."},
    {"E0619", "too many declared queue pairs", "The message says how many an image can hold."},
    {"E0620", "too many inspections", "A rule asks for inspections by bits; the message says how many there can be."},
    {"E0621", "too many signature sets or patterns",
     "Sets and patterns of all inspections together; the message says how many are looked for at once."},
    {"E0622", "too many terms of DNS", "The message says how many there can be."},
    {"E0699", "the compiled image does not hold",
     "The image was compiled and then refused by the verification that the dataplane runs. That is a fault of Weir, "
     "not of the policy; nothing was written."},
    {"W0101", "a pattern that matches nothing",
     "An `include` with `*` or `?` matched no file. That is permitted, since teams come and go, but may be a "
     "misspelt directory."},
    {"W0110", "known, read, and not yet enforced",
     "The word is part of the rule language and `check`, `bound` and `diff` know what it means, but this version of "
     "Weir does not enforce it. `compile`, and so every installation, refuses the policy (E0110)."},
    {"W0201", "a segment that no statement names", "It changes nothing but the names shown for its addresses."},
    {"W0202", "a service that no statement names", "It can be deleted, or a statement misses it."},
    {"W0203", "a group that no statement names", "It can be deleted, or a statement misses it."},
    {"W0204", "a list that no statement names", "It is read and compiled for nothing."},
    {"W0205", "an inspection that no allow names", "Nothing is looked at by it."},
    {"W0206", "terms of DNS that no allow names", "Nothing is held to them."},
    {"W0301", "an exit that a budget only watches",
     "The only budget that covers this flow has on_exceed = \"alert\": it tells, and bounds nothing. That is permitted "
     "where the source holds no asset; every bound counts the path as unlimited."},
    {"W0302", "classes are off",
     "No segment has a class, so that nothing says which way bytes must not flow. Give every segment one of public, "
     "internal, restricted, secret, and E0301 finds the exits."},
    {"W0401", "an allow that never takes effect",
     "Forbids cover every source, target and service of this allow. A forbid beats every allow, whatever the order."},
    {"W0402", "an allow that another allow contains",
     "Deleting it would change nothing but whose name is counted: both ask for the same inspections, protocols and the "
     "like. Two teams may want that; otherwise one is left over."},
    {"W0403", "a forbid that leaves nothing allowed",
     "This forbid alone covers every allow of the policy: nothing can pass. What no allow covers is denied already; "
     "a forbid is for what no allow may ever open."},
    {"W0404", "an allow without services over a wide range",
     "The allow has no `with` and one of its sides covers more than 16 million addresses: every TCP, UDP and SCTP "
     "port to or from there."},
    {"W0405", "an allow or a test that expires soon",
     "Within 14 days. The dataplane ends an allow at the end of the day stated, UTC, established flows included; a "
     "test is not run from the next day on."},
    {"W0406", "an allow or a test that has expired", "Its last day is over; it allows nothing, or is not run."},
    {"W0407", "an attached port without a pin",
     "The host behind this port may claim any address of the segment. [port.NAME] addresses = [...] says which it "
     "may."},
    {"W0408", "a carrier that is not looked into",
     "UDP ports of VXLAN's older form and Ultra Ethernet carry traffic of their own. Naming the port opens it between "
     "the outer addresses, and this version looks at nothing inside."},
    {"W0409", "segments that overlap in part",
     "Neither contains the other, and some addresses are in both: these have the rights of both. Nested segments are "
     "not warned about."},
    {"W0411", "a setting that nothing uses",
     "The key only refines others, and none of those is stated: a scan's window without a number of ports or hosts."},
    {"W0412", "a budget that one host can spend for all",
     "Several hosts share an account that denies when it is empty: one of them, broken or hostile, cuts the others off "
     "until the window has passed. `max_share` says how much of it one host may spend; `scope = \"host\"` gives each "
     "an account of its own."},
    {"W0413", "a window that never decides",
     "A longer window permits no more than this shorter one, so that the longer one is always reached first. That is "
     "legal; one of the two numbers may be a mistake."},
    {"W0415", "a budget that watches an asset and bounds nothing",
     "on_exceed = \"alert\" tells and lets pass. Its `from` holds an asset, so that it satisfies no class (E0301), and "
     "every bound counts the path as unlimited."},
    {"W0416", "a burst that no jumbo frame fits",
     "What is larger than a limit's `burst` never passes, however long it waits. Without the key the burst is one "
     "second of `rate`, which of a slow one is less than a frame of 9,000 bytes."},
    {"W0417", "terms for queue pairs that are not opened",
     "`operations`, `read_mtu` and `read_credit` are about queue pairs, and no service of this allow has `rdma`. Or "
     "`first_use` stands where every queue pair goes through a connection manager, which teaches it."},
    {"W0418", "queue pairs without acknowledgements",
     "`operations` says all that passes. A reliable queue pair is acknowledged; without \"ack\" it stops at its first "
     "message. \"cnp\", congestion notification, keeps it fast."},
    {"W0419", "READ from who holds an asset",
     "The allow states \"read\", and one side holds an asset that the other does not. RDMA READ takes: a request of 74 "
     "bytes is answered with up to 2 GiB. Without `operations` such a READ is denied and every other one passes. Where "
     "it is meant, a budget bounds it: a READ is charged whole before it passes."},
    {"W0420", "a port that opens no queue pair",
     "RoCEv2 travels in UDP to port 4791, and Weir follows its queue pairs: what opens them is a service with "
     "rdma = [...]. In a forbid, a limit and a budget the port still means all of them."},
    {"W0421", "a job that no allow joins",
     "Jobs open nothing: they narrow what allows open between their members. No allow with the services of the job's "
     "transports leads from a member to a member."},
    {"W0422", "a member known by its port alone",
     "Handshakes name queue pairs by address. A segment without `cidr` has none that could be looked up, so that queue "
     "pairs of the same host behind other ports are not known to be the job's."},
    {"W0423", "a declared queue pair that no allow opens",
     "[[queue_pair]] says where queue pairs are, not who may speak. An allow from the segment of `from` to that of "
     "`to` with rdma = [\"nccl\"] or [\"any\"] opens it."},
    {"W0424", "an allow that goes round an inspection",
     "What is looked at in a connection says the most specific allow that covers it. This allow is more specific than "
     "another that overlaps it, and lacks an inspection, a protocol or terms of DNS, ICMP or headers that the "
     "other asks for: what both cover passes without it. Where that is meant, say so in `why`; else ask for the same."},
    {"W0425", "a policy that only watches",
     "[policy] mode is \"monitor\": what the policy would deny passes, and is told. No bound holds meanwhile. With "
     "`monitor_until` the dataplane enforces by itself after that day."},
    {"W0410", "a segment without addresses", "`except` takes everything away, or the list is empty."},
};

}  // namespace

std::span<const CodeRow> code_rows() { return rows; }

const CodeRow* find_code(std::string_view code) {
  const auto found = std::ranges::find(rows, code, &CodeRow::code);
  return found == std::end(rows) ? nullptr : found;
}

}  // namespace weir::control
