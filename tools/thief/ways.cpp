#include "tools/thief/ways.hpp"

#include <algorithm>

namespace weir::thief {

View Script::piece(const Bytes& file, u32 bytes) {
  if (at_ >= file.size()) at_ = 0;
  const std::size_t size = std::min({file.size() - at_, std::size_t{bytes}, static_cast<std::size_t>(left_)});
  at_ += size;
  return View(file).subspan(at_ - size, size);
}

void Script::step(const Bytes& frame, bool is_outward, u32 stolen) {
  now_ += 20;
  left_ -= std::min<u64>(left_, stolen);
  take_({now_, is_outward, stolen, &frame});
}

namespace {

u16 own_port(const Door& door) { return static_cast<u16>(20000 + door.port % 10000); }

}  // namespace

Bytes first_packet(const Scene& scene, const Door& door) {
  Path path{scene.holder, scene.accomplice};
  if (!door.holder_dials) path = path.back();
  if (door.protocol == 6)
    return framed(path, ip(path, 6, tcp(path, {own_port(door), door.port, 999, 0, flag::syn}, {})));
  const Bytes question(32, 0x20);
  return framed(path, ip(path, 17, udp(path, own_port(door), door.port, question)));
}

Bytes first_answer(const Scene& scene, const Door& door) {
  const Path path{scene.holder, scene.accomplice};
  if (door.protocol == 6)
    return framed(path, ip(path, 6, tcp(path, {door.port, own_port(door), 5000, 1000, flag::syn | flag::ack}, {})));
  const Bytes answer(32, 0x20);
  return framed(path, ip(path, 17, udp(path, door.port, own_port(door), answer)));
}

std::vector<Way> ways(const Scene& scene) {
  std::vector<Way> all;
  for (auto part : {stream_ways(scene), datagram_ways(scene), queue_pair_ways(scene), nccl_ways(scene),
                    frame_ways(scene)})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace weir::thief
