/* Runs the kernel on networks and rows from a file, for processors that this machine does not have.
 *
 * The file is a list of numbers of 64 bits and of blocks, as `test_processors` writes it: pointers are offsets
 * into the block of constants, plus 1. */
#include "kernel.c"

#include <stdio.h>

static void *block(FILE *file) {
    uint64_t size;
    if (fread(&size, sizeof size, 1, file) != 1) exit(2);
    void *content = aligned_alloc(64, size / 64 * 64 + 64);
    if (!content || fread(content, 1, size, file) != size) exit(3);
    return content;
}

static void place(const void **pointer, const char *constants) {
    *pointer = *pointer ? constants + (uintptr_t)*pointer - 1 : NULL;
}

int main(int count, char **words) {
    FILE *file = count == 2 ? fopen(words[1], "rb") : NULL;
    if (!file) return 1;
    int64_t *sizes = block(file); /* cases; and of each: rows, first, passes, padded */
    const char *constants = block(file);
    Network *network = block(file);
    Operation *operations = block(file);
    network->operation = operations;
    network->input = block(file);
    network->last = block(file);
    network->repeat = block(file);
    for (int at = 0; at < network->operations; at++) {
        place((const void **)&operations[at].first, constants);
        place((const void **)&operations[at].second, constants);
        place((const void **)&operations[at].index, constants);
    }
    for (int64_t one = 0, *size = sizes + 1; one < sizes[0]; one++, size += 4) {
        const double *given[8];
        for (int at = 0; at < network->inputs; at++) given[at] = block(file);
        const uint64_t *seeds = block(file);
        float *draws = calloc((size_t)(size[0] * network->classes * size[3]), sizeof(float));
        double *found = calloc((size_t)(size[0] * (2 * network->classes + 4)), sizeof(double));
        if (!draws || !found ||
            dubito_run(network, dubito_forms() - 1, given, seeds, size[0], size[1], size[2], size[3], draws, found))
            return 4;
        fwrite(draws, sizeof(float), (size_t)(size[0] * network->classes * size[3]), stdout);
        fwrite(found, sizeof(double), (size_t)(size[0] * (2 * network->classes + 4)), stdout);
    }
    return 0;
}
