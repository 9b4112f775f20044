/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a backbone with seeded weights to a .safetensors file: helper_model NAME SEED FILE */
#include "tests/unit/model_support.h"

int main(int argc, char **argv)
{
    struct err e = {0};
    struct backend *b = NULL;
    struct model *m = NULL;
    struct json *metadata = json_new_object();
    if (argc != 4)
        return 2;
    int rc = backend_open(&b, &(struct backend_options){.device = "cpu", .n_threads = 1}, &e);
    if (rc == 0)
        rc = model_support_new(&m, b, argv[1], strtoull(argv[2], NULL, 10), &e);
    if (rc == 0)
        rc = model_save(m, argv[3], false, metadata, &e);
    if (rc < 0)
        fprintf(stderr, "helper_model: %s\n", e.text);
    json_free(metadata);
    model_free(m);
    backend_close(b);
    return rc < 0;
}
