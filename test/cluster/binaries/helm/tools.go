//go:build tools

// Package tools names the program that test/cluster/helm.ts builds, so that go.mod keeps what it
// needs. It is never compiled itself.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
