/* Twiddle tables, made once per size, and aligned memory. */
#include "field_scalar.h"
#include "kernels.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

static const u32 *tables[2][TWO_ADICITY];
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

#define HUGE_PAGE ((size_t)1 << 21)

void *aligned_new(size_t bytes) {
    void *memory = NULL;
    size_t alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : 64;
    if (posix_memalign(&memory, alignment, bytes ? bytes : 64) != 0) return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_PAGE) (void)madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return memory;
}

void aligned_free(void *memory) { free(memory); }

const u32 *twiddles(unsigned log_h, int inverse) {
    const u32 *found = __atomic_load_n(&tables[inverse][log_h], __ATOMIC_ACQUIRE);
    if (found) return found;
    pthread_mutex_lock(&table_lock);
    found = tables[inverse][log_h];
    if (!found) {
        size_t h = (size_t)1 << log_h;
        u32 *made = aligned_new(h * sizeof(u32));
        if (made) {
            u32 w = m_root(log_h + 1);
            if (inverse) w = m_inv(w);
            u32 step = w;
            made[0] = R1;
            for (size_t size = 1; size < h; size <<= 1) { /* step = w^size */
                for (size_t i = 0; i < size; i++) made[size + i] = m_mul(made[i], step);
                step = m_mul(step, step);
            }
            __atomic_store_n(&tables[inverse][log_h], made, __ATOMIC_RELEASE);
            found = made;
        }
    }
    pthread_mutex_unlock(&table_lock);
    return found;
}
