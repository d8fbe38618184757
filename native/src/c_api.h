// What stands behind the opaque types of percepnet.h.
#pragma once

#include "enhancer.h"

struct percepnet_model {
  percepnet::Model model;
};

struct percepnet_enhancer {
  percepnet::Enhancer enhancer;
  bool listed = false;  // in the call at work: found twice, it is refused
};
