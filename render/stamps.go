package render

import (
	"time"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// stamps is what a driver says of when presented frames appeared: VK_EXT_present_timing or
// VK_GOOGLE_display_timing, by the number that each present was given.
//
// No driver that scanout was tested with has either for windows: whatever is odd about the
// answers ends their use, and the next best source takes over.
type stamps struct {
	source media.PresentSource // PresentTiming, PresentGoogle, or PresentUnknown for none
	// refresh is the display's interval as the driver has it, 0 when not known.
	refresh time.Duration

	answers [stampsKept]answer // by number
	asked   int                // presents in a row without any answer
	now     func() media.Instant

	// VK_EXT_present_timing.
	stage    vk.PresentStageFlagsEXT // that is asked for
	domain   vk.TimeDomainKHR        // of its times
	domainID uint64
	domains  uint64 // the driver's count of changes of these
	owed     int    // answers that the driver keeps for us
	// offset brings the domain's time to CLOCK_MONOTONIC; measured at a moment.
	offset     time.Duration
	calibrated media.Instant

	// Arguments that Vulkan reads and writes, on the heap with the window.
	timing     vk.PresentTimingInfoEXT
	timings    vk.PresentTimingsInfoEXT
	pastInfo   vk.PastPresentationTimingInfoEXT
	pastProps  vk.PastPresentationTimingPropertiesEXT
	past       [pastAtOnce]vk.PastPresentationTimingEXT
	pastStages [pastAtOnce][presentStages]vk.PresentStageTimeEXT
	props      vk.SwapchainTimingPropertiesEXT
	counter    uint64
	time       vk.PresentTimeGOOGLE
	times      vk.PresentTimesInfoGOOGLE
	google     [pastAtOnce]vk.PastPresentationTimingGOOGLE
	cycle      vk.RefreshCycleDurationGOOGLE
	count      uint32
	calibrate  [2]vk.CalibratedTimestampInfoKHR
	local      vk.SwapchainCalibratedTimestampInfoEXT
	clocks     [2]uint64
	deviation  uint64
}

type answer struct {
	id    uint64
	at    media.Instant // 0: it never appeared
	known bool
}

const (
	// stampsKept is how many presents are remembered; the driver is to keep as many answers.
	stampsKept = 64
	pastAtOnce = 16
	// presentStages is how many stages there are.
	presentStages = 4
	// silentAfter is how many presents in a row may go without an answer before the driver is
	// held never to give one: a second at 60 Hz.
	silentAfter = 60
	// calibrateEvery bounds how far the driver's clock can drift from ours: 0.1 ms at 100 ppm.
	calibrateEvery = time.Second
)

// init chooses what there is; stages are those that the surface answers for, 0 without
// VK_EXT_present_timing.
func (s *stamps) init(stages vk.PresentStageFlagsEXT, google bool, now func() media.Instant) {
	s.now = now
	switch stage := bestStage(stages); {
	case stage != 0:
		s.source, s.stage = media.PresentTiming, stage
		s.timing = vk.PresentTimingInfoEXT{SType: vk.STypePresentTimingInfoEXT, PresentStageQueries: stage}
		s.timings = vk.PresentTimingsInfoEXT{SType: vk.STypePresentTimingsInfoEXT, SwapchainCount: 1, PTimingInfos: &s.timing}
		s.props.SType = vk.STypeSwapchainTimingPropertiesEXT
		s.pastInfo.SType = vk.STypePastPresentationTimingInfoEXT
		s.pastProps = vk.PastPresentationTimingPropertiesEXT{SType: vk.STypePastPresentationTimingPropertiesEXT, PPresentationTimings: &s.past[0]}
	case google:
		s.source = media.PresentGoogle
		s.times = vk.PresentTimesInfoGOOGLE{SType: vk.STypePresentTimesInfoGOOGLE, SwapchainCount: 1, PTimes: &s.time}
	}
}

// bestStage picks the stage that is nearest to what is seen: light, else the first pixel on
// its way to the display; the others say nothing of refreshes.
func bestStage(offered vk.PresentStageFlagsEXT) vk.PresentStageFlagsEXT {
	for _, stage := range []vk.PresentStageFlagsEXT{vk.PRESENT_STAGE_IMAGE_FIRST_PIXEL_VISIBLE_BIT_EXT, vk.PRESENT_STAGE_IMAGE_FIRST_PIXEL_OUT_BIT_EXT} {
		if offered&stage != 0 {
			return stage
		}
	}
	return 0
}

// bestDomain picks the domain whose times need the least bringing over; false when none will
// do.
func bestDomain(domains []vk.TimeDomainKHR) (int, bool) {
	for _, want := range []vk.TimeDomainKHR{vk.TIME_DOMAIN_CLOCK_MONOTONIC_KHR, vk.TIME_DOMAIN_CLOCK_MONOTONIC_RAW_KHR,
		vk.TIME_DOMAIN_PRESENT_STAGE_LOCAL_EXT, vk.TIME_DOMAIN_SWAPCHAIN_LOCAL_EXT} {
		for i, d := range domains {
			if d == want {
				return i, true
			}
		}
	}
	return 0, false
}

func (s *stamps) on() bool { return s.source != media.PresentUnknown }

// off ends the use of stamps.
func (s *stamps) off() { s.source, s.refresh = media.PresentUnknown, 0 }

// flags are those that a swapchain is made with.
func (s *stamps) flags() vk.SwapchainCreateFlagsKHR {
	if s.source == media.PresentTiming {
		return vk.SWAPCHAIN_CREATE_PRESENT_TIMING_BIT_EXT | vk.SWAPCHAIN_CREATE_PRESENT_ID_2_BIT_KHR
	}
	return 0
}

// begin gets ready for a new swapchain, whose answers are its own.
func (s *stamps) begin(r *renderer, chain vk.SwapchainKHR) {
	s.owed, s.calibrated = 0, 0
	k := r.d.Commands
	switch s.source {
	case media.PresentTiming:
		if k.PfnGetPastPresentationTimingEXT == 0 || k.SetSwapchainPresentTimingQueueSizeEXT(r.c, r.d.Handle, chain, stampsKept) < 0 || !s.chooseDomain(r, chain) {
			s.off()
			return
		}
		s.readRefresh(r, chain)
	case media.PresentGoogle:
		if k.PfnGetPastPresentationTimingGOOGLE == 0 || k.GetRefreshCycleDurationGOOGLE(r.c, r.d.Handle, chain, &s.cycle) < 0 {
			s.off()
			return
		}
		s.refresh = sensible(s.cycle.RefreshDuration)
	}
}

// readRefresh asks for the interval, which the driver may learn with the first presents.
func (s *stamps) readRefresh(r *renderer, chain vk.SwapchainKHR) {
	if r.d.Commands.GetSwapchainTimingPropertiesEXT(r.c, r.d.Handle, chain, &s.props, &s.counter) == vk.SUCCESS {
		s.refresh = sensible(s.props.RefreshDuration)
	}
}

// sensible is an interval in ns that a display can have, else 0.
func sensible(ns uint64) time.Duration {
	if ns < uint64(500*time.Microsecond) || ns > uint64(time.Second) {
		return 0
	}
	return time.Duration(ns)
}

// chooseDomain picks the time domain of the answers.
func (s *stamps) chooseDomain(r *renderer, chain vk.SwapchainKHR) bool {
	var kinds [16]vk.TimeDomainKHR
	var ids [16]uint64
	p := &vk.SwapchainTimeDomainPropertiesEXT{SType: vk.STypeSwapchainTimeDomainPropertiesEXT, TimeDomainCount: uint32(len(kinds)),
		PTimeDomains: &kinds[0], PTimeDomainIds: &ids[0]}
	if r.d.Commands.GetSwapchainTimeDomainPropertiesEXT(r.c, r.d.Handle, chain, p, &s.domains) < 0 {
		return false
	}
	i, ok := bestDomain(kinds[:min(int(p.TimeDomainCount), len(kinds))])
	if !ok {
		return false
	}
	s.domain, s.domainID, s.timing.TimeDomainId = kinds[i], ids[i], ids[i]
	s.calibrated = 0
	return true
}

// ask notes that present id is on its way and fills what goes with it; false when nothing
// does, because the driver's memory for answers is full.
func (s *stamps) ask(id uint64) bool {
	if !s.on() {
		return false
	}
	s.asked++
	if s.asked > silentAfter {
		s.off()
		return false
	}
	if s.source == media.PresentTiming {
		if s.owed >= stampsKept {
			return false
		}
		s.owed++
	}
	s.answers[id%stampsKept] = answer{id: id}
	s.time = vk.PresentTimeGOOGLE{PresentID: uint32(id)}
	return true
}

// answer notes when present id appeared, 0 for never.
func (s *stamps) answer(id uint64, at media.Instant) {
	a := &s.answers[id%stampsKept]
	if uint32(a.id) != uint32(id) || a.known { // GOOGLE_display_timing's numbers have 32 bits
		return
	}
	s.asked = 0
	a.at, a.known = at, true
}

// look reports what is known of present id: when it appeared, 0 for never.
func (s *stamps) look(id uint64) (at media.Instant, known bool) {
	if a := &s.answers[id%stampsKept]; a.id == id && a.known {
		return a.at, true
	}
	return 0, false
}

// forgotten reports whether nothing will ever be known of present id.
func (s *stamps) forgotten(id uint64) bool {
	return id == 0 || !s.on() || s.answers[id%stampsKept].id != id
}

// plausible reports whether a frame can have appeared at: after it was submitted, and not
// before its time either. A driver may stamp a refresh that is about to come.
func plausible(submitted, at, now media.Instant) bool {
	return at >= submitted && at <= now.Add(100*time.Millisecond)
}

// collect takes in the driver's answers.
func (s *stamps) collect(r *renderer, chain vk.SwapchainKHR) {
	switch s.source {
	case media.PresentTiming:
		s.collectTimings(r, chain)
	case media.PresentGoogle:
		s.count = pastAtOnce
		if res := r.d.Commands.GetPastPresentationTimingGOOGLE(r.c, r.d.Handle, chain, &s.count, &s.google[0]); res < 0 {
			s.off()
			return
		}
		for i := range min(s.count, pastAtOnce) {
			g := &s.google[i]
			s.answer(uint64(g.PresentID), media.Instant(g.ActualPresentTime))
		}
	}
}

func (s *stamps) collectTimings(r *renderer, chain vk.SwapchainKHR) {
	for i := range s.past {
		s.past[i] = vk.PastPresentationTimingEXT{SType: vk.STypePastPresentationTimingEXT, PresentStageCount: presentStages, PPresentStages: &s.pastStages[i][0]}
	}
	s.pastInfo.Swapchain, s.pastProps.PresentationTimingCount = chain, pastAtOnce
	if res := r.d.Commands.GetPastPresentationTimingEXT(r.c, r.d.Handle, &s.pastInfo, &s.pastProps); res < 0 {
		s.off()
		return
	}
	n := min(s.pastProps.PresentationTimingCount, pastAtOnce)
	if n > 0 && !s.calibrateTo(r, chain) {
		s.off()
		return
	}
	for i := range n {
		p := &s.past[i]
		if p.ReportComplete == 0 {
			continue
		}
		s.owed = max(s.owed-1, 0)
		if p.TimeDomain != s.domain || p.TimeDomainId != s.domainID {
			continue // from before a change: it is not known when that was
		}
		s.answer(p.PresentId, s.shownAt(s.pastStages[i][:min(p.PresentStageCount, presentStages)]))
	}
	if s.pastProps.TimeDomainsCounter != s.domains && !s.chooseDomain(r, chain) {
		s.off()
	}
	if s.pastProps.TimingPropertiesCounter != s.counter || s.refresh == 0 && n > 0 {
		s.readRefresh(r, chain)
	}
}

// shownAt finds the stage that was asked for among those reported; 0 when the frame never
// got that far.
func (s *stamps) shownAt(stages []vk.PresentStageTimeEXT) media.Instant {
	for _, t := range stages {
		if t.Stage == s.stage && t.Time != 0 {
			return media.Instant(t.Time).Add(s.offset)
		}
	}
	return 0
}

// calibrateTo measures by how much the domain's time differs from CLOCK_MONOTONIC's.
func (s *stamps) calibrateTo(r *renderer, chain vk.SwapchainKHR) bool {
	if s.domain == vk.TIME_DOMAIN_CLOCK_MONOTONIC_KHR {
		s.offset = 0
		return true
	}
	now := s.now()
	if s.calibrated != 0 && now.Sub(s.calibrated) < calibrateEvery {
		return true
	}
	s.calibrate[0] = vk.CalibratedTimestampInfoKHR{SType: vk.STypeCalibratedTimestampInfoKHR, TimeDomain: s.domain}
	s.calibrate[1] = vk.CalibratedTimestampInfoKHR{SType: vk.STypeCalibratedTimestampInfoKHR, TimeDomain: vk.TIME_DOMAIN_CLOCK_MONOTONIC_KHR}
	if s.domain == vk.TIME_DOMAIN_PRESENT_STAGE_LOCAL_EXT || s.domain == vk.TIME_DOMAIN_SWAPCHAIN_LOCAL_EXT {
		s.local = vk.SwapchainCalibratedTimestampInfoEXT{SType: vk.STypeSwapchainCalibratedTimestampInfoEXT, Swapchain: chain, TimeDomainId: s.domainID}
		if s.domain == vk.TIME_DOMAIN_PRESENT_STAGE_LOCAL_EXT {
			s.local.PresentStage = s.stage
		}
		s.calibrate[0].PNext = vk.Pointer(&s.local)
	}
	if r.d.Commands.GetCalibratedTimestampsKHR(r.c, r.d.Handle, 2, &s.calibrate[0], &s.clocks[0], &s.deviation) < 0 ||
		s.clocks[0] == 0 || s.deviation > uint64(time.Millisecond) {
		return false
	}
	s.offset, s.calibrated = media.Instant(s.clocks[1]).Sub(media.Instant(s.clocks[0])), now
	return true
}

// presentSupport is what a surface has of the presentation extensions.
type presentSupport struct {
	id2, wait2 bool
	stages     vk.PresentStageFlagsEXT // of present_timing, 0 for none
}

// presentSupportOf asks a surface.
func presentSupportOf(r *renderer, surface vk.SurfaceKHR) (p presentSupport) {
	if !r.d.PresentWait2 && !r.d.PresentTiming || r.in.Commands.PfnGetPhysicalDeviceSurfaceCapabilities2KHR == 0 {
		return p
	}
	id := &vk.SurfaceCapabilitiesPresentId2KHR{SType: vk.STypeSurfaceCapabilitiesPresentId2KHR}
	caps := &vk.SurfaceCapabilities2KHR{SType: vk.STypeSurfaceCapabilities2KHR, PNext: vk.Pointer(id)}
	next := &id.PNext
	wait := &vk.SurfaceCapabilitiesPresentWait2KHR{SType: vk.STypeSurfaceCapabilitiesPresentWait2KHR}
	if r.d.PresentWait2 {
		*next, next = vk.Pointer(wait), &wait.PNext
	}
	timing := &vk.PresentTimingSurfaceCapabilitiesEXT{SType: vk.STypePresentTimingSurfaceCapabilitiesEXT}
	if r.d.PresentTiming {
		*next = vk.Pointer(timing)
	}
	info := &vk.PhysicalDeviceSurfaceInfo2KHR{SType: vk.STypePhysicalDeviceSurfaceInfo2KHR, Surface: surface}
	if r.in.Commands.GetPhysicalDeviceSurfaceCapabilities2KHR(r.c, r.d.Physical, info, caps) < 0 {
		return p
	}
	p.id2 = id.PresentId2Supported != 0
	p.wait2 = p.id2 && wait.PresentWait2Supported != 0
	if p.id2 && timing.PresentTimingSupported != 0 {
		p.stages = timing.PresentStageQueries
	}
	return p
}

// waitKind says by which extension it is waited for a present.
type waitKind uint8

const (
	waitNone waitKind = iota
	waitFirst
	waitSecond
)

// chooseWait prefers the second version: the first is about the whole device, this surface
// included or not.
func chooseWait(d *gpu.Device, s presentSupport) waitKind {
	switch {
	case d.PresentWait2 && s.wait2:
		return waitSecond
	case d.PresentWait:
		return waitFirst
	}
	return waitNone
}
