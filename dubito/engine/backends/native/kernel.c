/* Monte-Carlo passes of a network, and the statistics over them, with the same bits on every processor.
 *
 * The network is a list of operations on a tile of LANES passes; see arithmetic.h for what makes a pass
 * independent of the others. The caller owns all memory but one tile a call. Functions may be called from
 * several threads at once.
 */
#include "forms.h"
#include "functions.h"

#include <fenv.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 32
#define MOST_CLASSES 1024

enum Kind { IDENTITY, STANDARDIZE, AFFINE, FILL, DENSE, DROPOUT };
enum Activation { LINEAR, RELU, SOFTMAX };

/* One operation. Slots are offsets into a tile, in floats. */
typedef struct {
    int32_t kind, activation;
    int32_t inputs, units;   /* numbers that a pass reads and writes */
    int64_t input, output;   /* slots */
    const float *first, *second; /* constants: mean and deviation, factor and offset, weights and bias */
    float scale;             /* of what a dropout keeps */
    int32_t call;            /* of a dropout: its ordinal, the second key of the random stream */
    int32_t dropped;         /* of a dropout: levels of 65,536 that drop a unit */
    int32_t is_random;       /* whether passes differ in it */
} Operation;

typedef struct {
    int32_t operations, calls, features, classes;
    int64_t floats;          /* numbers in a tile */
    int64_t rows;            /* slot of the rows */
    int64_t result;          /* slot of the probabilities */
    const Operation *each;
    int32_t lasting;         /* slots that are equal in all passes and read by random operations */
    const int64_t *slots;
    const int32_t *units;
} Network;

/* ---- the random stream: Philox4x64-10 (Salmon et al. 2011), as dubito.numerics.rng describes it */

static void philox(uint64_t counter, uint64_t seed, uint64_t call, uint64_t out[4]) {
    uint64_t a = counter, b = 0, c = 0, d = 0;
    for (int round = 0; round < 10; round++) {
        unsigned __int128 left = (unsigned __int128)0xD2E7470EE14C6C93ULL * a;
        unsigned __int128 right = (unsigned __int128)0xCA5A826395121157ULL * c;
        a = (uint64_t)(right >> 64) ^ b ^ seed;
        b = (uint64_t)right;
        c = (uint64_t)(left >> 64) ^ d ^ call;
        d = (uint64_t)left;
        seed += 0x9E3779B97F4A7C15ULL;
        call += 0xBB67AE8584CAA73BULL;
    }
    out[0] = a, out[1] = b, out[2] = c, out[3] = d;
}

/* The mask of one pass: bit u of the words, the lowest first, says whether unit u is kept. */
static void mask(uint64_t seed, const Operation *one, int64_t pass, uint32_t *words) {
    int blocks = (one->units + 15) / 16;
    for (int block = 0; block < blocks; block++) {
        uint64_t drawn[4];
        uint32_t kept = 0;
        philox((uint64_t)(pass * blocks + block + 1), seed, (uint64_t)one->call, drawn);
        for (int u = 0; u < 16; u++) {
            uint32_t level = (uint32_t)(drawn[u / 4] >> (u % 4 * 16)) & 0xffff;
            kept |= (uint32_t)(level >= (uint32_t)one->dropped) << u;
        }
        words[block / 2] = block % 2 ? words[block / 2] | kept << 16 : kept;
    }
}

/* ---- forms of the arithmetic */

#define FORM(name) name##_scalar
#define OUTPUTS 8
#define STRIPE 8
#include "arithmetic.h"
#undef FORM
#undef OUTPUTS
#undef STRIPE

#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2")
#define FORM(name) name##_avx2
#define OUTPUTS 5
#define STRIPE 16
#include "arithmetic.h"
#undef FORM
#undef OUTPUTS
#undef STRIPE
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi,bmi2,prefer-vector-width=512")
#define FORM(name) name##_avx512
#define OUTPUTS 8
#define STRIPE 32
#include "arithmetic.h"
#undef FORM
#undef OUTPUTS
#undef STRIPE
#pragma GCC pop_options
#endif

