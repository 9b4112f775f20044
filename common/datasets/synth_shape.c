/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "common/datasets/synth.h"

/*
 * The eight shapes and their motions. Each class is closed under mirroring, rotation and moderate
 * stretching (no class becomes another one by the augmentations of training), so a label survives
 * them.
 */

enum { MAX_CORNERS = 12 };

struct shape {
    const char *name; /* what it is and what it does */
    void (*move)(struct synth_pose *p, double angle, double turn);
    /* Either a polygon, or a distance of its own. */
    int n_corners;
    double corner[MAX_CORNERS][2];
    double (*distance)(double x, double y);
};

static double disc(double x, double y)
{
    return hypot(x, y) - 1;
}

static double ring(double x, double y)
{
    return fabs(hypot(x, y) - 0.72) - 0.28;
}

static double crescent(double x, double y)
{
    return fmax(hypot(x, y) - 1, 0.8 - hypot(x - 0.5, y));
}

/* Motions: `angle` runs through 2 pi once a period, `turn` is +1 or -1. */

static void pulse(struct synth_pose *p, double angle, double turn)
{
    (void)turn;
    p->radius *= 1 + 0.3 * sin(angle);
}

static void spin(struct synth_pose *p, double angle, double turn)
{
    p->angle += turn * angle / 2;
}

static void hop(struct synth_pose *p, double angle, double turn)
{
    (void)turn;
    p->y += 0.1 - 0.2 * fabs(sin(angle / 2));
}

static void slide(struct synth_pose *p, double angle, double turn)
{
    p->x += turn * 0.18 * sin(angle);
}

static void orbit(struct synth_pose *p, double angle, double turn)
{
    p->x += turn * 0.14 * cos(angle);
    p->y += 0.14 * sin(angle);
}

static void shake(struct synth_pose *p, double angle, double turn)
{
    p->x += turn * 0.05 * sin(3 * angle);
    p->y += 0.05 * sin(4 * angle);
}

static void rock(struct synth_pose *p, double angle, double turn)
{
    p->angle += turn * 0.7 * sin(angle);
}

static void tumble(struct synth_pose *p, double angle, double turn)
{
    (void)turn;
    p->squash = 0.65 + 0.35 * cos(angle);
}

static const struct shape shapes[SYNTH_N_SHAPES] = {
    {"disc-pulse", pulse, .distance = disc},
    {"square-spin", spin, 4, {{0.75, 0.75}, {-0.75, 0.75}, {-0.75, -0.75}, {0.75, -0.75}}, NULL},
    {"triangle-hop", hop, 3, {{0, -1.1}, {0.95, 0.55}, {-0.95, 0.55}}, NULL},
    {"ring-slide", slide, .distance = ring},
    {"plus-orbit",
     orbit,
     12,
     {{0.3, 1},
      {-0.3, 1},
      {-0.3, 0.3},
      {-1, 0.3},
      {-1, -0.3},
      {-0.3, -0.3},
      {-0.3, -1},
      {0.3, -1},
      {0.3, -0.3},
      {1, -0.3},
      {1, 0.3},
      {0.3, 0.3}},
     NULL},
    {"star-shake",
     shake,
     10,
     {{0, -1.1},
      {0.247, -0.34},
      {1.046, -0.34},
      {0.4, 0.13},
      {0.647, 0.89},
      {0, 0.42},
      {-0.647, 0.89},
      {-0.4, 0.13},
      {-1.046, -0.34},
      {-0.247, -0.34}},
     NULL},
    {"crescent-rock", rock, .distance = crescent},
    {"hourglass-tumble",
     tumble,
     6,
     {{-0.75, -0.9}, {0.75, -0.9}, {0.12, 0}, {0.75, 0.9}, {-0.75, 0.9}, {-0.12, 0}},
     NULL},
};

const char *synth_shape_name(unsigned shape)
{
    return shapes[shape].name;
}

/* Distance to the nearest side, negative where a ray crosses the outline an odd number of times. */
static double polygon_distance(const double (*corner)[2], int n, double x, double y)
{
    double nearest = INFINITY;
    bool inside = false;
    for (int i = 0, j = n - 1; i < n; j = i++) {
        double sx = corner[j][0] - corner[i][0], sy = corner[j][1] - corner[i][1];
        double px = x - corner[i][0], py = y - corner[i][1];
        double along = fmin(1, fmax(0, (px * sx + py * sy) / (sx * sx + sy * sy)));
        nearest = fmin(nearest, hypot(px - along * sx, py - along * sy));
        if ((corner[i][1] > y) != (corner[j][1] > y) && px < sx * py / sy)
            inside = !inside;
    }
    return inside ? -nearest : nearest;
}

double synth_shape_distance(unsigned shape, double x, double y)
{
    const struct shape *s = &shapes[shape];
    return s->distance ? s->distance(x, y) : polygon_distance(s->corner, s->n_corners, x, y);
}

void synth_pose(const struct synth_event *event, int64_t frame, struct synth_pose *pose)
{
    *pose = (struct synth_pose){event->x, event->y, event->radius, event->angle, 1};
    double angle = event->phase + 2 * M_PI * (double)(frame - event->start) / event->period;
    shapes[event->shape].move(pose, angle, event->turn);
}
