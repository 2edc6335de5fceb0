/* How far steering looks into a packet; see steer.c. */
#ifndef NET_STEER_H
#define NET_STEER_H

#include "base/steer.h"

#define STEER_PORTS_IPV4 8u /* where the ports stand in the hash's input */
#define STEER_PORTS_IPV6 32u
#define STEER_EXTENSIONS 8u   /* IPv6 extension headers: more are not taken (wire/ip_chain.c), */
#define STEER_CHAIN      256u /* nor longer ones (net_input.c) */

#endif
