#version 450
#extension GL_GOOGLE_include_directive : require
#include "picture.glsl"

layout(location = 0) out vec4 color;

void main() { color = pixel(gl_FragCoord.xy); }
