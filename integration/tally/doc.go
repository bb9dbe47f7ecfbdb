// Command tally runs the Go tests and the pytest suites and closes with one
// line that counts them all:
//
//	N passed, N failed, N skipped
//
// Its exit status is non-zero when anything failed and also when no test ran:
// a package that does not build, a test binary that crashes, a pytest that
// cannot collect and a suite that overruns its limit are each a failure, even
// though none of them reports a failed test. Subtests and pytest's parametrised
// cases count one each.
package main
