package gpu

import (
	"sync"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/vk"
)

// messageLog collects validation messages; they may come from any thread.
type messageLog struct {
	mu   sync.Mutex
	msgs []string
}

// maxMessages keeps a storm of messages from eating the machine.
const maxMessages = 1000

// Callbacks are never freed, so the process has one, and it finds the log of an instance
// by the number that Vulkan hands back to it.
var (
	logs    sync.Map // uintptr → *messageLog
	lastLog struct {
		sync.Mutex
		id uintptr
	}
	messageCallback = sync.OnceValue(func() uintptr {
		return dl.NewCallback(func(severity, types uintptr, data *vk.DebugUtilsMessengerCallbackDataEXT, id uintptr) uintptr {
			if l, ok := logs.Load(id); ok && data != nil {
				l.(*messageLog).add(dl.GoString(uintptr(unsafe.Pointer(data.PMessage))))
			}
			return 0
		})
	})
)

func newMessageLog() (*messageLog, uintptr) {
	lastLog.Lock()
	lastLog.id++
	// Far from 0, since the runtime takes a small pointer on a stack for a broken one.
	id := 1<<20 + lastLog.id
	lastLog.Unlock()
	l := new(messageLog)
	logs.Store(id, l)
	return l, id
}

func (l *messageLog) add(s string) {
	l.mu.Lock()
	if len(l.msgs) < maxMessages {
		l.msgs = append(l.msgs, s)
	}
	l.mu.Unlock()
}

func (l *messageLog) all() []string {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.msgs...)
}

func (l *messageLog) close(id uintptr) {
	if l != nil {
		logs.Delete(id)
	}
}

// messengerInfo asks for warnings and errors. The layer's hints about best practice are
// not asked for.
func messengerInfo(id uintptr) *vk.DebugUtilsMessengerCreateInfoEXT {
	return &vk.DebugUtilsMessengerCreateInfoEXT{
		SType:           vk.STypeDebugUtilsMessengerCreateInfoEXT,
		MessageSeverity: vk.DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | vk.DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
		MessageType:     vk.DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | vk.DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT,
		PfnUserCallback: vk.PFN_vkDebugUtilsMessengerCallbackEXT(messageCallback()),
		PUserData:       dl.Pointer(id),
	}
}
