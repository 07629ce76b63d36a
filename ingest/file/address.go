package file

import (
	"fmt"
	"net/url"
	"strings"
)

// address is a URL in the parts that matter here. FFmpeg's URLs are not all what RFC 3986
// allows (udp://@239.0.0.1:1234), so they are cut up by hand.
type address struct {
	scheme, user, host, rest string // user is without its @; host with its port
}

// parseAddress cuts up a URL; false when it has no authority.
func parseAddress(u string) (a address, ok bool) {
	a.scheme, a.rest, ok = strings.Cut(u, "://")
	if !ok || !scheme(u) {
		return address{}, false
	}
	a.scheme = strings.ToLower(a.scheme)
	end := strings.IndexAny(a.rest, "/?#")
	if end < 0 {
		end = len(a.rest)
	}
	a.host, a.rest = a.rest[:end], a.rest[end:]
	if at := strings.LastIndexByte(a.host, '@'); at >= 0 {
		a.user, a.host = a.host[:at], a.host[at+1:]
		if a.user == "" { // udp://@group listens; that is not a user
			a.host = "@" + a.host
		}
	}
	return a, true
}

func (a address) String() string {
	user := a.user
	if user != "" {
		user += "@"
	}
	return a.scheme + "://" + user + a.host + a.rest
}

// secrets are the parameters of a query whose values nobody else should read.
var secrets = []string{"passphrase", "password", "passwd", "pwd", "token", "key", "secret", "signature", "sig", "auth"}

// Redact returns u without its password, and without what its query keeps secret: fit to
// be shown and logged.
func Redact(u string) string {
	a, ok := parseAddress(u)
	if !ok {
		return u
	}
	if name, _, found := strings.Cut(a.user, ":"); found {
		a.user = name + ":…"
	}
	if at := strings.IndexByte(a.rest, '?'); at >= 0 {
		words := strings.Split(a.rest[at+1:], "&")
		for i, w := range words {
			key, _, found := strings.Cut(w, "=")
			for _, s := range secrets {
				if found && strings.EqualFold(key, s) {
					words[i] = key + "=…"
				}
			}
		}
		a.rest = a.rest[:at+1] + strings.Join(words, "&")
	}
	return a.String()
}

// withUser puts a name and a password into u, in place of those that it has.
func withUser(u, name, password string) (string, error) {
	if name == "" {
		return u, nil
	}
	a, ok := parseAddress(u)
	if !ok {
		return "", fmt.Errorf("a user name is for addresses like rtsp://host/path")
	}
	a.user, a.host = escape(name), strings.TrimLeft(a.host, "@") // an @ without a name before it is in the host
	if password != "" {
		a.user += ":" + escape(password)
	}
	return a.String(), nil
}

// escape encodes everything that could end a name or a password in a URL. FFmpeg does not
// read + as a blank.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
