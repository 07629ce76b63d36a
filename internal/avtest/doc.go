// Package avtest is what tests play to and receive from: displays and audio servers
// without hardware. Only tests import it.
//
// Every function that starts a program skips the test when the program is not installed,
// and names the package that has it. Programs are ended when the test ends.
package avtest
