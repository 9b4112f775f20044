# SPDX-License-Identifier: Apache-2.0
# Loss curves. gnuplot -c pipelines/loss.gp OUT.png NAME FILE [NAME FILE ...]; FILE: "step loss" a line.
set terminal pngcairo size 900,540 font ",11"
set output ARG1
set xlabel "step"
set ylabel "loss"
set grid lc rgb "#dddddd"
set border 3
set tics nomirror
set key top right
curve(i) = value(sprintf("ARG%d", i))
plot for [i = 2:ARGC - 1:2] curve(i + 1) using 1:2 with linespoints lw 1.5 pt 7 ps 0.3 title curve(i)
