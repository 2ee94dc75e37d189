/* Monte-Carlo passes of a network, and the statistics over them, with the same bits on every processor.
 *
 * The network is a list of operations on a tile of LANES passes; see arithmetic.h for what makes a pass
 * independent of the others, and functions.h for elementary functions. The caller owns all memory but one tile a call. Functions may be called from
 * several threads at once.
 */
#include "forms.h"
#include "functions.h"
#include "normal.h"

#include <fenv.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 32
#define MOST_CLASSES 1024

enum Kind {
    COPY,
    STANDARDIZE,
    AFFINE,
    FILL,
    DENSE,
    DROPOUT,
    ALPHA_DROPOUT,
    GAUSSIAN_DROPOUT,
    ADD,
    SUBTRACT,
    MULTIPLY,
    MAXIMUM,
    MINIMUM,
    MIXTURE,
    ENCODE,
    SELECT,
    LOOKUP,
    DISCRETIZE,
    GATHER
};
/* What an output of an encoding is, see dubito.numerics.encoding. */
enum Mode { MODE_VALUE, MODE_LOG, MODE_MISSING, MODE_SLOT, MODE_PIECE };
enum Activation { LINEAR, RELU, SOFTMAX, ELU, SELU, TANH, SIGMOID, SILU, SOFTPLUS, EXPONENTIAL };

/* One operation. Slots are offsets into a tile, in floats. Values of two axes are `repeat` rows. */
typedef struct {
    int32_t kind, activation;
    int32_t inputs, units;   /* numbers of a row that it reads and writes */
    int32_t repeat;          /* rows of a pass; 1 where all passes are equal, as a tile then has rows */
    int32_t group;           /* rows of its values, where all passes are equal */
    int32_t stride;          /* numbers from one written row to the next */
    int64_t input, other, third, output; /* slots */
    const float *first, *second; /* constants: mean and deviation, factor and offset, weights and bias,
                                    fills and slots with widths, keys and their indices, a table */
    const int32_t *index;    /* of noise: the unit of each value; NULL if each value has its own;
                                of an encoding: column and mode of each output; of a selection: the column */
    float scale, offset, saturated; /* of noise: factor and offset of what is kept, what is dropped;
                                       of a lookup: offset is the index of what is unknown */
    int32_t call;            /* of noise: its ordinal, the second key of the random stream */
    int32_t noises;          /* of noise: its units; of a lookup or of bins: keys; of a table: rows */
    int32_t dropped;         /* of noise: levels of 65,536 that drop a unit */
    int32_t is_random;       /* whether passes differ in it */
    int32_t is_fused;        /* of a dropout: whether the operation behind it, which alone reads it, applies
                                it where a tile has one row; of that operation: whether it does */
    int32_t last;            /* of a fused dropout: its input's place among the values that last */
} Operation;

/* A value of a row, before passes differ, and its slot where they do; -1 if it has none. */
typedef struct {
    int64_t once, each;
    int32_t repeat, units;
    int32_t is_fused;        /* whether only fused dropouts read it */
} Slot;

/* Operations in which all passes are equal run on tiles of rows, those of values of two axes on tiles of
 * their rows; all others on tiles of passes. */
typedef struct {
    int32_t operations, calls, classes;
    int32_t inputs, lasting, repeats;
    int64_t once, each;      /* numbers in a tile of rows, and of passes */
    int64_t result;          /* slot of the probabilities */
    const Operation *operation;
    const Slot *input;       /* what the caller gives */
    const Slot *last;        /* what random operations read and no random operation writes */
    const int32_t *repeat;   /* distinct numbers of rows of values */
} Network;

/* ---- the random stream: Philox4x64-10 (Salmon et al. 2011), as dubito.numerics.rng describes it */

/* Blocks that are computed at a time: a round waits for two multiplications, of which the processor can do
 * those of several blocks meanwhile. */
#define BLOCKS 2

/* The blocks of a counter and of those that follow it. */
static void philox(uint64_t counter, uint64_t seed, uint64_t call, uint64_t out[BLOCKS][4]) {
    uint64_t a[BLOCKS], b[BLOCKS] = {0}, c[BLOCKS] = {0}, d[BLOCKS] = {0};
    for (int at = 0; at < BLOCKS; at++) a[at] = counter + (uint64_t)at;
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
#pragma GCC unroll 4
        for (int at = 0; at < BLOCKS; at++) {
            unsigned __int128 left = (unsigned __int128)0xD2E7470EE14C6C93ULL * a[at];
            unsigned __int128 right = (unsigned __int128)0xCA5A826395121157ULL * c[at];
            a[at] = (uint64_t)(right >> 64) ^ b[at] ^ seed;
            b[at] = (uint64_t)right;
            c[at] = (uint64_t)(left >> 64) ^ d[at] ^ call;
            d[at] = (uint64_t)left;
        }
        seed += 0x9E3779B97F4A7C15ULL;
        call += 0xBB67AE8584CAA73BULL;
    }
    for (int at = 0; at < BLOCKS; at++)
        out[at][0] = a[at], out[at][1] = b[at], out[at][2] = c[at], out[at][3] = d[at];
}

