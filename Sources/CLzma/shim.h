/* SPDX-License-Identifier: Apache-2.0 */
#include <lzma.h>

/* Swift does not import macros that expand to other macros. */
static const uint32_t lzma_concatenated = LZMA_CONCATENATED;
