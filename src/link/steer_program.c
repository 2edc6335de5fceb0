/* Steering by the kernel: net/steer.c as a BPF program, put together instruction by instruction.
 *
 * The steps are those of the C function, in its order; whoever changes one changes the other, and a test runs both over the same
 * frames. What differs is only what the kernel allows: bytes are copied to the program's stack before they are looked at (a socket
 * filter may not read packets in place), the loop over extension headers is written out, and the contributions to the
 * bucket come from a map that holds the table.
 *
 * Registers: r6 the packet, r7 the bucket so far, r8 the table, r9 where we are in the frame. r0 to r5 are lost at each
 * copy. All that goes to stack 0 jumps to one exit. Jumps forward are patched when their target is reached.
 */
#include "link/steer_program.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/common.h"
#include "net/steer.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip.h"

#define INSTRUCTIONS 1024u
#define JUMPS        160u

/* Places on the program's stack, below the frame pointer. */
enum place {
    HEADER = -48,    /* an IP header */
    EXTENSION = -56, /* an extension header's first 8 bytes, or ports */
    NEXT = -64       /* the next header's type */
};

/* Jumps that wait for their target. */
struct jumps {
    uint32_t count;
    uint32_t at[JUMPS];
};

struct steer_program {
    uint32_t count;
    struct jumps none; /* to stack 0 */
    struct bpf_insn code[INSTRUCTIONS];
};

/* ---- instructions ---- */

static void emit(struct steer_program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm) {
    BK_ASSERT(p->count < INSTRUCTIONS, "the program has room");
    p->code[p->count++] =
        (struct bpf_insn){.code = code, .dst_reg = dst & 15, .src_reg = src & 15, .off = off, .imm = imm};
}

static void move(struct steer_program *p, uint8_t dst, uint8_t src) {
    emit(p, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}
static void set(struct steer_program *p, uint8_t dst, int32_t value) {
    emit(p, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value);
}
/* dst = dst `operation` value */
static void alu(struct steer_program *p, uint8_t operation, uint8_t dst, int32_t value) {
    emit(p, (uint8_t)(BPF_ALU64 | operation | BPF_K), dst, 0, 0, value);
}
/* dst = dst `operation` src */
static void alu_by(struct steer_program *p, uint8_t operation, uint8_t dst, uint8_t src) {
    emit(p, (uint8_t)(BPF_ALU64 | operation | BPF_X), dst, src, 0, 0);
}
/* r1 = the byte, or the 16 bits in network order, at a place of the stack */
static void get_byte(struct steer_program *p, int at) {
    emit(p, BPF_LDX | BPF_B | BPF_MEM, BPF_REG_1, BPF_REG_10, (int16_t)at, 0);
}
static void get_be(struct steer_program *p, int at) {
    emit(p, BPF_LDX | BPF_H | BPF_MEM, BPF_REG_1, BPF_REG_10, (int16_t)at, 0);
    emit(p, BPF_ALU | BPF_END | BPF_TO_BE, BPF_REG_1, 0, 0, 16);
}

static void jump(struct steer_program *p, struct jumps *to, uint8_t condition, int32_t value) {
    BK_ASSERT(to->count < JUMPS, "the list of jumps has room");
    to->at[to->count++] = p->count;
    emit(p, (uint8_t)(BPF_JMP | condition | BPF_K), BPF_REG_1, 0, 0, value);
}
/* If r1 compares so with the value, the answer is 0. */
static void none_if(struct steer_program *p, uint8_t condition, int32_t value) {
    jump(p, &p->none, condition, value);
}
static void always(struct steer_program *p, struct jumps *to) {
    BK_ASSERT(to->count < JUMPS, "the list of jumps has room");
    to->at[to->count++] = p->count;
    emit(p, BPF_JMP | BPF_JA, 0, 0, 0, 0);
}
static void land(struct steer_program *p, struct jumps *here) {
    for (uint32_t i = 0; i < here->count; i++) p->code[here->at[i]].off = (int16_t)(p->count - here->at[i] - 1);
    here->count = 0;
}

/* Copies n bytes from r9 + ahead on to a place of the stack; the answer is 0 if they are not there. */
static void copy(struct steer_program *p, int32_t ahead, int place, int32_t n) {
    move(p, BPF_REG_1, BPF_REG_6);
    move(p, BPF_REG_2, BPF_REG_9);
    if (ahead != 0) alu(p, BPF_ADD, BPF_REG_2, ahead);
    move(p, BPF_REG_3, BPF_REG_10);
    alu(p, BPF_ADD, BPF_REG_3, place);
    set(p, BPF_REG_4, n);
    emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes);
    move(p, BPF_REG_1, BPF_REG_0);
    none_if(p, BPF_JNE, 0);
}

