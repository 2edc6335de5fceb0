/* Checking a configuration. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "beckon/stack.h"

#define CONFIG_RECORDS_MAX ((UINT32_C(1) << 29) - 2) /* that the connection table can refer to */

/* NULL if all is well, else what is wrong, naming the field. */
const char *config_fault(const struct bk_config *c);

#endif
