/* Plain C, for every processor. */
#include "kernels.h"
#include "field_scalar.h"
#include "poseidon2_constants.h"
#define TIER portable
#define VEC_HEADER "vec_portable.h"
#include "kernels_all.h"
