// SPDX-License-Identifier: Apache-2.0
#include "impact/sampling.h"

#include <math.h>

#include "base/test.h"

TEST(sampling_weights_are_what_the_threshold_says) {
    static const struct {
        const char *state;
        double weight;
        const char *why;
    } rows[] = {
        { "", 0, "nothing is said" },
        { "ot=th:0", 1, "all are kept" },
        { "ot=th:8", 2, "half" },
        { "ot=th:c", 4, "a quarter" },
        { "ot=th:80000000000000", 2, "trailing zeros change nothing" },
        { "ot=th:e6666666666668", 10, "a tenth" },
        { "ot=rv:12345678901234;th:c", 4, "after the randomness" },
        { "ot=th:c;rv:12345678901234", 4, "before it" },
        { "vendor=th:8, ot=th:c ,x=1", 4, "another vendor's th is not ours" },
        { "vendor=a;ot=th:c", 0, "inside another's value" },
        { "ot=", 0, "no member" },
        { "ot=th:", 0, "no digit" },
        { "ot=th:C", 0, "upper case is not of the standard" },
        { "ot=th:800000000000001", 0, "too many digits" },
        { "ot=th:g", 0, "no digit either" },
        { "ot=th:ffffffffffffff", SAMPLING_WEIGHT_MAX, "no span outweighs everything" },
        { "ot=p:3", 0, "an older draft" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double got = sampling_weight(test_exact(str_of(rows[i].state)));
        if (fabs(got - rows[i].weight) > 1e-9 * rows[i].weight) {
            printf("# %s: %.12g (%s)\n", rows[i].state, got, rows[i].why);
            CHECK(false);
        }
    }
}
