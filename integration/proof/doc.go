// Package proof says how much work the tests do that try a great many cases:
// kill points, power cuts, faults, random operations. Such a test is named
// TestProof…, and runs in three sizes, chosen by the environment variable
// HUBFS_PROOF: small ("", every run), "deep" (before a change lands), and
// "long" (before a release).
//
// Its random choices come from one seed, which it prints; HUBFS_SEED repeats a
// run. What it counted it says in one line, which the test summary shows. A
// test checks that it did as much as its size asks for: a proof that tried
// nothing has failed.
package proof
