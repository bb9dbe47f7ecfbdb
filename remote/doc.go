// Package remote owns the wire: it is a client of the Hugging Face Hub and of
// servers that speak its protocol.
package remote
