// SPDX-License-Identifier: Apache-2.0
// Blocks of threads as fibers. Only x86-64 Linux.
#include "tests/emulator/emulator.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>

enum { MAX_THREADS = 1024, STACK_BYTES = 64 << 10, SAVED = 6 };

thread_local uint3 emulator_thread, emulator_block;
thread_local dim3 emulator_grid;

struct fiber {
    void *top; // of its stack, while it does not run
    char *stack;
    uint3 id;
    bool done;
};

static std::mutex one_at_a_time; // renderers launch from several threads
static struct fiber fibers[MAX_THREADS], *running;
static void *scheduler;
static const struct emulator_launch *current;

// Saves the callee's registers and the stack pointer, and goes on with another stack.
extern "C" void emulator_switch(void **save, void *to);
asm(R"(
.text
.globl emulator_switch
.type emulator_switch, @function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulator_switch, . - emulator_switch
)");

static void thread_main()
{
    current->body(current->user);
    running->done = true;
    emulator_switch(&running->top, scheduler);
}

static void start(struct fiber *f)
{
    if (!f->stack)
        f->stack = (char *)aligned_alloc(64, STACK_BYTES);
    void **top = (void **)(f->stack + STACK_BYTES);
    *--top = nullptr; // where thread_main would return to; aligns its stack
    *--top = (void *)thread_main;
    for (int i = 0; i < SAVED; i++)
        *--top = nullptr;
    f->top = top;
    f->done = false;
}

void emulator_barrier(void)
{
    emulator_switch(&running->top, scheduler);
}

// The order of the threads turns round at every barrier: what depends on it shows.
static void run_block(const dim3 &block)
{
    unsigned n = block.x * block.y * block.z, left = n;
    for (unsigned i = 0; i < n; i++) {
        start(&fibers[i]);
        fibers[i].id = {i % block.x, i / block.x % block.y, i / block.x / block.y};
    }
    for (bool forward = true; left > 0; forward = !forward)
        for (unsigned i = 0; i < n; i++) {
            struct fiber *f = &fibers[forward ? i : n - 1 - i];
            if (f->done)
                continue;
            running = f;
            emulator_thread = f->id;
            emulator_switch(&scheduler, f->top);
            left -= f->done;
        }
}

void emulator_run(const struct emulator_launch *l)
{
    std::lock_guard<std::mutex> guard(one_at_a_time);
    unsigned n = l->block.x * l->block.y * l->block.z;
    if (n == 0 || n > MAX_THREADS || l->grid.x == 0 || l->grid.x > 0x7fffffffu || l->grid.y == 0 ||
        l->grid.y > 65535 || l->grid.z != 1) {
        fprintf(stderr, "emulator: a GPU refuses %u threads in %u x %u x %u blocks\n", n, l->grid.x,
                l->grid.y, l->grid.z);
        abort();
    }
    current = l;
    emulator_grid = l->grid;
    for (unsigned y = 0; y < l->grid.y; y++)
        for (unsigned x = 0; x < l->grid.x; x++) {
            emulator_block = {x, y, 0};
            run_block(l->block);
        }
}
