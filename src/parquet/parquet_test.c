// SPDX-License-Identifier: Apache-2.0
#include "parquet/model_test.h"

TEST(random_tables_come_back) {
    for (int i = 0; i < 60; i++) {
        struct model m;
        struct memory_file f;
        model_init(&m);
        memory_file_init(&f);
        model_random(&m, i % 10 == 9 ? 12000 : 3000);
        CHECK_OK(model_write(&m, &f));
        model_compare(&m, &f);
        memory_file_fini(&f);
        model_fini(&m);
    }
}
