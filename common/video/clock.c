/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/clock.h"

__extension__ typedef __int128 wide;

/* The ticks whose middle lies before `time` units: (n + 1/2) / rate < time, so n < time * rate -
 * 1/2. */
static int64_t ticks_before(const struct clock *c, int64_t time)
{
    const struct clock_rates *r = &c->rates;
    wide num = (wide)time * r->unit_num * r->num * 2; /* both sides times 2 * unit_den * den */
    wide den = (wide)r->unit_den * r->den * 2;
    wide above = num - den / 2;
    return above <= 0 ? 0 : (int64_t)((above + den - 1) / den);
}

static int64_t units(const struct clock *c, int64_t seconds)
{
    return (int64_t)((wide)seconds * c->rates.unit_den / c->rates.unit_num);
}

/* How long one frame of the source lasts, rounded, at least one unit. */
static int64_t frame_units(const struct clock *c)
{
    const struct clock_rates *r = &c->rates;
    wide num = (wide)r->source_den * r->unit_den, den = (wide)r->source_num * r->unit_num;
    int64_t n = (int64_t)((num + den / 2) / den);
    return n > 0 ? n : 1;
}

void clock_init(struct clock *c, const struct clock_rates *rates)
{
    *c = (struct clock){.rates = *rates};
}

static int64_t advance(struct clock *c, int64_t time)
{
    int64_t before = ticks_before(c, time), n = before - c->n_ticks;
    c->last = time;
    if (n <= 0)
        return 0;
    c->n_ticks = before;
    return n;
}

int64_t clock_add(struct clock *c, int64_t timestamp)
{
    if (!c->started) {
        c->started = true;
        c->shift = timestamp == CLOCK_NO_TIME ? 0 : -timestamp;
        return 0;
    }
    int64_t follows = c->last + frame_units(c);
    if (timestamp == CLOCK_NO_TIME)
        return advance(c, follows);
    wide step = (wide)timestamp + c->shift - c->last;
    if (step < -units(c, CLOCK_MAX_BACK) || step > units(c, CLOCK_MAX_AHEAD)) {
        c->shift = (int64_t)((uint64_t)follows - (uint64_t)timestamp);
        c->n_breaks++;
        return advance(c, follows);
    }
    return step > 0 ? advance(c, c->last + (int64_t)step) : 0;
}

int64_t clock_end(struct clock *c, int64_t duration)
{
    if (!c->started)
        return 0;
    int64_t one = frame_units(c), most = units(c, CLOCK_MAX_AHEAD);
    int64_t n = advance(c, c->last + (duration > most ? most : duration > one ? duration : one));
    if (c->n_ticks == 0)
        c->n_ticks = n = 1;
    return n;
}

bool clock_fits(const struct clock_rates *rates, const int64_t *timestamps, size_t n)
{
    struct clock c;
    clock_init(&c, rates);
    for (size_t i = 0; i < n; i++)
        if (clock_add(&c, timestamps[i]) != (i > 0))
            return false;
    return c.n_breaks == 0;
}
