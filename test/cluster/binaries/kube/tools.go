//go:build tools

// Package tools names the programs that test/cluster/build.ts builds, so that go.mod keeps what
// they need. It is never compiled itself.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
