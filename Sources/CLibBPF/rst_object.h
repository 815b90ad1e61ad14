/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RST_OBJECT_H
#define RST_OBJECT_H

#include <stddef.h>

/* The compiled BPF programs, an ELF file. */
extern const unsigned char rst_object[];
extern const size_t rst_object_size;

#endif
