// The colour of one target pixel. Exactly one of STORAGE, PLANES and YCBCR is defined;
// it says where samples come from. Samples are fetched one by one and interpolated here:
// the filters of texture units have weights of 8 bits, which is not exact enough.

#define GRAY 0
#define PLANAR 1
#define SEMI_PLANAR 2    // Cb before Cr
#define SEMI_PLANAR_VU 3 // Cr before Cb
#define PACKED_YUYV 4
#define PACKED_UYVY 5
#define PACKED_RGBA 6
#define PACKED_BGRA 7
#define PACKED_RGB 8

layout(constant_id = 0) const int LAYOUT = PLANAR;
layout(constant_id = 1) const int BYTES = 1;   // of a sample
layout(constant_id = 2) const int SHIFT = 0;   // of the significant bits in a sample
layout(constant_id = 3) const int LINEAR = 0;  // interpolate luma
layout(constant_id = 4) const int SUBX = 1;    // log2 of chroma subsampling
layout(constant_id = 5) const int SUBY = 1;
layout(constant_id = 6) const int NEUTRAL = 128; // chroma of gray

layout(push_constant) uniform Push {
	vec4 m0, m1, m2;              // rows of the matrix from sample codes to RGB, offset last
	float ax, ay, ac; uint off0;  // source x = ax·X + ay·Y + ac; offsets of planes in bytes
	float bx, by, bc; uint off1;  // source y
	ivec4 rect;                   // the target's pixels from xy up to zw show the picture
	ivec2 size; vec2 chroma;      // of the source; where the first chroma sample lies
	uint stride0, stride1, stride2, off2;
} p;

// Behind PLANES and YCBCR there are no offsets of planes: off0 and off1 say where in the
// image the picture begins, in luma samples; behind YCBCR stride0 and stride1 are the
// image's size.

#if defined(STORAGE)
layout(set = 0, binding = 0) readonly buffer Samples { uint word[]; } samples;

float code(uint o) {
	uint w = samples.word[o >> 2];
	if (BYTES == 1)
		return float((w >> ((o & 3u) * 8u)) & 0xffu);
	return float(((w >> ((o & 2u) * 8u)) & 0xffffu) >> SHIFT);
}

float luma(ivec2 q) {
	uint row = p.off0 + uint(q.y) * p.stride0;
	if (LAYOUT == PACKED_YUYV)
		return code(row + uint(q.x) * 2u);
	if (LAYOUT == PACKED_UYVY)
		return code(row + uint(q.x) * 2u + 1u);
	return code(row + uint(q.x * BYTES));
}

vec2 chroma(ivec2 q) {
	if (LAYOUT == PACKED_YUYV || LAYOUT == PACKED_UYVY) {
		uint o = p.off0 + uint(q.y) * p.stride0 + uint(q.x) * 4u + (LAYOUT == PACKED_YUYV ? 1u : 0u);
		return vec2(code(o), code(o + 2u));
	}
	if (LAYOUT == SEMI_PLANAR || LAYOUT == SEMI_PLANAR_VU) {
		uint o = p.off1 + uint(q.y) * p.stride1 + uint(q.x * 2 * BYTES);
		vec2 c = vec2(code(o), code(o + uint(BYTES)));
		return LAYOUT == SEMI_PLANAR ? c : c.yx;
	}
	return vec2(code(p.off1 + uint(q.y) * p.stride1 + uint(q.x * BYTES)),
		code(p.off2 + uint(q.y) * p.stride2 + uint(q.x * BYTES)));
}

vec3 packed(ivec2 q) {
	int n = LAYOUT == PACKED_RGB ? 3 : 4;
	uint o = p.off0 + uint(q.y) * p.stride0 + uint(q.x * n * BYTES);
	vec3 c = vec3(code(o), code(o + uint(BYTES)), code(o + uint(2 * BYTES)));
	return LAYOUT == PACKED_BGRA ? c.bgr : c;
}
#elif defined(PLANES)
layout(set = 0, binding = 0) uniform usampler2D plane0;
layout(set = 0, binding = 1) uniform usampler2D plane1;
layout(set = 0, binding = 2) uniform usampler2D plane2;

float luma(ivec2 q) {
	if (LAYOUT == PACKED_YUYV || LAYOUT == PACKED_UYVY) {
		uvec4 t = texelFetch(plane0, ivec2(q.x >> 1, q.y), 0); // never cropped
		if (LAYOUT == PACKED_UYVY)
			t = t.grab;
		return float((q.x & 1) == 0 ? t.r : t.b);
	}
	return float(texelFetch(plane0, q + ivec2(p.off0, p.off1), 0).r >> SHIFT);
}

vec2 chroma(ivec2 q) {
	if (LAYOUT == PACKED_YUYV)
		return vec2(texelFetch(plane0, q, 0).ga);
	if (LAYOUT == PACKED_UYVY)
		return vec2(texelFetch(plane0, q, 0).rb);
	if (LAYOUT == SEMI_PLANAR)
		return vec2(texelFetch(plane1, q, 0).rg >> SHIFT);
	if (LAYOUT == SEMI_PLANAR_VU)
		return vec2(texelFetch(plane1, q, 0).gr >> SHIFT);
	return vec2(texelFetch(plane1, q, 0).r >> SHIFT, texelFetch(plane2, q, 0).r >> SHIFT);
}

