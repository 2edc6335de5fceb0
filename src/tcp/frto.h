/* F-RTO: was the timeout spurious (RFC 5682)?
 *
 * After a timeout only the first segment goes again. If what the next ACKs newly cover includes something that was sent only once, before the
 * timeout, then it had not been lost, and the timeout was for nothing (step 3.b; with SACK that may show at once). If the first ACK covers only
 * what went again, new data is sent instead of more repetitions (step 2.b): should the next ACK be a duplicate, the rest was lost indeed
 * (step 3.a). Where there is no new data to send, or no window for it, nothing can be found out. */
#ifndef TCP_FRTO_H
#define TCP_FRTO_H

#include "base/common.h"

struct tcp;
struct connection;
struct ack_news;
struct active;

enum frto_step {
    FRTO_OFF,
    FRTO_REPEATED, /* the first segment went again, its ACK is awaited */
    FRTO_NEW,      /* new data goes meanwhile, nothing is repeated */
};

void frto_begin(const struct tcp *t, struct connection *c, bool may);
/* An ACK after the timeout. Returns whether the timeout was spurious. */
bool frto_acked(struct ack_news *n);
/* Whether new data goes before what is lost; once it is out nothing is repeated until it is answered. Not without a record of its own for it: it
 * would join one that is lost, which then counted as on its way. */
bool frto_new_first(const struct tcp *t, const struct active *a);

#endif
