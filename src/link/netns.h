/* Doing something in another network namespace.
 *
 * A thread of its own enters the namespace, does it, and ends: nobody else of the process is ever in there, and there is no way back
 * that could fail. Descriptors that it opens stay in the namespace where they were opened. */
#ifndef LINK_NETNS_H
#define LINK_NETNS_H

/* Calls `act` in the namespace that /run/netns has under this name; NULL or "": here, by the caller itself. Returns 0 when it was
 * called, or a negative errno and in *why the step that failed. */
int link_in_netns(const char *netns, void (*act)(void *context), void *context, const char **why);

#endif