vec3 packed(ivec2 q) {
	if (LAYOUT == PACKED_RGB) {
		ivec2 o = ivec2(q.x * 3, q.y);
		return vec3(texelFetch(plane0, o, 0).r, texelFetch(plane0, o + ivec2(1, 0), 0).r, texelFetch(plane0, o + ivec2(2, 0), 0).r);
	}
	vec3 c = vec3(texelFetch(plane0, q, 0).rgb);
	return LAYOUT == PACKED_BGRA ? c.bgr : c;
}
#elif defined(YCBCR)
// The sampler reconstructs chroma and converts nothing: Cr, Y and Cb come as R, G and B.
layout(set = 0, binding = 0) uniform sampler2D picture;
#endif

#if !defined(YCBCR)
vec2 chromaAt(ivec2 q, ivec2 last) { return chroma(clamp(q, ivec2(0), last)); }

vec2 chromaNear(vec2 q) {
	ivec2 last = ((p.size + ivec2((1 << SUBX) - 1, (1 << SUBY) - 1)) >> ivec2(SUBX, SUBY)) - 1;
	// Clamped here and not by the sampler: the image may go on where the picture ends.
	vec2 c = clamp((q - p.chroma) / vec2(1 << SUBX, 1 << SUBY), vec2(0.0), vec2(last));
	vec2 f = floor(c);
	vec2 w = c - f;
	ivec2 i = ivec2(f);
	if (LINEAR == 0 && SUBX == 0 && SUBY == 0)
		return chromaAt(i, last);
#if defined(PLANES)
	// One gather instead of four fetches. It aims at the corner that the four share, half
	// a sample from where another four would begin. Samples beyond the last weigh nothing.
	if (LAYOUT == PLANAR || LAYOUT == SEMI_PLANAR || LAYOUT == SEMI_PLANAR_VU) {
		ivec2 first = ivec2(p.off0, p.off1) >> ivec2(SUBX, SUBY);
		vec2 corner = (f + 1.0 + vec2(first)) / vec2(textureSize(plane1, 0));
		vec4 a = vec4(textureGather(plane1, corner, 0) >> SHIFT);
		vec4 b = vec4((LAYOUT == PLANAR ? textureGather(plane2, corner, 0) : textureGather(plane1, corner, 1)) >> SHIFT);
		vec4 k = vec4((1.0 - w.x) * w.y, w.x * w.y, w.x * (1.0 - w.y), (1.0 - w.x) * (1.0 - w.y));
		vec2 c = vec2(dot(a, k), dot(b, k));
		return LAYOUT == SEMI_PLANAR_VU ? c.yx : c;
	}
#endif
	vec2 top = mix(chromaAt(i, last), chromaAt(i + ivec2(1, 0), last), w.x);
	if (LINEAR == 0 && SUBY == 0)
		return top;
	vec2 bottom = mix(chromaAt(i + ivec2(0, 1), last), chromaAt(i + ivec2(1, 1), last), w.x);
	return mix(top, bottom, w.y);
}

vec3 codes(vec2 s) {
	ivec2 last = p.size - 1;
	bool rgb = LAYOUT >= PACKED_RGBA;
	if (LINEAR == 0) {
		ivec2 q = clamp(ivec2(floor(s)), ivec2(0), last);
		if (rgb)
			return packed(q);
		return vec3(luma(q), LAYOUT == GRAY ? vec2(NEUTRAL) : chromaNear(vec2(q)));
	}
	vec2 q = s - 0.5;
	vec2 f = floor(q);
	vec2 w = q - f;
	ivec2 a = clamp(ivec2(f), ivec2(0), last), b = clamp(ivec2(f) + 1, ivec2(0), last);
	if (rgb)
		return mix(mix(packed(a), packed(ivec2(b.x, a.y)), w.x), mix(packed(ivec2(a.x, b.y)), packed(b), w.x), w.y);
	float y = mix(mix(luma(a), luma(ivec2(b.x, a.y)), w.x), mix(luma(ivec2(a.x, b.y)), luma(b), w.x), w.y);
	return vec3(y, LAYOUT == GRAY ? vec2(NEUTRAL) : chromaNear(q));
}
#else
vec3 codes(vec2 s) {
	if (LINEAR == 0)
		s = floor(s) + 0.5;
	s = clamp(s, vec2(0.5), vec2(p.size) - 0.5) + vec2(p.off0, p.off1);
	return textureLod(picture, s / vec2(p.stride0, p.stride1), 0.0).gbr;
}
#endif

vec4 pixel(vec2 at) {
	ivec2 t = ivec2(at);
	if (any(lessThan(t, p.rect.xy)) || any(greaterThanEqual(t, p.rect.zw)))
		return vec4(0.0, 0.0, 0.0, 1.0);
	vec4 c = vec4(codes(vec2(p.ax * at.x + p.ay * at.y + p.ac, p.bx * at.x + p.by * at.y + p.bc)), 1.0);
	return vec4(clamp(vec3(dot(p.m0, c), dot(p.m1, c), dot(p.m2, c)), 0.0, 1.0), 1.0);
}
