/* What a run of the machine reads and writes (circuits/machine/executor_jit.py says what each array holds). Plain declarations:
 * native/build.py reads them for cffi. */
struct execution {
    const int64_t *rom, *code, *starts;
    const uint32_t *hashes, *tape;
    const int64_t *given;
    const uint32_t *given_words;
    int64_t *keys;
    uint32_t *before, *after;
    uint32_t *log_pc, *log_words, *log_h, *log_instruction, *log_state;
    uint32_t *public_words, *public_set, *leaves, *leaf_set, *requests;
    int64_t *entered, *shadow_at, *shadow_keys;
    uint32_t *shadow_seeds, *shadow_last;
    int64_t *counters;
    int64_t rom_rows, code_rows, programs, hints, cells, places, steps, publics, exits, shadows, max_steps;
};
int pp_execute(const struct execution *run);
void pp_hash_words(const uint64_t *words, size_t count, uint32_t tag, uint32_t *digest);
