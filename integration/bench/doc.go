// Command bench prints figures for hubfs beside what a machine can do anyway: a
// raw client of 32 parallel range requests (R), curl, and the plain file system.
//
//	B1   cold sequential read of one large file
//	B2   the same file read again by a new process
//	B8   listing and stat of a large tree, first and second pass
//	B11  a save of shards and small files, and the commit of it; an upload in parts
//	B12  many small writes, a renamed tree, 100,000 staged files
//
// What makes a figure hold on a shared machine: the Hub is a process of its own
// that does the shaping; free memory is touched before each timed cold run,
// since a virtual machine's first touch of a page is many times slower than
// its second; the arms of a pair run one after the other, and only ratios
// within a pair are compared, by their median; a control arm reads a plain file,
// and where it moved by more than 15 % the ratios are refused. Requests and
// bytes come from the Hub's access log and have no noise.
//
// The command runs itself for what needs a process of its own: reading a file,
// touching memory, stating names.
package main