typedef void Operate(const Operation *, float *, const uint32_t *const *, int);
typedef void Statistics(const float *, int, int, int, double *);

typedef struct {
    Operate *operate;
    Statistics *statistics;
} Form;

static const Form FORMS[] = {
    {operate_scalar, statistics_scalar},
#if defined(__x86_64__)
    {operate_avx2, statistics_avx2},
    {operate_avx512, statistics_avx512},
#endif
};

/* The number of forms that this processor has; the last is the fastest. 1 without FMA. */
int dubito_forms(void) { return forms(); }

/* ---- running a network */

static void fill(float *slot, int units, const float *values, int lane) {
    for (int u = 0; u < units; u++) slot[u * LANES + lane] = values[u];
}

/* Memory of one call: a tile of every slot, and the masks of its lanes. */
typedef struct {
    float *tile;
    uint32_t *words;         /* word w of lane p at [w * LANES + p] */
    const uint32_t **masks;  /* the words of each dropout, by its ordinal */
    int64_t count;           /* words of a pass */
} Scratch;

static int words_of(const Operation *one) {
    return one->kind == DROPOUT ? (one->units + 31) / 32 : 0;
}

static int begin(const Network *network, Scratch *scratch) {
    size_t tile = (size_t)network->floats * LANES * sizeof(float);
    for (int at = 0; at < network->operations; at++) scratch->count += words_of(&network->each[at]);
    scratch->tile = aligned_alloc(64, tile);
    scratch->words = calloc((size_t)(scratch->count * LANES + 1), sizeof(uint32_t));
    scratch->masks = calloc((size_t)network->calls + 1, sizeof(uint32_t *));
    if (!scratch->tile || !scratch->words || !scratch->masks) return -1;
    memset(scratch->tile, 0, tile);
    uint32_t *words = scratch->words;
    for (int at = 0; at < network->operations; at++) {
        const Operation *one = &network->each[at];
        if (one->kind == DROPOUT) scratch->masks[one->call] = words;
        words += (int64_t)words_of(one) * LANES;
    }
    return 0;
}

/* The masks of a seed's passes, (passes, words). */
static void draw_masks(const Network *network, uint64_t seed, int64_t first, int64_t passes,
                       uint32_t *table) {
    for (int64_t pass = first; pass < first + passes; pass++)
        for (int at = 0; at < network->operations; at++) {
            const Operation *one = &network->each[at];
            if (one->kind == DROPOUT) mask(seed, one, pass, table);
            table += words_of(one);
        }
}

static void end(Scratch *scratch) {
    free(scratch->tile);
    free(scratch->words);
    free(scratch->masks);
}

/* Computes what is equal in all passes or, if `is_plain`, the whole network without dropout, LANES rows
 * at a time, and writes the first `kept` of `slots` row by row. */
static void by_rows(const Network *network, const Form *form, Scratch *scratch, const double *rows,
                    int64_t count, int is_plain, int kept, const int64_t *slots, const int32_t *units,
                    float *const *found) {
    for (int64_t first = 0; first < count; first += LANES) {
        int some = count - first < LANES ? (int)(count - first) : LANES;
        for (int lane = 0; lane < some; lane++)
            for (int u = 0; u < network->features; u++)
                scratch->tile[network->rows + u * LANES + lane] =
                    (float)rows[(first + lane) * network->features + u];
        for (int at = 0; at < network->operations; at++)
            if (is_plain || !network->each[at].is_random)
                form->operate(&network->each[at], scratch->tile, scratch->masks, 1);
        for (int slot = 0; slot < kept; slot++)
            for (int lane = 0; lane < some; lane++)
                for (int u = 0; u < units[slot]; u++)
                    found[slot][(first + lane) * units[slot] + u] =
                        scratch->tile[slots[slot] + u * LANES + lane];
    }
}

