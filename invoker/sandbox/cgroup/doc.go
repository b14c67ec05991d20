// Package cgroup bounds and counts what instances use, on hosts with cgroups of version 2, of version 1 and of both
// (hybrid: limits by version 1, while the nearly empty hierarchy of version 2 gives kill, freeze and birth).
//
// Open makes a Tree below this process's own cgroup, one per daemon, and Make in it a Group per instance, with its limits
// set and read back. What an earlier life of the daemon left is killed by Reap, in the same tree and, where a file says
// it, in one below another cgroup. Where no cgroup can be written the tree is empty (Usable) and Missing says why, in an
// operator's words.
//
//	<own cgroup>/fcd-ID/inst-INSTANCE      in each hierarchy
//
// How things are done in the versions:
//
//	                 version 2                        version 1
//	memory           memory.max, memory.swap.max = 0  memory.limit_in_bytes = memory.memsw.limit_in_bytes
//	whole tree dies  memory.oom.group                 an event (OOMEvents), upon which the driver kills
//	processor        cpu.max                          cpu.cfs_quota_us of cpu.cfs_period_us
//	background       cpu.weight                       cpu.shares
//	processes        pids.max                         pids.max
//	peak             memory.peak                      memory.max_usage_in_bytes
//	killed for it    memory.events, oom_kill          memory.oom_control, oom_kill
//	freeze           cgroup.freeze, cgroup.events     freezer.state
package cgroup
