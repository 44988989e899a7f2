/* Chooses the instruction set once, and forwards every kernel to it. */
#include "kernels.h"

#if defined(__x86_64__) || defined(__i386__)
#define HAVE_X86 1
#endif

static const struct kernels *active;
static int active_tier = -1;

int pp_tier_available(int tier) {
    if (tier == TIER_PORTABLE) return 1;
#ifdef HAVE_X86
    __builtin_cpu_init();
    if (tier == TIER_AVX2) return __builtin_cpu_supports("avx2") != 0;
    if (tier == TIER_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    return 0;
}

static const struct kernels *table_of(int tier) {
#ifdef HAVE_X86
    if (tier == TIER_AVX2) return &kernels_avx2;
    if (tier == TIER_AVX512) return &kernels_avx512;
#endif
    (void)tier;
    return &kernels_portable;
}

int pp_set_tier(int tier) {
    if (!pp_tier_available(tier)) return 0;
    active = table_of(tier);
    active_tier = tier;
    return 1;
}

int pp_tier(void) { return active_tier; }

/* Runs when the library is loaded: the best tier that the processor has. */
__attribute__((constructor)) static void choose(void) {
    for (int tier = TIER_AVX512; tier >= TIER_PORTABLE; tier--)
        if (pp_set_tier(tier)) return;
}

#define KERNEL(result, name, parameters, arguments) \
    result pp_##name parameters { return active->name arguments; }
#include "kernel_list.h"
#undef KERNEL
