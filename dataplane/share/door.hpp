// What is said through the door: the dataplane's UNIX socket (SOCK_SEQPACKET, mode 0600). One request is one
// message of fixed size, and so is each answer; a message of another size, magic or version is refused. An image
// travels as a file descriptor (SCM_RIGHTS), never as bytes, and the dataplane reads it into memory of its own.
// Numbers are in the machine's order: both ends are on one machine.
//
//   request install + one descriptor -> answer
//   request install, confirm_within_ms + two descriptors, the image and its fallback -> answer
//   the same with a name             -> answer; the breakglass allow that the image opens: it is never confirmed
//   request confirm                  -> answer
//   request flush                    -> answer
//   request seal_job, open_job       -> answer
//   request members, alarms          -> answer, then PairStatuses, as many as it takes for its pairs
//   request cut_port, release_port   -> answer
//   request quarantine, let_go + one descriptor, of a regular file with a row: dataplane/share/quarantine_rows.hpp
//                                    -> answer
//   request quarantined + one descriptor, of a regular file: of all rows -> answer
//   request export_lessons, import_lessons + one descriptor, of a regular file -> answer
//   request flows + one descriptor, of a regular file: dataplane/share/flow_rows.hpp -> answer
//   request image + one descriptor, likewise: of the policy in force -> answer
//   request shadow + one descriptor, the image of a policy that is asked beside the one in force -> answer
//   request end_shadow               -> answer
//   request shadow_image + one descriptor, of a regular file: of the shadow -> answer
//   request mirror + one descriptor, of a regular file with a MirrorWish (dataplane/share/mirror_wish.hpp)
//                                    -> answer, and the file then begins with a MirrorTold; then Mirrored as they come,
//                                       each as long as its frame, and at last a MirrorEnd. One at a time; it is over
//                                       early when who asked says anything more, or nothing more can be said to them
//   request status                   -> answer, then one WorkerStatus per worker, then BudgetStatus of some budgets
#pragma once
#include "dataplane/base/limits.hpp"
#include "dataplane/packet/reason.hpp"
#include "dataplane/share/stats.hpp"

#include <type_traits>