/* Probabilities (rows, classes) of the pass without dropout. */
int dubito_plain(const Network *network, int form, const double *rows, int64_t count, float *found) {
    Scratch scratch = {0};
    fenv_t caller;
    int failed = begin(network, &scratch);
    if (!failed) {
        float *const results[] = {found};
        fegetenv(&caller);
        fesetenv(FE_DFL_ENV);
        by_rows(network, &FORMS[form], &scratch, rows, count, 1, 1, &network->result, &network->classes,
                results);
        fesetenv(&caller);
    }
    end(&scratch);
    return failed;
}

/* Prepares one lane: what is equal in all passes of its row, and its pass' masks. */
static void load(const Network *network, Scratch *scratch, float *const *lasting, int64_t row,
                 const uint32_t *masks, int lane) {
    for (int slot = 0; slot < network->lasting; slot++)
        fill(scratch->tile + network->slots[slot], network->units[slot],
             lasting[slot] + row * network->units[slot], lane);
    for (int64_t word = 0; word < scratch->count; word++)
        scratch->words[word * LANES + lane] = masks[word];
}

/* All passes of all rows. Pairs of a row and a pass fill tiles one after another, so that few passes of
 * many rows leave no lane empty; rows that follow each other under one seed share its masks. */
static void run(const Network *network, const Form *form, Scratch *scratch, float *const *lasting,
                const uint64_t *seeds, int64_t rows, int64_t first, int64_t passes, uint32_t *table,
                int64_t padded, float *draws) {
    int lane = 0;
    for (int64_t row = 0; row < rows; row++) {
        if (!row || seeds[row] != seeds[row - 1]) draw_masks(network, seeds[row], first, passes, table);
        for (int64_t pass = 0; pass < passes; pass++) {
            load(network, scratch, lasting, row, table + pass * scratch->count, lane);
            int is_last = row == rows - 1 && pass == passes - 1;
            if (++lane < LANES && !is_last) continue;
            for (int at = 0; at < network->operations; at++)
                if (network->each[at].is_random)
                    form->operate(&network->each[at], scratch->tile, scratch->masks, 0);
            int64_t pair = row * passes + pass - lane + 1;
            for (int p = 0; p < lane; p++, pair++)
                for (int c = 0; c < network->classes; c++)
                    draws[(pair / passes * network->classes + c) * padded + pair % passes] =
                        scratch->tile[network->result + c * LANES + p];
            lane = 0;
        }
    }
}

/* Passes `first` to `first + passes` of each row under its seed. `draws`, (rows, classes, padded) with
 * `padded` the passes rounded up to LANES, gets every pass' probabilities; `found`,
 * (rows, 2 classes + 4), the statistics. Returns -1 without memory. */
int dubito_passes(const Network *network, int form_at, const double *rows, const uint64_t *seeds,
                  int64_t count, int64_t first, int64_t passes, float *draws, double *found) {
    const Form *form = &FORMS[form_at];
    int64_t padded = (passes + LANES - 1) / LANES * LANES;
    Scratch scratch = {0};
    int failed = begin(network, &scratch);
    uint32_t *table = malloc((size_t)(passes * scratch.count + 1) * sizeof(uint32_t));
    float **lasting = calloc((size_t)network->lasting + 1, sizeof(float *));
    failed = failed || !table || !lasting;
    for (int slot = 0; !failed && slot < network->lasting; slot++) {
        lasting[slot] = malloc((size_t)(count * network->units[slot]) * sizeof(float));
        failed = !lasting[slot];
    }
    if (!failed) {
        fenv_t caller;
        fegetenv(&caller);
        fesetenv(FE_DFL_ENV);
        by_rows(network, form, &scratch, rows, count, 0, network->lasting, network->slots, network->units,
                lasting);
        run(network, form, &scratch, lasting, seeds, count, first, passes, table, padded, draws);
        for (int64_t row = 0; row < count; row++)
            form->statistics(draws + row * network->classes * padded, network->classes, (int)passes,
                             (int)padded, found + row * (2 * network->classes + 4));
        fesetenv(&caller);
    }
    for (int slot = 0; lasting && slot < network->lasting; slot++) free(lasting[slot]);
    free(lasting);
    free(table);
    end(&scratch);
    return failed;
}
