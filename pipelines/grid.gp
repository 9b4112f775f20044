# SPDX-License-Identifier: Apache-2.0
# Fig. 4: accuracy by the feature steps behind a fine-grained embedding. gnuplot -c pipelines/grid.gp OUT.png grid.tsv TITLE;
# a line: steps of the short clip, of the long clip, probe, mean, standard deviation, number of seeds.
set terminal pngcairo size 640,480 font ",11"
set output ARG1
set title ARG3
set xlabel "feature steps of the short clip (k_s)"
set ylabel "of the long clip (k_l)"
set cblabel "accuracy, %"
set palette defined (0 "#f7fbff", 1 "#6baed6", 2 "#08519c")
set logscale xy 2
set offsets graph 0.2, graph 0.2, graph 0.2, graph 0.2
set border 3
set tics nomirror
unset key
plot ARG2 using 1:2:4 with points pt 5 ps 8 palette, \
     "" using 1:2:(sprintf("%.1f", $4)) with labels font ",11"