/* r7 ^= what n bytes at a place of the stack contribute, that stand at `at` in the hash's input */
static void hash(struct steer_program *p, uint32_t at, int place, int n) {
    for (int i = 0; i < n; i++) {
        get_byte(p, place + i);
        move(p, BPF_REG_2, BPF_REG_8);
        alu_by(p, BPF_ADD, BPF_REG_2, BPF_REG_1);
        emit(p, BPF_LDX | BPF_B | BPF_MEM, BPF_REG_1, BPF_REG_2, (int16_t)((at + (uint32_t)i) * 256), 0);
        alu_by(p, BPF_XOR, BPF_REG_7, BPF_REG_1);
    }
}

/* ---- packets ---- */

/* The ports at r9, and the answer. */
static void answer(struct steer_program *p, uint32_t stacks, uint32_t place, bool sent) {
    copy(p, 0, EXTENSION, 4);
    hash(p, sent ? place + 2 : place, EXTENSION, 2);
    hash(p, sent ? place : place + 2, EXTENSION + 2, 2);
    move(p, BPF_REG_0, BPF_REG_7);
    alu(p, BPF_MOD, BPF_REG_0, (int32_t)stacks);
    emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* An IPv4 header at r9 + ahead, its version right; r9 then stands behind it. */
static void enter_ipv4(struct steer_program *p, int32_t ahead, int32_t fragment_mask) {
    copy(p, ahead, HEADER, (int32_t)WIRE_IPV4_LENGTH);
    get_byte(p, HEADER);
    none_if(p, BPF_JLT, 0x45);
    none_if(p, BPF_JGT, 0x4f);
    alu(p, BPF_AND, BPF_REG_1, 15);
    alu(p, BPF_LSH, BPF_REG_1, 2);
    alu_by(p, BPF_ADD, BPF_REG_9, BPF_REG_1);
    if (ahead != 0) alu(p, BPF_ADD, BPF_REG_9, ahead);
    get_be(p, HEADER + 6);
    alu(p, BPF_AND, BPF_REG_1, fragment_mask);
    none_if(p, BPF_JNE, 0);
}

static void enter_ipv6(struct steer_program *p, int32_t ahead) {
    copy(p, ahead, HEADER, (int32_t)WIRE_IPV6_LENGTH);
    get_byte(p, HEADER);
    none_if(p, BPF_JLT, 0x60);
    none_if(p, BPF_JGT, 0x6f);
    alu(p, BPF_ADD, BPF_REG_9, ahead + (int32_t)WIRE_IPV6_LENGTH);
}

/* r1 is a protocol: on to `ports` if it has some. */
static void ports_if(struct steer_program *p, struct jumps *ports) {
    jump(p, ports, BPF_JEQ, WIRE_TCP);
    jump(p, ports, BPF_JEQ, WIRE_UDP);
}

static void ipv4(struct steer_program *p, uint32_t stacks) {
    struct jumps ports = {0}, error = {0};
    enter_ipv4(p, 0, 0x3fff);
    get_byte(p, HEADER + 9);
    ports_if(p, &ports);
    none_if(p, BPF_JNE, WIRE_ICMP);
    copy(p, 0, EXTENSION, 1);
    get_byte(p, EXTENSION);
    jump(p, &error, BPF_JEQ, WIRE_ICMP_UNREACHABLE);
    jump(p, &error, BPF_JEQ, WIRE_ICMP_TIME_EXCEEDED);
    none_if(p, BPF_JNE, WIRE_ICMP_PARAMETER_PROBLEM);
    land(p, &error);
    enter_ipv4(p, (int32_t)WIRE_ICMP_LENGTH, 0x1fff);
    hash(p, 0, HEADER + 16, 4);
    hash(p, 4, HEADER + 12, 4);
    struct jumps quoted = {0};
    get_byte(p, HEADER + 9);
    ports_if(p, &quoted);
    always(p, &p->none);
    land(p, &quoted);
    answer(p, stacks, STEER_PORTS_IPV4, true);
    land(p, &ports);
    hash(p, 0, HEADER + 12, 8);
    answer(p, stacks, STEER_PORTS_IPV4, false);
}

/* One extension header, if r1, the next header, is one; else on to `end`. */
static void extension(struct steer_program *p, struct jumps *end) {
    struct jumps option = {0}, fragment = {0}, next = {0};
    get_byte(p, NEXT);
    jump(p, &fragment, BPF_JEQ, WIRE_FRAGMENT);
    jump(p, &option, BPF_JEQ, WIRE_HOP_BY_HOP);
    jump(p, &option, BPF_JEQ, WIRE_ROUTING);
    jump(p, &option, BPF_JEQ, WIRE_DESTINATION);
    always(p, end);
    land(p, &option);
    copy(p, 0, EXTENSION, 8);
    get_byte(p, EXTENSION + 1);
    alu(p, BPF_ADD, BPF_REG_1, 1);
    alu(p, BPF_LSH, BPF_REG_1, 3);
    alu_by(p, BPF_ADD, BPF_REG_9, BPF_REG_1);
    always(p, &next);
    land(p, &fragment);
    copy(p, 0, EXTENSION, 8);
    get_be(p, EXTENSION + 2);
    alu(p, BPF_AND, BPF_REG_1, 0xfff9);
    none_if(p, BPF_JNE, 0);
    alu(p, BPF_ADD, BPF_REG_9, 8);
    land(p, &next);
    get_byte(p, EXTENSION);
    emit(p, BPF_STX | BPF_B | BPF_MEM, BPF_REG_10, BPF_REG_1, NEXT, 0);
}

static void ipv6(struct steer_program *p, uint32_t stacks, int32_t start) {
    struct jumps end = {0}, ports = {0}, quoted = {0};
    enter_ipv6(p, 0);
    hash(p, 0, HEADER + 8, 32);
    get_byte(p, HEADER + 6);
    emit(p, BPF_STX | BPF_B | BPF_MEM, BPF_REG_10, BPF_REG_1, NEXT, 0);
    for (uint32_t i = 0; i < STEER_EXTENSIONS; i++) {
        extension(p, &end);
        move(p, BPF_REG_1, BPF_REG_9);
        none_if(p, BPF_JGT, start + (int32_t)(WIRE_IPV6_LENGTH + STEER_CHAIN));
    }
    land(p, &end);
    get_byte(p, NEXT);
    ports_if(p, &ports);
    none_if(p, BPF_JNE, WIRE_ICMPV6);
    copy(p, 0, EXTENSION, 1);
    get_byte(p, EXTENSION);
    none_if(p, BPF_JLT, WIRE_ICMPV6_UNREACHABLE);
    none_if(p, BPF_JGT, WIRE_ICMPV6_PARAMETER_PROBLEM);
    enter_ipv6(p, (int32_t)WIRE_ICMP_LENGTH);
    set(p, BPF_REG_7, 0);
    hash(p, 0, HEADER + 24, 16);
    hash(p, 16, HEADER + 8, 16);
    get_byte(p, HEADER + 6);
    ports_if(p, &quoted);
    always(p, &p->none);
    land(p, &quoted);
    answer(p, stacks, STEER_PORTS_IPV6, true);
    land(p, &ports);
    answer(p, stacks, STEER_PORTS_IPV6, false);
}

/* ---- the whole ---- */

/* `map` holds the table as its only value. */
static void steer_program_write(struct steer_program *p, int map, uint32_t stacks, enum bk_layer layer) {
    struct jumps six = {0};
    int32_t start = layer == BK_LAYER_ETHERNET ? (int32_t)WIRE_ETHERNET_LENGTH : 0;
    move(p, BPF_REG_6, BPF_REG_1);
    set(p, BPF_REG_7, 0);
    emit(p, BPF_LD | BPF_DW, BPF_REG_8, BPF_PSEUDO_MAP_VALUE, 0, map);
    emit(p, 0, 0, 0, 0, 0); /* where in the value the address points */
    set(p, BPF_REG_9, 0);
    if (layer == BK_LAYER_ETHERNET) {
        copy(p, 12, EXTENSION, 2);
        get_be(p, EXTENSION);
        set(p, BPF_REG_9, start);
        jump(p, &six, BPF_JEQ, WIRE_ETHERTYPE_IPV6);
        none_if(p, BPF_JNE, WIRE_ETHERTYPE_IPV4);
    } else {
        copy(p, 0, EXTENSION, 1);
        get_byte(p, EXTENSION);
        alu(p, BPF_RSH, BPF_REG_1, 4);
        jump(p, &six, BPF_JEQ, 6);
    }
    ipv4(p, stacks);
    land(p, &six);
    ipv6(p, stacks, start);
    land(p, &p->none);
    set(p, BPF_REG_0, 0);
    emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

int steer_program_load(const struct bk_steer_table *table, enum bk_layer layer, enum bpf_prog_type type,
                       const char **why) {
    struct steer_program p = {0};
    *why = "BPF_MAP_CREATE: make the map with the hash's table (as root, or with CAP_BPF)";
    int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, sizeof table->bucket, 1);
    if (map < 0) return map;
    *why = "BPF_MAP_UPDATE_ELEM: fill the table in";
    int r = bpf_map_set(map, 0, table->bucket);
    if (r == 0) {
        *why = "BPF_PROG_LOAD: load the program that steers (as root, or with CAP_BPF; since Linux 5.3)";
        steer_program_write(&p, map, table->stacks, layer);
        r = bpf_program_load(type, p.code, p.count);
    }
    close(map); /* the program holds it */
    return r;
}
