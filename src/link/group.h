/* Frames between the links of a group: see group.c. */
#ifndef LINK_GROUP_H
#define LINK_GROUP_H

#include "link/link.h"

/* Adds frames that other links have handed over, while the batch has room. Returns whether more may be there. */
bool group_take(bk_link *link, struct link_batch *batch);
/* Takes frames that belong elsewhere out of the batch, and hands them over; copies go to all where all should have one. */
void group_sort(bk_link *link, struct link_batch *batch, uint32_t from);

#endif
