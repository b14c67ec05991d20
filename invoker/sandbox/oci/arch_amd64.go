package oci

import specs "github.com/opencontainers/runtime-spec/specs-go"

func architecture() specs.Arch { return specs.ArchX86_64 }
