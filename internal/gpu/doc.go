// Package gpu opens a Vulkan device for drawing pictures: loader, instance, choice of a
// device, queues, memory, timeline semaphores and the few objects that a renderer
// needs. It knows nothing of frames or displays.
//
// Memory: every buffer and image has an allocation of its own. A player has a few dozen
// for its whole life, far below the 4,096 that every device allows, and frees them all
// at once.
//
// Concurrency: methods that create and destroy may be called from any goroutine; a queue
// and a command pool belong to one goroutine at a time.
package gpu
