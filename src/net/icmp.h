/* ICMP and ICMPv6: echo, errors sent, errors heeded. See icmp.c and icmp_error.c. */
#ifndef NET_ICMP_H
#define NET_ICMP_H

#include "net/net.h"

/* An ICMP or ICMPv6 message that p stands at. Returns its reason. */
uint16_t icmp_input(struct net *n, struct packet *p, bool reassembled);
/* Answers packet p, which must be a unicast one to us, with an error. Returns `reason`, or why nothing was sent. */
uint16_t icmp_error_send(struct net *n, const struct packet *p, uint8_t type, uint8_t code, uint32_t rest,
                         uint16_t reason);
/* ICMPv6 parameter problem. */
uint16_t icmp_parameter_problem(struct net *n, const struct packet *p, uint8_t code, uint32_t pointer, uint16_t reason);
/* An arriving error message of `type` and `code`, p standing at its ICMP header. Returns its reason. */
uint16_t icmp_error_input(struct net *n, struct packet *p, uint8_t type, uint8_t code, uint32_t rest);

#endif
