// Command hubfs mounts the Hugging Face Hub as a file system.
//
// The commands are functions that take a context and an options struct and
// return an error; only main turns signals into a cancelled context and errors
// into an exit code (see exit.go).
//
// # The daemon
//
// mount starts the same binary again as "hubfs serve MNT" in a session of its
// own and waits until the mount is usable. Three descriptors join the two:
//
//	0  /dev/null
//	1  and 2: the log file
//	3  read by the daemon: one JSON object, the options and the token
//	4  written by the daemon: JSON lines, notes and then "ready" or an error
//
// The token is on descriptor 3 only: /proc/PID/cmdline and /proc/PID/environ of
// a process can be read long after it has forgotten what was in them. With
// --foreground the process replaces itself in the same way and keeps its
// process id, so a service manager sees one process.
//
// # A running mount
//
// The other commands talk to a mount through the files of MNT/.hubfs (control.go).
// There is no socket: who may use the mount's files may use these.
//
// # Staged work without a mount
//
// "hubfs stage" works on the state directory. ls and export only look (package
// commit's Inspect and Export), whoever has the work open; sync and drop take
// its lock as a mount does, and are refused while a mount has it.
//
// # Output
//
// Results go to standard output, progress and errors to standard error. With
// --json there is one object on standard output, also after an error; its
// shapes are in SEMANTICS.md, and a test compares them. Text of others, names
// and servers' words, goes to a terminal with its control characters escaped
// (shown.go).
//
// A mount whose daemon was killed may hang for ever, and so may whoever touches
// it, even against SIGKILL. So no command does before health (health.go) has
// looked for the daemon; names of paths are resolved as far as the mount only;
// and a connection that nobody serves is aborted.
//
// # Files
//
//	<cache>              blobs, safe to delete at any time
//	<state>              staged work, not yet committed
//	<state>/log/*.log    one log per mount point
package main
