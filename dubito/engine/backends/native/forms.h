/* Forms of the arithmetic that a processor has. */
#ifndef DUBITO_FORMS_H
#define DUBITO_FORMS_H

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* Of functions that run once a row: inlined, they would take registers from what runs in every pass. */
#define APART __attribute__((noinline))

/* Functions between BEGIN and END are compiled for a processor that has more than the oldest x86-64. */
#if defined(__clang__)
#define BEGIN_AVX2 \
    _Pragma("clang attribute push(__attribute__((target(\"avx2,fma,bmi,bmi2\"))), apply_to = function)")
#define BEGIN_AVX512 \
    _Pragma("clang attribute push(__attribute__((target(\"avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi,bmi2\"))), apply_to = function)")
#define END_FORM _Pragma("clang attribute pop")
#else
#define BEGIN_AVX2 _Pragma("GCC push_options") _Pragma("GCC target(\"avx2,fma,bmi,bmi2\")")
#define BEGIN_AVX512                                                                                         \
    _Pragma("GCC push_options")                                                                              \
    _Pragma("GCC target(\"avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi,bmi2,prefer-vector-width=512\")")
#define END_FORM _Pragma("GCC pop_options")
#endif

/* The number of forms that this processor has: scalar, AVX2 with FMA, AVX-512. 1 without FMA.
 *
 * Asked of the processor itself: not every compiler's library answers `__builtin_cpu_supports`. */
static inline int forms(void) {
#if defined(__x86_64__)
    unsigned a, b, c, d, saved, high;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 1;
    int has_fma = c >> 12 & 1, can_ask = c >> 27 & 1;
    if (!has_fma || !can_ask) return 1;
    /* What registers the system saves: bits 1 and 2 are those of AVX, 5 to 7 those of AVX-512. */
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if ((saved & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 1;
    unsigned avx2 = 1u << 5 | 1u << 3 | 1u << 8;                      /* and both of BMI */
    unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;      /* F, DQ, BW, VL */
    if ((b & avx2) != avx2) return 1;
    return (b & avx512) == avx512 && (saved & 0xe6) == 0xe6 ? 3 : 2;
#else
    return 1;
#endif
}

#endif
