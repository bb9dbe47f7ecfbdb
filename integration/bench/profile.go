package main

import (
	"fmt"
	"time"
)

// A profile is how the Hub's process shapes its answers.
type profile struct {
	name  string
	delay time.Duration // before the headers of each answer
	conn  int64         // bytes/s of one connection; 0 is no limit
	all   int64         // bytes/s of all connections
}

var profiles = map[string]profile{
	"U":  {name: "U"},
	"L":  {name: "L", delay: 20 * time.Millisecond},
	"S1": {name: "S1", delay: 20 * time.Millisecond, conn: 100e6, all: 1e9},
	"S2": {name: "S2", delay: 80 * time.Millisecond, conn: 40e6, all: 400e6},
	"S3": {name: "S3", delay: 60 * time.Millisecond, conn: 12_500_000, all: 12_500_000},
}

func (p profile) String() string {
	if p.delay == 0 {
		return "unshaped"
	}
	s := p.delay.String()
	if p.conn > 0 {
		s += fmt.Sprintf(", %g MB/s per connection", float64(p.conn)/1e6)
	}
	if p.all > 0 {
		s += fmt.Sprintf(", %g MB/s in all", float64(p.all)/1e6)
	}
	return s
}

// flags of `hubfs hub`.
func (p profile) flags() (args []string) {
	if p.delay > 0 {
		args = append(args, "--delay", p.delay.String())
	}
	if p.conn > 0 {
		args = append(args, "--conn-rate", fmt.Sprint(p.conn))
	}
	if p.all > 0 {
		args = append(args, "--rate", fmt.Sprint(p.all))
	}
	return args
}
