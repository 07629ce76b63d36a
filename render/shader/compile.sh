#!/bin/sh
# Compiles the shaders; needs glslangValidator (apt-get install glslang-tools).
set -e
cd "$(dirname "$0")"
c() { glslangValidator --quiet -V --target-env vulkan1.1 "$@"; }
c triangle.vert -o triangle.vert.spv
for s in storage planes ycbcr; do
	d=$(echo $s | tr a-z A-Z)
	c -D$d picture.frag -o picture_$s.frag.spv
	c -D$d picture.comp -o picture_$s.comp.spv
done
