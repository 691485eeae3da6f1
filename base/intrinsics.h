// The vector instructions of x86-64; nothing elsewhere.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>

// GCC 12 takes the deliberately undefined operands inside its own AVX-512 intrinsics for mistakes of ours, in
// whoever inlines them.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#endif
