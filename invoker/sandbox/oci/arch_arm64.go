package oci

import specs "github.com/opencontainers/runtime-spec/specs-go"

func architecture() specs.Arch { return specs.ArchAARCH64 }
