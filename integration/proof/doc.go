// Package proof says how much work the tests do that try a great many cases:
// kill points, power cuts, faults, random operations. Such a test is named
// TestProof…, and runs in three sizes, chosen by the environment variable
// HUBFS_PROOF: small ("", every run), "deep" (before a change lands), and
// "long" (before a release).
//
// Its random choices come from one seed, which it prints: a fixed one, unless the
// run is long or HUBFS_SEED says otherwise ("new", or the number to repeat a run
// with). What it counted it says in one line, which the test summary shows. A
// test checks that it did as much as its size asks for: a proof that tried
// nothing has failed.
//
// A test of any kind that cannot run on this machine says so by Missing.
package proof
