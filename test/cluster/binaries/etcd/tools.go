//go:build tools

// Package tools names the program that test/cluster/build.ts builds, so that go.mod keeps what it
// needs. It is never compiled itself.
package tools

import _ "go.etcd.io/etcd/server/v3"
