// Package file reads media files, and whatever else FFmpeg's libavformat opens (http,
// https, rtsp, playlists), as access units.
//
// FFmpeg is found at run time; without it [Open] fails with media.ErrNotSupported and
// says what to install.
//
// Ownership: access units live in recycled AVPackets. They may be released from any
// goroutine, also after Close.
package file
