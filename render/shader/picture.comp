#version 450
#extension GL_GOOGLE_include_directive : require
#include "picture.glsl"

layout(local_size_x = 32, local_size_y = 4) in;
layout(set = 0, binding = 3, rgba8) writeonly uniform image2D target;

void main() {
	ivec2 t = ivec2(gl_GlobalInvocationID.xy);
	if (all(lessThan(t, imageSize(target))))
		imageStore(target, t, pixel(vec2(t) + 0.5));
}
