# SPDX-License-Identifier: Apache-2.0
# Fig. 3: accuracy by the weight of the fine-grained loss. gnuplot -c pipelines/alpha.gp OUT.png alpha.tsv TITLE;
# a line: weight, probe, mean, standard deviation, number of seeds.
set terminal pngcairo size 640,480 font ",11"
set output ARG1
set title ARG3
set xlabel "weight of the fine-grained loss (alpha)"
set ylabel "accuracy, %"
set xrange [-0.05:1.05]
set offsets 0, 0, 1, 1
set grid lc rgb "#dddddd"
set border 3
set tics nomirror
unset key
plot ARG2 using 1:3:4 with yerrorlines lw 1.5 pt 7
