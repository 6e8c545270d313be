#include "dataplane/rdma/conversations.hpp"

namespace weir {
namespace {

using State = Conversation::State;

// X(state, message, by the opener or the replier, next)
struct Transition {
  State state;
  CmStep message;
  bool from_opener;
  State next;
};
// A request that is sent again may meet the answer on its way, and so may an answer the confirmation.
constexpr Transition transitions[] = {
    {State::asked, CmStep::request, true, State::asked},
    {State::asked, CmStep::wait, false, State::asked},
    {State::asked, CmStep::reply, false, State::answered},
    {State::asked, CmStep::reject, false, State::free},
    {State::answered, CmStep::request, true, State::answered},
    {State::answered, CmStep::reply, false, State::answered},
    {State::answered, CmStep::wait, true, State::answered},
    {State::answered, CmStep::reject, true, State::free},
    {State::answered, CmStep::reject, false, State::free},
    {State::answered, CmStep::ready, true, State::ready},
    {State::ready, CmStep::reply, false, State::ready},
    {State::ready, CmStep::ready, true, State::ready},
    {State::resolving, CmStep::resolve, true, State::resolving},
    {State::resolving, CmStep::resolution, false, State::resolved},
    {State::resolved, CmStep::resolve, true, State::resolved},
    {State::resolved, CmStep::resolution, false, State::resolved},
    {State::closing, CmStep::disconnect, true, State::closing},
    {State::closing, CmStep::disconnected, false, State::closing},
};

constexpr bool is_complete(State state) {
  return state == State::ready || state == State::resolved || state == State::closing;
}

}  // namespace

Conversations::Conversations(std::span<std::byte> memory, const HashKey& secret)
    : sets_(reinterpret_cast<Set*>(memory.data())), secret_(secret) {
  WEIR_CHECK(memory.size() >= bytes_needed);
}

Conversations::Set& Conversations::set_of(const Address& opener, const Address& replier, u32 scope, u32 opener_id) {
  u64 hash = fold_multiply(opener.high ^ secret_.words[0], opener.low ^ secret_.words[1]);
  hash = fold_multiply(hash ^ replier.high ^ secret_.words[2], replier.low ^ secret_.words[3]);
  hash = fold_multiply(hash ^ secret_.words[1], (u64{scope} << 32 | opener_id) ^ secret_.words[2]);
  return sets_[hash >> 32 & (sets - 1)];
}

Conversation* Conversations::find(const Address& opener, const Address& replier, u32 scope, u32 opener_id, Tick now) {
  for (Conversation& one : set_of(opener, replier, scope, opener_id).entries)
    if (one.state != State::free && now < one.until && one.opener_id == opener_id && one.scope == scope &&
        one.opener == opener && one.replier == replier)
      return &one;
  return nullptr;
}

Conversation* Conversations::add(const Address& opener, const Address& replier, u32 scope, u32 opener_id, Tick now) {
  for (Conversation& one : set_of(opener, replier, scope, opener_id).entries) {
    if (one.state != State::free && now < one.until) continue;
    one = Conversation{};
    one.opener = opener;
    one.replier = replier;
    one.scope = scope;
    one.opener_id = opener_id;
    one.until = now + patience_us;
    return &one;
  }
  return nullptr;
}

bool Conversations::step(Conversation& one, CmStep message, bool from_opener, Tick now) {
  for (const Transition& row : transitions) {
    if (row.state != one.state || row.message != message || row.from_opener != from_opener) continue;
    one.state = row.next;
    one.until = now + (is_complete(row.next) ? memory_us : patience_us);
    return true;
  }
  return false;
}

}  // namespace weir
