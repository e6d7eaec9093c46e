#define ASSAY_INSTANCE template
#include <assay/core/instances.hpp>
