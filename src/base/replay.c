// SPDX-License-Identifier: Apache-2.0
// Feeds a fuzz target each file of a corpus, without libFuzzer, and prints TAP. Each input lies in
// a heap block of exactly its size, so that ASan sees one byte too many. Linked instead of main.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *read_file(const char *path, size_t *out_size) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *data = NULL;
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    if (size >= 0 && fseek(f, 0, SEEK_SET) == 0) {
        *out_size = (size_t)size;
        data = malloc(*out_size ? *out_size : 1);
        if (data && fread(data, 1, *out_size, f) != *out_size) {
            free(data);
            data = NULL;
        }
    }
    fclose(f);
    return data;
}

// The file as it is, and cut short at 16 places: a parser meets torn input most often.
static void replay(const char *data, size_t size) {
    for (size_t i = 0; i <= 16; i++) {
        size_t n = size / 16 * i + (i == 16 ? size % 16 : 0);
        uint8_t *exact = malloc(n ? n : 1);
        if (!exact) abort();
        memcpy(exact, data, n);
        (void)LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS_DIR\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct dirent **names = NULL;
    int n_names = scandir(argv[1], &names, NULL, alphasort), n = 0, failed = 0;
    for (int i = 0; i < n_names; i++) {
        const char *name = names[i]->d_name;
        if (name[0] == '.') {
            free(names[i]);
            continue;
        }
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], name);
        printf("# %s\n", path); // named before it runs: a crash ends the program here
        size_t size = 0;
        char *data = read_file(path, &size);
        if (data) replay(data, size);
        failed += !data;
        printf("%s %d - %s\n", data ? "ok" : "not ok", ++n, name);
        free(data);
        free(names[i]);
    }
    free(names);
    printf("1..%d\n", n);
    return failed || n == 0;
}