/* Which of the four 16-bit levels of a word are at least `least`, repeated four times: bits 0 to 3. */
static uint32_t at_least(uint64_t levels, uint64_t least) {
    const uint64_t top = 0x8000800080008000ULL;
    /* Of numbers whose top bits are equal the others decide; subtracting them borrows from the top bit. */
    uint64_t others = (levels | top) - (least & ~top);
    uint64_t found = ((levels & ~least) | (~(levels ^ least) & others)) & top;
    return (uint32_t)((found >> 15) * (1ULL << 48 | 1ULL << 33 | 1ULL << 18 | 1ULL << 3) >> 48) & 0xf;
}

/* The masks of passes, `stride` words from one to the next: bit u of a pass' words, the lowest first, says
 * whether unit u is kept. The counters of all blocks follow each other. */
static void masks(uint64_t seed, const Operation *one, int64_t first, int64_t passes, int64_t stride,
                  uint32_t *words) {
    int64_t blocks = (one->noises + 15) / 16, block = 0, left = passes * blocks;
    uint64_t least = (uint64_t)one->dropped * 0x0001000100010001ULL;
    uint64_t counter = (uint64_t)(first * blocks + 1);
    for (; left > 0; left -= BLOCKS, counter += BLOCKS) {
        uint64_t drawn[BLOCKS][4];
        philox(counter, seed, (uint64_t)one->call, drawn);
        for (int at = 0; at < BLOCKS && at < left; at++) {
            uint32_t kept = 0;
            for (int word = 0; word < 4; word++) kept |= at_least(drawn[at][word], least) << (4 * word);
            words[block / 2] = block % 2 ? words[block / 2] | kept << 16 : kept;
            if (++block == blocks) block = 0, words += stride;
        }
    }
}

/* The normal numbers of passes, as the bits of floats; otherwise as `masks`. */
static void normals(uint64_t seed, const Operation *one, int64_t first, int64_t passes, int64_t stride,
                    uint32_t *words) {
    int64_t blocks = (one->noises + 3) / 4, block = 0, left = passes * blocks;
    uint64_t counter = (uint64_t)(first * blocks + 1);
    for (; left > 0; left -= BLOCKS, counter += BLOCKS) {
        uint64_t drawn[BLOCKS][4];
        philox(counter, seed, (uint64_t)one->call, drawn);
        for (int at = 0; at < BLOCKS && at < left; at++) {
            for (int u = 0; u < 4 && block * 4 + u < one->noises; u++)
                words[block * 4 + u] =
                    bits_of((float)normal_quantile(((double)(drawn[at][u] >> 12) + 0.5) * 0x1p-52));
            if (++block == blocks) block = 0, words += stride;
        }
    }
}

static int is_noise(const Operation *one) {
    return one->kind == DROPOUT || one->kind == ALPHA_DROPOUT || one->kind == GAUSSIAN_DROPOUT;
}

