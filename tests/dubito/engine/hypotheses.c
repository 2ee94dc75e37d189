/* Describes loans' hypotheses from a file, for processors that this machine does not have.
 *
 * The file is doubles: how many hypotheses, loans, hypotheses to keep and grades there are; the constants of the
 * hypotheses, one after the other; and the loans. */
#include "lattice.c"

#include <stdio.h>

static double *doubles(FILE *file, size_t count) {
    double *content = malloc((count ? count : 1) * sizeof(double));
    if (!content || fread(content, sizeof(double), count, file) != count) exit(2);
    return content;
}

int main(int count, char **words) {
    FILE *file = count == 2 ? fopen(words[1], "rb") : NULL;
    if (!file) return 1;
    const double *sizes = doubles(file, 4);
    int64_t hypotheses = (int64_t)sizes[0], loans = (int64_t)sizes[1], kept = (int64_t)sizes[2];
    int classes = (int)sizes[3], form = dubito_forms() - 1;
    const double *constants[10];
    for (int at = 0; at < 10; at++) constants[at] = doubles(file, (size_t)hypotheses);
    Hypotheses every = {hypotheses,   constants[0], constants[1], constants[2], constants[3], constants[4],
                        constants[5], constants[6], constants[7], constants[8], constants[9]};
    const double *rows = doubles(file, (size_t)loans * FEATURES);
    size_t width = (size_t)kept * (size_t)(classes + WIDTH);
    double *described = calloc((size_t)loans * width, sizeof(double));
    double *features = calloc((size_t)loans * FEATURES_WIDTH, sizeof(double));
    if (!described || !features || dubito_describe(&every, form, rows, loans, kept, classes, described)) return 3;
    dubito_features(form, rows, loans, features);
    fwrite(described, sizeof(double), (size_t)loans * width, stdout);
    fwrite(features, sizeof(double), (size_t)loans * FEATURES_WIDTH, stdout);
    return 0;
}
