// What stands behind the opaque types of percepnet.h.
#pragma once

#include "enhancer.h"

struct percepnet_model {
  percepnet::Model model;
};

struct percepnet_enhancer {
  percepnet::Enhancer enhancer;
};