/* Words of a pass' noise. */
static int words_of(const Operation *one) {
    if (!is_noise(one)) return 0;
    return one->kind == GAUSSIAN_DROPOUT ? one->noises : (one->noises + 31) / 32;
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
BEGIN_AVX2
#define FORM(name) name##_avx2
#define OUTPUTS 5
#define STRIPE 16
#include "arithmetic.h"
#undef FORM
#undef OUTPUTS
#undef STRIPE
END_FORM

BEGIN_AVX512
#define FORM(name) name##_avx512
#define OUTPUTS 8
#define STRIPE 32
#include "arithmetic.h"
#undef FORM
#undef OUTPUTS
#undef STRIPE
END_FORM
#endif

typedef void Operate(const Operation *, float *, const uint32_t *const *, int);
typedef void Fused(const Operation *, const Operation *, const float *, const uint32_t *, float *);
typedef void Statistics(const float *, int, int, int, double *);

typedef struct {
    Operate *operate;
    Fused *fused;
    Statistics *statistics;
} Form;

static const Form FORMS[] = {
    {operate_scalar, fused_scalar, statistics_scalar},
#if defined(__x86_64__)
    {operate_avx2, fused_avx2, statistics_avx2},
    {operate_avx512, fused_avx512, statistics_avx512},
#endif
};

/* The number of forms that this processor has; the last is the fastest. 1 without FMA. */
int dubito_forms(void) { return forms(); }

/* Whether the processor has fused multiply-adds, without which they would be calls of a library. */
int dubito_has_fma(void) {
#if defined(__x86_64__)
    return forms() > 1;
#elif defined(__aarch64__)
    return 1;
#else
    return 0;
#endif
}

/* ---- running a network */

/* Memory of one call. */
typedef struct {
    float *once, *each;      /* a tile of rows, and one of passes */
    uint32_t *words;         /* noise of a tile: word w of lane p at [w * LANES + p] */
    const uint32_t **noises; /* the words of each call, by its ordinal */
    int64_t count;           /* words of a pass */
    float **lasting;         /* what last of every row */
    uint32_t *table;         /* noise of the passes of one seed, (passes, words) */
} Scratch;

static int begin(const Network *network, int64_t rows, int64_t passes, Scratch *scratch) {
    for (int at = 0; at < network->operations; at++) scratch->count += words_of(&network->operation[at]);
    scratch->once = aligned_alloc(64, (size_t)network->once * LANES * sizeof(float) + 64);
    scratch->each = aligned_alloc(64, (size_t)network->each * LANES * sizeof(float) + 64);
    scratch->words = calloc((size_t)(scratch->count * LANES + 1), sizeof(uint32_t));
    scratch->noises = calloc((size_t)network->calls + 1, sizeof(uint32_t *));
    scratch->lasting = calloc((size_t)network->lasting + 1, sizeof(float *));
    scratch->table = malloc((size_t)(passes * scratch->count + 1) * sizeof(uint32_t));
    if (!scratch->once || !scratch->each || !scratch->words || !scratch->noises || !scratch->lasting ||
        !scratch->table)
        return -1;
    for (int slot = 0; slot < network->lasting; slot++) {
        size_t numbers = (size_t)rows * network->last[slot].repeat * network->last[slot].units;
        scratch->lasting[slot] = malloc((numbers + 1) * sizeof(float));
        if (!scratch->lasting[slot]) return -1;
    }
    uint32_t *words = scratch->words;
    for (int at = 0; at < network->operations; at++) {
        const Operation *one = &network->operation[at];
        if (is_noise(one)) scratch->noises[one->call] = words;
        words += (int64_t)words_of(one) * LANES;
    }
    return 0;
}

static void end(const Network *network, Scratch *scratch) {
    for (int slot = 0; scratch->lasting && slot < network->lasting; slot++) free(scratch->lasting[slot]);
    free(scratch->once);
    free(scratch->each);
    free(scratch->words);
    free(scratch->noises);
    free(scratch->lasting);
    free(scratch->table);
}

/* The noise of a seed's passes, (passes, `count` words). */
static void draw_noise(const Network *network, uint64_t seed, int64_t first, int64_t passes, int64_t count,
                       uint32_t *table) {
    for (int at = 0; at < network->operations; at++) {
        const Operation *one = &network->operation[at];
        if (one->kind == GAUSSIAN_DROPOUT) normals(seed, one, first, passes, count, table);
        else if (is_noise(one)) masks(seed, one, first, passes, count, table);
        table += words_of(one);
    }
}

/* Computes what is equal in all passes of values that have `repeat` rows, LANES of them at a time. */
static void run_once(const Network *network, const Form *form, Scratch *scratch,
                     const double *const *given, int64_t rows, int repeat) {
    int64_t count = rows * repeat;
    float *tile = scratch->once;
    for (int64_t first = 0; first < count; first += LANES) {
        int some = count - first < LANES ? (int)(count - first) : LANES;
        for (int at = 0; at < network->inputs; at++) {
            const Slot *slot = &network->input[at];
            if (slot->repeat != repeat) continue;
            for (int lane = 0; lane < some; lane++)
                for (int u = 0; u < slot->units; u++)
                    tile[slot->once + u * LANES + lane] = (float)given[at][(first + lane) * slot->units + u];
        }
        for (int at = 0; at < network->operations; at++) {
            const Operation *one = &network->operation[at];
            if (!one->is_random && one->group == repeat) form->operate(one, tile, NULL, 1);
        }
        for (int at = 0; at < network->lasting; at++) {
            const Slot *slot = &network->last[at];
            if (slot->repeat != repeat) continue;
            for (int lane = 0; lane < some; lane++)
                for (int u = 0; u < slot->units; u++)
                    scratch->lasting[at][(first + lane) * slot->units + u] =
                        tile[slot->once + u * LANES + lane];
        }
    }
}

/* Prepares lanes `lane` to `lane + some` for passes of one row, which may be alone in the tile: what is equal
 * in all passes, and noise. */
static void load(const Network *network, Scratch *scratch, int64_t row, const uint32_t *noise, int lane,
                 int some, int is_alone) {
    for (int at = 0; at < network->lasting; at++) {
        const Slot *slot = &network->last[at];
        if (slot->is_fused && is_alone) continue;
        int numbers = slot->repeat * slot->units;
        const float *values = scratch->lasting[at] + row * numbers;
        float *to = scratch->each + slot->each + lane;
        for (int i = 0; i < numbers; i++)
            for (int p = 0; p < some; p++) to[i * LANES + p] = values[i];
    }
    for (int p = 0; noise && p < some; p++)
        for (int64_t word = 0; word < scratch->count; word++)
            scratch->words[word * LANES + lane + p] = noise[p * scratch->count + word];
}

/* Runs all operations in which passes differ on a tile; `row` is the row of all its lanes, or -1. */
static void run_tile(const Network *network, const Form *form, Scratch *scratch, int64_t row, int plain) {
    const Operation *fused = NULL;
    for (int at = 0; at < network->operations; at++) {
        const Operation *one = &network->operation[at];
        if (!one->is_random) continue;
        if (row < 0 || !one->is_fused) {
            form->operate(one, scratch->each, scratch->noises, plain);
        } else if (is_noise(one)) {
            fused = one;
        } else {
            const float *values = scratch->lasting[fused->last] + row * fused->repeat * fused->units;
            form->fused(one, fused, values, scratch->noises[fused->call], scratch->each);
        }
    }
}

/* All passes of all rows. Pairs of a row and a pass fill tiles one after another, so that few passes of
 * many rows leave no lane empty; rows that follow each other under one seed share its noise. Without
 * seeds, the pass without noise. */
static void run_each(const Network *network, const Form *form, Scratch *scratch, const uint64_t *seeds,
                     int64_t rows, int64_t first, int64_t passes, int64_t padded, float *draws) {
    int lane = 0;
    for (int64_t row = 0; row < rows; row++) {
        if (seeds && (!row || seeds[row] != seeds[row - 1]))
            draw_noise(network, seeds[row], first, passes, scratch->count, scratch->table);
        for (int64_t pass = 0; pass < passes;) {
            int some = passes - pass < LANES - lane ? (int)(passes - pass) : LANES - lane;
            const uint32_t *noise = seeds ? scratch->table + pass * scratch->count : NULL;
            int is_full = lane + some == LANES || (row == rows - 1 && pass + some == passes);
            int is_alone = is_full && lane == 0 && seeds;
            load(network, scratch, row, noise, lane, some, is_alone);
            lane += some;
            pass += some;
            if (!is_full) continue;
            run_tile(network, form, scratch, is_alone ? row : -1, !seeds);
            int64_t pair = row * passes + pass - lane;
            for (int p = 0; p < lane; p++, pair++)
                for (int c = 0; c < network->classes; c++)
                    draws[(pair / passes * network->classes + c) * padded + pair % passes] =
                        scratch->each[network->result + c * LANES + p];
            lane = 0;
        }
    }
}

/* The statistics (rows, 2 classes + 4) over draws (rows, classes, padded), of which `passes` count. */
void dubito_statistics(int form, const float *draws, int64_t rows, int classes, int64_t passes,
                       int64_t padded, double *found) {
    fenv_t caller;
    fegetenv(&caller);
    fesetenv(FE_DFL_ENV);
    for (int64_t row = 0; row < rows; row++)
        FORMS[form].statistics(draws + row * classes * padded, classes, (int)passes, (int)padded,
                               found + row * (2 * classes + 4));
    fesetenv(&caller);
}

/* Passes `first` to `first + passes` of each row under its seed; without seeds, the one pass without noise.
 *
 * `given` has the rows of every input. `draws`, (rows, classes, padded) with `padded` at least the passes,
 * gets every pass' probabilities; `found`, (rows, 2 classes + 4), the statistics, if it is not NULL: then
 * `padded` is the passes rounded up to LANES. Returns -1 without memory. */
int dubito_run(const Network *network, int form_at, const double *const *given, const uint64_t *seeds,
               int64_t rows, int64_t first, int64_t passes, int64_t padded, float *draws, double *found) {
    const Form *form = &FORMS[form_at];
    Scratch scratch = {0};
    int failed = begin(network, rows, passes, &scratch);
    if (!failed) {
        fenv_t caller;
        fegetenv(&caller);
        fesetenv(FE_DFL_ENV);
        for (int at = 0; at < network->repeats; at++)
            run_once(network, form, &scratch, given, rows, network->repeat[at]);
        run_each(network, form, &scratch, seeds, rows, first, passes, padded, draws);
        fesetenv(&caller);
        if (found) dubito_statistics(form_at, draws, rows, network->classes, passes, padded, found);
    }
    end(network, &scratch);
    return failed;
}

/* Numbers rounded to single precision. */
void dubito_round(const double *values, double *found, int64_t count) {
    fenv_t caller;
    fegetenv(&caller);
    fesetenv(FE_DFL_ENV);
    for (int64_t at = 0; at < count; at++) found[at] = (float)values[at];
    fesetenv(&caller);
}
