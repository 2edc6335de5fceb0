/* F-RTO: was the timeout spurious (RFC 5682)?
 *
 * After a timeout only the first segment goes again. The first ACK that covers all of it may have been waiting for it alone, so it proves nothing,
 * whatever else it covers. New data is sent instead of more repetitions (step 2.b), and the next ACK tells: if it newly covers something that was
 * sent only once, before the timeout, and none of the new data, then that had not been lost, and the timeout was for nothing (step 3.b). If it is
 * a duplicate, or tells of new data, the rest was lost indeed (step 3.a). Where all is covered at once, or there is no new data to send or no window
 * for it, nothing can be found out (step 2.a). The steps are those of 2.1 without SACK, and of 3.1 with it: there duplicates before the
 * first such ACK change nothing. */
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

/* The timer fired. It `may` be tried unless the timeout came in a recovery that was under way, other than F-RTO's own first step (step 1). */
void frto_begin(const struct tcp *t, struct connection *c, bool may);
/* An ACK after the timeout. Returns whether the timeout was spurious. */
bool frto_acked(struct ack_news *n);
/* Whether new data goes before what is lost; once it is out nothing is repeated until it is answered. Not without a record of its own for it: it
 * would join one that is lost, which then counted as on its way. */
bool frto_new_first(const struct tcp *t, const struct active *a);

#endif
