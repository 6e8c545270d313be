// The folder of --keep: `run`, the number of the last run here, locked while one runs, and `kept`, the state that the
// last one left when it stopped cleanly. What a state says is dataplane/edge/kept_state.hpp's; this sees to it that it
// is a file of our own that nobody else reads, that its mark is set last, and that it is gone before anybody uses it.
//
// Invariant: a state is taken once at most, also where somebody puts a copy back: by then another run is the last.
#pragma once
#include "dataplane/edge/kept_state.hpp"
#include "dataplane/edge/memory.hpp"

#include <functional>

namespace weir::edge {

class KeepFolder {
 public:
  // Makes the folder where there is none, and locks it. It must be ours, and nobody else may write in it.
  static std::expected<KeepFolder, Error> open(const std::string& path);
  KeepFolder(KeepFolder&& other) noexcept;
  KeepFolder& operator=(KeepFolder&& other) noexcept;
  ~KeepFolder();

  struct Left {
    bool has_run;    // somebody has run here before
    RunId run;       // who did last
    Mapping state;   // what it kept, or nothing
    std::string why; // why nothing, where there was something
  };
  // What the last run left; it is not in the folder any more, and `self` is the last run here. An error: then nothing
  // may be taken, and nothing be written.
  std::expected<Left, Error> begin(const RunId& self);

  // A state of at most so many bytes. `fill` writes it and returns how many it has; its mark, the second word, is
  // written by this, when everything else is on the disk.
  std::expected<void, Error> write(u64 bytes_most, const std::function<u64(std::span<std::byte>)>& fill);

 private:
  KeepFolder(std::string path, int folder) : path_(std::move(path)), folder_(folder) {}
  std::expected<Mapping, std::string> take() const;
  Error wrong(const char* what) const;

  std::string path_;
  int folder_ = -1, run_ = -1;
};

}  // namespace weir::edge
