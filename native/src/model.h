// A weight file in memory, ready to run: immutable, shared by any number of streams and threads.
#pragma once

#include <cstddef>
#include <string>

#include "network.h"
#include "tracker.h"

namespace percepnet {

struct Model {
  int lookahead = 0;  // hops
  std::string card;   // UTF-8 JSON
  Network network;
  Tracker tracker;

  // Copies what it needs from the bytes; a percepnet_status. After an error the model is not to be used.
  int read(const void* bytes, std::size_t size) noexcept;
};

}  // namespace percepnet
