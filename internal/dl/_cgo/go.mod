module github.com/scanout-av/scanout/internal/dl/_cgo

go 1.26
