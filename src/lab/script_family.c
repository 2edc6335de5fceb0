/* The three ways in which a script runs: which family the sockets are of, and which the packets. Addresses are those of the scripts' own
 * harness; some scripts have them in their text. */
#include "lab/script_run.h"

#include <string.h>
#include <sys/socket.h>

#include "base/common.h"

static const struct script_define script_ipv4_defines[] = {{"TFO_COOKIE", "3021b9d889017eeb"},
                                                           {"TFO_COOKIE_ZERO", "b7c12350a90dc8f5"},
                                                           {"CMSG_LEVEL_IP", "SOL_IP"},
                                                           {"CMSG_TYPE_RECVERR", "IP_RECVERR"}};
static const struct script_define script_ipv6_defines[] = {{"TFO_COOKIE", "c1d1e9742a47a9bc"},
                                                           {"TFO_COOKIE_ZERO", "82af1a8f9a205c34"},
                                                           {"CMSG_LEVEL_IP", "SOL_IPV6"},
                                                           {"CMSG_TYPE_RECVERR", "IPV6_RECVERR"}};
static const struct script_define script_mapped_defines[] = {{"TFO_COOKIE", "3021b9d889017eeb"},
                                                             {"TFO_COOKIE_ZERO", "b7c12350a90dc8f5"},
                                                             {"CMSG_LEVEL_IP", "SOL_IPV6"},
                                                             {"CMSG_TYPE_RECVERR", "IPV6_RECVERR"}};

const struct script_family script_families[SCRIPT_FAMILIES] = {
    {"ipv4", '4', AF_INET, "192.168.0.1", "192.168.0.1", 16, "192.0.2.1", 1500, script_ipv4_defines,
     BK_COUNT(script_ipv4_defines)},
    {"ipv6", '6', AF_INET6, "fd3d:0a0b:17d6::1", "fd3d:0a0b:17d6:8888::1", 48, "fd3d:fa7b:d17d::1", 1520,
     script_ipv6_defines, BK_COUNT(script_ipv6_defines)},
    {"ipv4-mapped-ipv6", 'm', AF_INET6, "192.168.0.1", "192.168.0.1", 16, "192.0.2.1", 1500, script_mapped_defines,
     BK_COUNT(script_mapped_defines)},
};

const struct script_family *script_family_find(const char *name) {
    for (size_t i = 0; i < SCRIPT_FAMILIES; i++)
        if (strcmp(script_families[i].name, name) == 0) return &script_families[i];
    return NULL;
}
