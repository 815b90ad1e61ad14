/* SPDX-License-Identifier: Apache-2.0 */
#include <lzma.h>

/* Swift does not see macros that call others. */
static const uint32_t lzma_concatenated = LZMA_CONCATENATED;
