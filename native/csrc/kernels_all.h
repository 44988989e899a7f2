/* Every kernel for one instruction set: included by kernels_<tier>.c, which defines TIER and VEC_HEADER. */
#define FN_PASTE(name, tier) name##_##tier
#define FN_NAME(name, tier) FN_PASTE(name, tier)
#define FN(name) FN_NAME(name, TIER)
#include "vec.h"

#include "field.h"
#include "kb6.h"
#include "dots.h"
#include "deep.h"
#include "ntt_rows.h"
#include "ntt.h"
#include "points.h"
#include "blake3.h"
#include "hash_stream.h"
#include "poseidon2.h"
#include "hash160.h"
#include "machine.h"

const struct kernels FN(kernels) = {
#define KERNEL(result, name, parameters, arguments) .name = FN(name),
#include "kernel_list.h"
#undef KERNEL
};