namespace weir::door {

inline constexpr u32 magic_value = 0x524f'4f44;  // "DOOR"
inline constexpr u16 version_value = 10;

enum class Act : u16 {
  install = 1,
  status = 2,
  flush = 3,
  seal_job = 4,
  open_job = 5,
  members = 6,
  alarms = 7,
  export_lessons = 8,
  import_lessons = 9,
  release_port = 10,
  confirm = 11,
  flows = 12,
  image = 13,
  cut_port = 14,
  quarantine = 15,
  let_go = 16,
  quarantined = 17,
  shadow = 18,
  end_shadow = 19,
  shadow_image = 20,
  mirror = 21,
};

enum class Result : u16 {
  done = 0,
  malformed = 1,  // not a request of this version
  refused = 2,    // the image, its generation or its descriptor, the job or the port is not acceptable: section and
                  // sentence say why
  busy = 3,       // workers have not announced the previous image yet, or this act: nothing or not all is done
};

// Bits of Request::force.
inline constexpr u32 force_generation = 1;  // take a lower generation too, never the current one
inline constexpr u32 force_trial = 2;       // take the place of a policy that awaits its confirmation, which ends that
inline constexpr u32 confirm_within_ms_max = 7 * 24 * 3'600'000;

struct Request {
  u32 magic;
  u16 version;
  Act act;
  u32 force;     // install only: bits above
  u32 confirm_within_ms;  // install only: 0, or the image is on trial: without a confirmation within this time its
                          // fallback comes into force, of a generation above it
  char name[64];  // of a job's acts: the job's, of cut_port, release_port: the port's; of an install on trial: the
                  // breakglass allow that it opens, or empty; NUL-terminated; else empty
  u64 generation;  // confirm only: the policy that is meant, 0: whichever awaits it
};
static_assert(sizeof(Request) == 88);

enum class JobState : u32 { waiting = 0, open = 1, sealed = 2 };  // waiting: for its first queue pair

enum class LedgerState : u32 { none = 0, open = 1, closed = 2 };

struct Answer {
  u32 magic;
  u16 version;
  Result result;
  u64 generation;     // of the policy in force after this act; 0 when none
  u64 blocked_us;     // install: from the flip until the last worker announced it
  u64 uptime_s;       // status
  u64 reasons_table;  // status: reasons_table_value of the writer; a reader built from another table must refuse
  u32 workers;        // status: how many WorkerStatus messages follow
  u32 flows_flushed;  // flush: how many flows were live
  char policy_name[64];
  char section[64];    // refused: of the image, or "request"
  char sentence[192];  // refused, busy, malformed: why; install: a warning, or empty. NUL-terminated, as all texts here
  LedgerState ledger;  // status
  u32 budgets;         // status: how many BudgetStatus messages follow, at most budgets_shown_max
  u64 budgets_in_force;        // status: accounts of all budgets
  char ledger_sentence[256];   // status, closed: why
  JobState job_state;  // members
  u32 pairs;           // members, alarms: how many follow, at most pairs_shown_max; export, import: how many were
                       // taken; flows, quarantined: how many rows
  u64 pairs_unnamed;   // members, alarms, flows: how many are not told
  u64 job_began_us;    // members: how long ago its window began; 0: it has not, or an operator has sealed it
  u64 job_seals_us;    // members: in how long the window ends; 0: it does not by time
  char quarantined[256];  // status and acts of quarantine: the ports that are cut off, by name, with a comma between,
                          // and how many hosts and flows are in quarantine; empty where there is none of them
  u64 awaited_generation;   // status, install, confirm: the policy on trial; 0: none is
  u64 fallback_generation;  // likewise: what comes into force without a confirmation
  u64 confirm_left_ms;      // likewise: the time left for one; 0: it is over
  char breakglass[64];      // likewise: the allow that is open until then; empty: an ordinary trial, or none
  u64 now;                  // the Tick by which `expires` is judged on live ports
  char links_down[256];         // status: the ports whose link is down, by name, with a comma between
  char fallback_sentence[128];  // likewise: why the fallback is not in force although its time has come
  u64 monitor_until;        // of the policy in force: the first Tick at which it denies; 0: it does, all ones: never
  u64 flows_kept;           // status: of the run before, by a planned restart; 0 also where nothing was kept
  u64 flows_not_kept;       // likewise: inspected ones, and those that found no room
  u64 restart_blocked_us;   // likewise: from the last look for frames of the run before until the first of this one
  char restart_sentence[256];  // status: why it started empty, where there was something to take up
  u64 shadow_generation;    // of the policy that is asked beside the one in force; 0: none is
  char shadow_name[64];
  u64 shadow_s;             // for how long; what follows was counted in that time
  u64 shadow_compared;      // questions that both were asked
  u64 shadow_would_pass;    // of them, that were denied and that the shadow allows
  u64 shadow_would_deny;    // of them, that were allowed and that the shadow denies
  u64 shadow_untold;        // of these two, without an event of their own
};
static_assert(std::is_trivially_copyable_v<Answer> && sizeof(Answer) == 1808);

inline constexpr std::size_t reasons_room = 192;
static_assert(reasons_count <= reasons_room);

struct WorkerStatus {
  u32 magic;
  u32 worker;
  u64 received, handed_over, unsent;
  u64 flows_live, flows_opened, flows_expired, flows_judged_again, flows_revoked;
  u64 rdma_alarms, job_alarms;
  u64 sweep_judged;      // flows judged again by the sweep
  u64 sweep_running_us;  // how long the sweep in progress has been at it; 0: none is
  u64 sweep_us;          // how long the last one took, from the change until the last flow had been judged again
  u64 packets[reasons_room];  // by reason
  u64 bytes[reasons_room];
};
static_assert(std::is_trivially_copyable_v<WorkerStatus>);

inline constexpr u32 pairs_shown_max = 1024, pairs_per_message = 64;

// Two members of a job: how many queue pairs they have, and in how many directions these are open and used. Or what
// alarms count: by Alarms::Kind, of two hosts or of a source alone.
struct PairStatus {
  u64 source[2], target[2];  // words of Address
  u64 counts[4];
  u32 is_of_source, told;    // alarms: told is a bit by Kind
};
struct PairStatuses {
  u32 magic;
  u32 count;
  PairStatus pairs[pairs_per_message];
};
static_assert(std::is_trivially_copyable_v<PairStatuses> && sizeof(PairStatuses) == 4616);

// What an order to show packets is told at its beginning, and at its end.
struct MirrorTold {
  u64 magic;
  u32 workers, ports;
  char whole[192];  // why packets of who holds an asset are shown whole, or empty: they are not
  PortName names[ports_max];
};
inline constexpr u64 mirror_told_magic = 0x3144'4c54'524d'5757;  // "WWMRTLD1"
static_assert(std::is_trivially_copyable_v<MirrorTold> && sizeof(MirrorTold) == 208 + 64 * ports_max);

enum class MirrorEnding : u32 { count = 0, time = 1, asked = 2, stopped = 3 };  // stopped: the dataplane was
struct MirrorEnd {
  u32 magic;  // mirror_end_magic
  MirrorEnding ending;
  u64 shown;
  u64 lost;   // wanted as well, and came too fast
};
inline constexpr u32 mirror_end_magic = 0x4445'524d;  // "MRED"
static_assert(std::is_trivially_copyable_v<MirrorEnd> && sizeof(MirrorEnd) == 24);

inline constexpr u32 budgets_shown_max = 64;

// An account of a budget, by the window of which least is left.
struct BudgetStatus {
  u32 magic;
  u32 reserved;  // 0
  u64 length_s;  // of that window; 0: a lifetime
  u64 limit, spent, leased;
  char name[96];
};
static_assert(std::is_trivially_copyable_v<BudgetStatus> && sizeof(BudgetStatus) == 136);

// Tells two tables of reasons apart (FNV-1a over the names in order).
constexpr u64 hash_of_reasons() {
  u64 hash = 0xcbf2'9ce4'8422'2325;
  for (const ReasonRow& reason : reason_rows) {
    for (const char letter : reason.name) hash = (hash ^ static_cast<u8>(letter)) * 0x100'0000'01b3;
    hash = (hash ^ 0xff) * 0x100'0000'01b3;
  }
  return hash;
}
inline constexpr u64 reasons_table_value = hash_of_reasons();

}  // namespace weir::door
