/* Fast paths and the plain build.
 *
 * Where the core goes a shorter way (a hint, a hash, a bit trick, an early end, several bytes at a time), it asks BK_FAST first, and beside it
 * stands the plain way: slower, and so simple that one sees that it is right. A build with -DBECKON_PLAIN=1 has only the plain ways. Both
 * have one layout and give the same bytes, in every frame and in the region: the test lab.equal copies a region, drives the copies with both,
 * and compares. What a fast path remembers (a hint) is therefore written in both builds; the plain one does not believe it.
 *
 * What decides an order or a choice, and so shows on the wire, is no fast path: the order of timers in a slot, which freed object is taken
 * next, which bytes are copied together.
 */
#ifndef BASE_PLAIN_H
#define BASE_PLAIN_H

#ifdef BECKON_PLAIN
#define BK_FAST 0
#else
#define BK_FAST 1
#endif

#endif
