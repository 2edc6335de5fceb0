/* What the files of the bench share among themselves. */
#ifndef TESTS_FIXTURE_INTERNAL_H
#define TESTS_FIXTURE_INTERNAL_H

#include "fixture.h"

/* What comes back to the user with each readiness event. */
#define USER_CONNECT UINT64_C(0xc0ffee0000000001)
#define USER_ACCEPT  UINT64_C(0xacce970000000002)
#define USER_LISTEN  UINT64_C(0x1157e40000000003)

/* Notes what happened, for the message of a failure. */
void fixture_note(const char *arrow, const char *text, const char *reason);
/* Takes all that bk_output has. */
void fixture_drain(void);
/* The bytes at a place of either stream. */
uint8_t fixture_user_pattern(uint64_t at);
uint8_t fixture_peer_pattern(uint64_t at);

#endif
