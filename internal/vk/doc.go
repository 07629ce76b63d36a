// Package vk is a thin binding of the part of Vulkan that scanout uses, generated from
// the Vulkan registry. It translates and decides nothing.
//
// Names are the registry's without the prefix: VkImageCreateInfo is [ImageCreateInfo],
// vkCreateImage is [DeviceCommands.CreateImage], VK_FORMAT_R8_UNORM is
// [FORMAT_R8_UNORM]. STypeImageCreateInfo is the structure's sType.
//
// Structs have C's layout. Their pointer fields are Go pointers, so what they point to
// stays alive with them. A command's method keeps its arguments alive for the length of
// the call and moves them to the heap: a loop that must not allocate passes structs
// that it keeps.
//
// Unions are arrays with a method for each member; bit-fields are words with a getter
// and a setter for each.
package vk

//go:generate go run ./gen
