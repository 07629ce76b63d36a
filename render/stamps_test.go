package render

import (
	"slices"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

const (
	stageEnd     = vk.PRESENT_STAGE_QUEUE_OPERATIONS_END_BIT_EXT
	stageOut     = vk.PRESENT_STAGE_IMAGE_FIRST_PIXEL_OUT_BIT_EXT
	stageVisible = vk.PRESENT_STAGE_IMAGE_FIRST_PIXEL_VISIBLE_BIT_EXT
)

// TestStampsChoice picks a source, a stage and a clock out of what a driver has.
func TestStampsChoice(t *testing.T) {
	for _, c := range []struct {
		stages vk.PresentStageFlagsEXT
		google bool
		source media.PresentSource
		stage  vk.PresentStageFlagsEXT
	}{
		{0, false, media.PresentUnknown, 0},
		{0, true, media.PresentGoogle, 0},
		{stageEnd | vk.PRESENT_STAGE_REQUEST_DEQUEUED_BIT_EXT, true, media.PresentGoogle, 0},
		{stageEnd | stageOut, true, media.PresentTiming, stageOut},
		{stageOut | stageVisible, false, media.PresentTiming, stageVisible},
	} {
		var s stamps
		if s.init(c.stages, c.google, nil); s.source != c.source || s.stage != c.stage || s.on() != (c.source != media.PresentUnknown) {
			t.Errorf("%+v: %v, stage %d", c, s.source, s.stage)
		}
		if timing := s.flags() != 0; timing != (c.source == media.PresentTiming) {
			t.Errorf("%+v: flags %#x", c, s.flags())
		}
	}
	const mono, raw, local = vk.TIME_DOMAIN_CLOCK_MONOTONIC_KHR, vk.TIME_DOMAIN_CLOCK_MONOTONIC_RAW_KHR, vk.TIME_DOMAIN_PRESENT_STAGE_LOCAL_EXT
	for _, c := range []struct {
		domains []vk.TimeDomainKHR
		want    int
		ok      bool
	}{{nil, 0, false}, {[]vk.TimeDomainKHR{vk.TIME_DOMAIN_DEVICE_KHR, vk.TIME_DOMAIN_QUERY_PERFORMANCE_COUNTER_KHR}, 0, false},
		{[]vk.TimeDomainKHR{local, raw, mono}, 2, true}, {[]vk.TimeDomainKHR{vk.TIME_DOMAIN_SWAPCHAIN_LOCAL_EXT, local}, 1, true}} {
		if i, ok := bestDomain(c.domains); i != c.want || ok != c.ok {
			t.Errorf("%v: %d, %v", c.domains, i, ok)
		}
	}
	for _, c := range []struct {
		d    gpu.Info
		s    presentSupport
		want waitKind
	}{{gpu.Info{}, presentSupport{wait2: true}, waitNone}, {gpu.Info{PresentWait: true}, presentSupport{}, waitFirst},
		{gpu.Info{PresentWait: true, PresentWait2: true}, presentSupport{}, waitFirst},
		{gpu.Info{PresentWait: true, PresentWait2: true}, presentSupport{id2: true, wait2: true}, waitSecond}} {
		if got := chooseWait(&gpu.Device{Info: c.d}, c.s); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	for ns, want := range map[uint64]time.Duration{0: 0, 1: 0, 8_333_333: 8_333_333, 1 << 63: 0, 2e9: 0} {
		if got := sensible(ns); got != want {
			t.Errorf("%d ns: %v", ns, got)
		}
	}
}

// TestStampsAnswers matches answers with presents, also by 32 bits, late, twice, and of
// presents that are forgotten.
func TestStampsAnswers(t *testing.T) {
	var s stamps
	s.init(stageVisible, false, nil)
	look := func(id uint64, at media.Instant, known, forgotten bool) {
		t.Helper()
		if a, k := s.look(id); a != at || k != known || s.forgotten(id) != forgotten {
			t.Errorf("%d: at %d, known %v, forgotten %v", id, a, k, s.forgotten(id))
		}
	}
	first := uint64(1<<32 - 2)
	look(0, 0, false, true)
	for id := first; id < first+10; id++ {
		if !s.ask(id) {
			t.Fatal("not asked")
		}
	}
	s.answer(first, 100)
	s.answer(first, 200) // again
	s.answer(uint64(uint32(first+5)), 300)
	s.answer(first+6, 0)
	s.answer(77, 400)
	look(first, 100, true, false)
	look(first+1, 0, false, false)
	look(first+5, 300, true, false)
	look(first+6, 0, true, false)
	look(77, 0, false, true)
	// The driver keeps so many answers, and no more are asked for.
	for id := first + 10; s.owed < stampsKept; id++ {
		s.ask(id)
		s.answer(id, 1)
	}
	if s.ask(first + stampsKept) {
		t.Error("asked for more than the driver keeps")
	}
	look(first+stampsKept, 0, false, true)
	s.owed = 0
	// Who never answers is not asked any more.
	for id := uint64(1000); id < 1000+silentAfter+1; id++ {
		s.owed = 0
		s.ask(id)
	}
	if s.on() || s.ask(2000) {
		t.Errorf("still waiting after %d presents", s.asked)
	}
	look(1000+silentAfter, 0, false, true)

	s = stamps{stage: stageOut, offset: 7}
	for _, c := range []struct {
		stages []vk.PresentStageTimeEXT
		want   media.Instant
	}{{nil, 0}, {[]vk.PresentStageTimeEXT{{Stage: stageEnd, Time: 5}}, 0}, {[]vk.PresentStageTimeEXT{{Stage: stageEnd, Time: 5}, {Stage: stageOut, Time: 9}}, 16},
		{[]vk.PresentStageTimeEXT{{Stage: stageOut}}, 0}} {
		if got := s.shownAt(c.stages); got != c.want {
			t.Errorf("%v: %d", c.stages, got)
		}
	}
	if !plausible(10, 10, 20) || plausible(10, 9, 20) || plausible(10, 20+media.Instant(time.Second), 20) || !plausible(10, 21, 20) {
		t.Error("plausible")
	}
}

// TestPresentChain links what each tier needs to a present, and nothing else.
func TestPresentChain(t *testing.T) {
	for _, c := range []struct {
		name    string
		waits   waitKind
		stages  vk.PresentStageFlagsEXT
		google  bool
		fence   bool
		stamped bool
		want    []vk.StructureType
	}{
		{name: "nothing"},
		{name: "wait", waits: waitFirst, fence: true, want: []vk.StructureType{vk.STypePresentIdKHR, vk.STypeSwapchainPresentFenceInfoKHR}},
		{name: "wait2", waits: waitSecond, want: []vk.StructureType{vk.STypePresentId2KHR}},
		{name: "timing", waits: waitFirst, stages: stageVisible, fence: true, stamped: true,
			want: []vk.StructureType{vk.STypePresentId2KHR, vk.STypePresentTimingsInfoEXT, vk.STypeSwapchainPresentFenceInfoKHR}},
		{name: "timing, full", waits: waitSecond, stages: stageVisible, want: []vk.StructureType{vk.STypePresentId2KHR}},
		{name: "google", google: true, stamped: true, want: []vk.StructureType{vk.STypePresentTimesInfoGOOGLE}},
		{name: "google and wait", google: true, waits: waitFirst, stamped: true, want: []vk.StructureType{vk.STypePresentIdKHR, vk.STypePresentTimesInfoGOOGLE}},
	} {
		r := &renderer{d: &gpu.Device{Info: gpu.Info{DisplayTiming: c.google, SwapchainMaint1: c.fence}}}
		s := &swapchain{}
		s.init(r, 0)
		s.waits = c.waits
		s.stamps.init(c.stages, c.google, nil)
		for range 2 { // the chain of the present before must not be left in it
			s.link(r, c.stamped)
		}
		var got []vk.StructureType
		for p := s.info.PNext; p != nil; {
			switch p {
			case vk.Pointer(&s.ids):
				got, p = append(got, s.ids.SType), s.ids.PNext
			case vk.Pointer(&s.ids2):
				got, p = append(got, s.ids2.SType), s.ids2.PNext
			case vk.Pointer(&s.fences):
				got, p = append(got, s.fences.SType), s.fences.PNext
			case vk.Pointer(&s.stamps.timings):
				got, p = append(got, s.stamps.timings.SType), s.stamps.timings.PNext
			case vk.Pointer(&s.stamps.times):
				got, p = append(got, s.stamps.times.SType), s.stamps.times.PNext
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if want := c.waits != waitNone || c.google || c.stages != 0; s.numbered() != want {
			t.Errorf("%s: numbered %v", c.name, s.numbered())
		}
	}
}
