/* What theory says a bulk flow can get of a link: figures to hold measured ones against, not bounds that nothing ever passes. */
#ifndef LAB_THEORY_H
#define LAB_THEORY_H

enum theory_controller { THEORY_CUBIC, THEORY_NEWRENO, THEORY_BBR, THEORY_CONTROLLERS };

struct theory_path {
    double rate;   /* octets of payload a second that the link carries */
    double rtt;    /* seconds, with an empty queue */
    double mss;    /* octets of payload in a full segment */
    double buffer; /* the smaller one of sender's and receiver's, octets; 0: as much as is needed */
    double loss;   /* the part of all segments that is lost */
    double burst;  /* segments that are lost together, on average */
};

/* Goodput as a part of the link's rate: the least of the link, a buffer for each round trip, and what the controller makes of the loss. */
double theory_goodput(enum theory_controller controller, const struct theory_path *path);

#endif
