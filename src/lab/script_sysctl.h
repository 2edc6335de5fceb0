/* Settings by the names that Linux has for them (sysctl), as scripts use them. */
#ifndef LAB_SCRIPT_SYSCTL_H
#define LAB_SCRIPT_SYSCTL_H

#include "beckon/socket.h"
#include "beckon/stack.h"

/* All that a script can set. */
struct script_settings {
    struct bk_config stack;
    struct bk_sockets_config sockets;
};

/* Sets one: "net.ipv4.tcp_sack" and "1". Returns true, or false and says in `why` that there is no such setting, that it takes no such
 * value, or that Beckon does not have what it asks for. */
bool script_sysctl_set(struct script_settings *s, const char *name, const char *value, char *why, size_t size);
/* Sets what the scripts' defaults.sh sets. False: as above, which one fails. */
bool script_sysctl_defaults(struct script_settings *s, char *why, size_t size);

/* The table, for people: the index-th setting's name, and what it is here in words. False past the last. */
bool script_sysctl_row(size_t index, const char **name, char *words, size_t size);

#endif
