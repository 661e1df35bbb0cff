// SPDX-License-Identifier: Apache-2.0
// Order statistics of large arrays, in place and without memory: the values of some ranks, or all sorted.
// A multiple quickselect with sampled pivots and branchless partitions; when pivots turn out bad, heapsort
// (Musser's introselect, Software: Practice and Experience 27 (1997) 983-993). The expected time is
// O(n log r) for r ranks, and never more than O(n log n). Deterministic. thread: the array is the caller's.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Moves values so that x[r] is the r-th smallest (from 0) for every given rank. Ranks ascend (equal ones are
// fine) and are below n.
void order_select(int64_t *x, size_t n, const size_t *ranks, size_t n_ranks);
void order_sort_ints(int64_t *x, size_t n);

// Of doubles, by value and -0 before 0. NaN have no place in an order: order_drop_nan moves them to the end
// and returns the number of the others. The functions after it want an array without NaN.
size_t order_drop_nan(double *x, size_t n);
void order_select_doubles(double *x, size_t n, const size_t *ranks, size_t n_ranks);
void order_sort_doubles(double *x, size_t n);

// Tests only: with so many rounds of partition before heapsort takes over.
void order_select_within_(int64_t *x, size_t n, const size_t *ranks, size_t n_ranks, unsigned rounds);
